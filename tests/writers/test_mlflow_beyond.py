"""What MLflow keeps beside a run and no run holds is counted; a foreign bundle is a loss."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.writers.mlflow_runs import chunks, header, last_header, pulled, push

from runferry.chunks import Lost
from runferry.dialects.mlflow.artifacts import Entry
from runferry.dialects.mlflow.header import as_native
from runferry.errors import Refused
from runferry.losses import Fate
from runferry.model import Blob
from runferry.ports import Location, RemoteId
from runferry.writers.mlflow import MlflowWriter
from runferry.writers.mlflow.left_parts import LeftParts


def lost(database: Path, run_id: str) -> dict[str, tuple[Fate, int]]:
    found = [c.loss for c in pulled(str(database), run_id) if isinstance(c, Lost)]
    return {loss.code: (loss.fate, loss.count) for loss in found}


PARTS = ["header", "attributes", "series", "media", "file", "artifact", "document", "raw", "lost"]


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("content", [[{}], {}, [7], 7, [{"path": 3}], None, {"key": []}])
def test_a_part_of_foreign_json_is_a_loss_and_never_an_error(
    kind: str, content: object, database: Path
) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remote = push(writer, header(), chunks())
    writer.close()
    parts = list(database.parent.glob(f"mlruns/*/{remote}/artifacts/runferry/{kind}-*.json"))
    (seal,) = database.parent.glob(f"mlruns/*/{remote}/artifacts/runferry/sealed-*.json")
    sealed = json.loads(seal.read_text())
    assert parts
    for part in parts:
        text = json.dumps(content)
        part.write_text(text)
        sealed[f"runferry/{part.name}"] = len(text)
    seal.write_text(json.dumps(sealed))
    before = lost(database, remote)
    if content not in ({}, []) or kind == "header":
        assert "bundle-part-damaged" in before


def test_a_run_that_its_source_calls_crashed_failed() -> None:
    for state in ("unknown", "running", "failed"):
        crashed = header(status="crashed", state=state)
        assert as_native(crashed, crashed.uid).status == "FAILED"
    unknown = header(status=None, state="unknown")
    assert as_native(unknown, unknown.uid).status == "RUNNING"


@pytest.mark.parametrize("content", ['{"key"', "\0\1", "[7]", '{"key": []}'])
def test_a_garbled_header_of_an_earlier_sending_does_not_end_a_later_one(
    content: str, database: Path
) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remote = push(writer, header(), chunks())
    writer.close()
    (part,) = database.parent.glob(f"mlruns/*/{remote}/artifacts/runferry/header-0-00000000.json")
    part.write_text(content)
    again = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    run = header(notes="as it is now", labels={})
    push(again, run, chunks(run))
    again.close()
    found = pulled(str(database), remote)
    assert last_header(found).notes == "as it is now"
    assert last_header(found).labels == {}  # the header that the last seal named told of them
    assert "bundle-part-damaged" not in lost(database, remote)


@pytest.mark.parametrize("content", ['{"key"', "\0\1", "[7]"])
@pytest.mark.parametrize("kind", ["points", "attributes", "media", "file", "artifact", "sealed"])
def test_a_garbled_part_that_a_later_sending_has_to_know_refuses_the_run_and_is_named(
    kind: str, content: str, database: Path
) -> None:
    where, remote, part = _left(database, kind)
    part.write_text(content)
    _refuses(where, remote, part, first=1 if kind == "sealed" else 0)


def _left(database: Path, kind: str) -> tuple[Location, RemoteId, Path]:
    """A run, and the first part of a kind that its sending left."""
    where = Location("mlflow", f"sqlite:///{database}")
    writer = MlflowWriter.open(where)
    remote = push(writer, header(), chunks())
    writer.close()
    return (
        where,
        remote,
        min(database.parent.glob(f"mlruns/*/{remote}/artifacts/runferry/{kind}-*")),
    )


def _refuses(where: Location, remote: RemoteId, part: Path, first: int = 0) -> None:
    """A later sending of the run, for this part of it."""
    again = MlflowWriter.open(where)

    def send() -> None:
        for number, chunk in enumerate(chunks(), start=first):
            again.append(remote, number, chunk)
        again.seal(remote, header())

    with pytest.raises(Refused, match=f"runferry/{part.name}.*{remote}") as refused:
        send()
    assert f"mlflow runs delete --run-id {remote}" in refused.value.hint
    again.close()


@pytest.mark.parametrize("path", ["", ".", "/", "/etc/passwd", "../../other/artifacts/model.pkl"])
@pytest.mark.parametrize("kind", ["media", "file"])
def test_nothing_but_a_files_own_path_is_taken_away_for_a_later_sending(
    kind: str, path: str, database: Path
) -> None:
    """The path of nothing would be the whole folder."""
    where, remote, part = _left(database, kind)
    said = json.loads(part.read_text())
    said[0]["blob"]["path"] = path
    part.write_text(json.dumps(said))
    _refuses(where, remote, part)


def test_a_disk_that_refuses_to_read_a_part_is_not_taken_for_a_damaged_part() -> None:
    """What its words are for is to be done, and no run deleted."""

    class Refusing:
        def blob(self, entry: Entry) -> Blob:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), entry.path)

    folder: Any = Refusing()
    with pytest.raises(PermissionError):
        LeftParts(folder, RemoteId("a")).named_by(Entry("runferry/seal-0", 1))
