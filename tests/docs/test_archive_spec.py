"""The specification of the archive is enough: who has read nothing else reads every run."""

from __future__ import annotations

import ast
import json
import re
import struct
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from tests.blobs import bytes_of
from tests.docs import archive_reader, archive_writer
from tests.docs.archive_reader import ArchivedRun
from tests.transfer.nasties import archive_of_nasties, every_run
from tests.transfer.roads import pull_from

from runferry import chunks
from runferry.archive.layout import FORMAT_VERSION, ROW_TABLES, SNAPSHOT_TABLES
from runferry.archive.record import COMMIT_VERSION
from runferry.archive.snapshots import INLINE_ROWS, SNAPSHOT_SCHEMAS
from runferry.archive.store import Archive
from runferry.dialects.row_tables import ROW_SCHEMAS, media_batch
from runferry.model import Blob, Run, Uid
from runferry.tables import conform
from runferry.testing.recording import Recording
from runferry.testing.reference import record
from runferry.testing.samples import header

PAGE = (Path(__file__).parents[2] / "docs" / "archive.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    halves = "\ud83d\ude00"  # of a letter, side by side
    odd = Recording(header("odd", name=halves, tags=(halves,), labels={"$float": halves})).sample()
    return archive_of_nasties(tmp_path_factory.mktemp("spec"), (*every_run(keys=600), odd))


# --- what the page says is so ---------------------------------------------------------------------


def columns_of(table: str) -> list[str]:
    """The columns that the page states of a table."""
    section = re.search(rf"^### {table}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, table
    cells = re.findall(r"^\| (`.*?`) \|", section[1], re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize("table", [*ROW_TABLES, *SNAPSHOT_TABLES])
def test_the_page_has_each_column_in_its_place(table: str) -> None:
    schema = {**ROW_SCHEMAS, **SNAPSHOT_SCHEMAS}[table]
    assert columns_of(table) == schema.names


def test_the_page_has_each_member_of_a_commit_and_of_a_header(archive: Archive) -> None:
    record = next(archive.records())
    commit = json.loads(next(archive.path.glob(f"commits/*/{record.run.uid}.json")).read_text())
    section = PAGE[PAGE.index("## Commit records") : PAGE.index("### The uid")]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == commit.keys()
    section = PAGE[PAGE.index("### The header") : PAGE.index("### Values")]
    stated = [
        name
        for cell in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    ]
    assert set(stated) == {spec.name for spec in fields(Run)}


def test_the_page_is_that_of_this_version() -> None:
    assert f'"version": {FORMAT_VERSION}}}' in PAGE
    assert f"| `commit_version` | {COMMIT_VERSION}." in PAGE
    assert f"Up to {INLINE_ROWS} rows" in PAGE


@pytest.mark.parametrize("module", [archive_reader, archive_writer], ids=lambda m: m.__name__)
def test_who_follows_the_page_knows_nothing_of_runferry(module: ModuleType) -> None:
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)]
    named = {alias.name for node in imports for alias in node.names}
    of = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in named | of if name and name.partition(".")[0] == "runferry"]


# --- who has read nothing else reads every run ----------------------------------------------------


def test_a_reader_of_the_page_finds_equal_runs(archive: Archive) -> None:
    found = {run.commit["uid"]: as_read(run) for run in archive_reader.runs(archive.path)}
    assert len(found) > 15
    for stated in archive.records():
        ours = as_held(archive.chunks(stated))
        theirs = found.pop(stated.run.uid)
        for part, content in ours.items():
            assert theirs[part] == content, (stated.run.key, part)
        assert theirs.keys() == ours.keys()
    assert not found


def test_a_reader_of_the_page_finds_equal_digests(archive: Archive) -> None:
    for run in archive_reader.runs(archive.path):
        assert run.digest() == run.commit["digest"], run.commit["run"]["key"]
        assert run.sums() == run.commit["sums"], run.commit["run"]["key"]


def test_what_no_commit_names_is_nobodys(tmp_path: Path) -> None:
    grown = Recording(header("grown"))
    grown.log({"loss": 1.0}, step=0)
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull_from(record([grown.sample()], tmp_path / "origin"), archive)
    grown.log({"loss": 0.5}, step=1)
    pull_from(record([grown.sample()], tmp_path / "origin"), archive)
    (run,) = archive_reader.runs(archive.path)
    (segment, *_) = run.commit["segments"]
    path = archive.path / segment["path"]
    path.with_name("points-9-abcdef.parquet").write_bytes(path.read_bytes())
    (again,) = archive_reader.runs(archive.path)
    assert [row["value"] for row in again.rows("points")] == [1.0, 0.5]
    assert again.digest() == next(archive.records()).digest


def test_what_is_written_by_the_page_is_an_archive(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    written = {archive_writer.write_run(root, name, [1.0, -0.0], b"n") for name in ("a", "b")}
    archive = Archive.open(root)
    found = {record.run.uid: record for record in archive.records()}
    assert found.keys() == written
    for run in archive_reader.runs(root):
        record = found[Uid(run.commit["uid"])]
        archive.check(record)
        assert archive.is_whole(record)
        assert as_read(run) == as_held(archive.chunks(record))
    query = "SELECT run_id, count(*), min(value) FROM points JOIN runs USING (uid) GROUP BY 1"
    assert sorted(archive.sql().sql(query).fetchall()) == [("a", 2, 0.0), ("b", 2, 0.0)]
    # a pull of it into an archive of ours states the same digests
    ours = Archive.open(tmp_path / "ours", create=True, reserve=0)
    for record in found.values():
        with ours.draft(record.run) as draft:
            for chunk in archive.chunks(record):
                draft.put(chunk)
            assert draft.commit().digest == record.digest


def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text('{"format": "runferry-archive", "version": 1}')
    with pytest.raises(ValueError, match="no archive of version 2"):
        list(archive_reader.runs(tmp_path))


# --- both as plain values -------------------------------------------------------------------------


def exact(value: Any) -> Any:
    """Equal only when every bit of every number is."""
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    return struct.pack("<d", value) if isinstance(value, float) else (type(value).__name__, value)


def as_read(run: ArchivedRun) -> dict[str, Any]:
    """What the reader of the page finds."""
    rows = {name: run.rows(name) for name in ROW_TABLES}
    for row in rows["media"]:
        row["bytes"] = run.blob(row)
    files = [{**row, "bytes": run.blob(row)} for row in run.statements("files")]
    artifacts = run.statements("artifacts")
    for artifact in artifacts:
        artifact["entries"] = [{**entry, "bytes": run.blob(entry)} for entry in artifact["entries"]]
        artifact["metadata"] = _tree(artifact.get("metadata"))
    documents = run.statements("documents")
    for document in documents:
        document["body"] = _tree(document["body"])
    return {
        "header": exact(run.header),
        "attributes": {at: exact(value) for at, value in run.attributes.items()},
        "series": exact(run.statements("series")),
        "rows": {name: in_any_order(found) for name, found in rows.items()},
        "files": in_any_order(files),
        "artifacts": in_any_order(artifacts),
        "documents": in_any_order(documents),
        "losses": run.commit["losses"],
    }


def _tree(text: str | None) -> Any:
    return None if text is None else archive_reader.untagged(json.loads(text))


def in_any_order(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Rows without their nulls; what was logged at once has no order."""
    return sorted(
        repr(exact({name: row[name] for name in sorted(row) if row[name] is not None}))
        for row in rows
    )


def as_held(content: Iterable[chunks.Chunk]) -> dict[str, Any]:
    """What runferry says of the same run."""
    held: dict[str, Any] = {"attributes": {}, "series": [], "losses": []}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ROW_TABLES}
    things: dict[str, list[dict[str, Any]]] = {"files": [], "artifacts": [], "documents": []}
    for chunk in content:
        match chunk:
            case chunks.Header(run):
                held["header"] = exact(_header(run))
            case chunks.Attributes(items):
                held["attributes"] = {(i.role, i.path): exact(i.value) for i in items}
            case chunks.SeriesFacts(items):
                held["series"] = [exact(_facts(asdict(item))) for item in items]
            case chunks.Points() | chunks.Texts() | chunks.Histograms() | chunks.Console():
                table = type(chunk).__name__.lower()
                rows[table] += _rows(conform(chunk.batch, ROW_SCHEMAS[table]))
            case chunks.Media(items):
                of = zip(_rows(media_batch(items)), items, strict=True)
                rows["media"] += [{**row, "bytes": bytes_of(item.blob)} for row, item in of]
            case chunks.Raw():
                rows["raw"].append(asdict(chunk))
            case chunks.File(path, role, blob):
                things["files"].append({"path": path, "role": role, **_blob(blob)})
            case chunks.Artifact():
                entries = [
                    {"path": e.path, "reference": e.reference, "digest": e.digest, **_blob(e.blob)}
                    for e in chunk.entries
                ]
                stated = {spec.name: getattr(chunk, spec.name) for spec in fields(chunk)}
                dense = [{k: v for k, v in entry.items() if v is not None} for entry in entries]
                for entry, plain in zip(dense, entries, strict=True):
                    entry["bytes"] = plain["bytes"]
                things["artifacts"].append({**stated, "entries": dense})
            case chunks.Document(kind, name, body):
                things["documents"].append({"kind": kind, "name": name, "body": body})
            case chunks.Lost(loss):
                parts = [loss.code, loss.fate.label, loss.where, loss.count, loss.detail]
                held["losses"].append(parts)
    held["rows"] = {name: in_any_order(found) for name, found in rows.items()}
    return held | {name: in_any_order(found) for name, found in things.items()}


def _header(run: Run) -> dict[str, Any]:
    defaults = {spec.name: spec.default for spec in fields(Run)}
    stated = {
        name: value
        for name, value in asdict(run).items()
        if value != defaults[name] and value not in ({}, ())
    }
    return stated | {"key": [run.key.tracker, run.key.scope, run.key.run_id]}


def _facts(series: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in series.items() if value is not None and name != "counts"}


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    table = pa.Table.from_batches([batch])
    at = table.column_names.index("time")
    return list(table.set_column(at, "time", table["time"].cast(pa.int64())).to_pylist())


def _blob(blob: Blob) -> dict[str, Any]:
    return {
        "sha256": blob.sha256,
        "size": blob.size,
        "mime": blob.media_type,
        "present": not blob.is_missing,
        "bytes": bytes_of(blob),
    }
