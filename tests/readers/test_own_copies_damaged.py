"""Whatever file of an exact copy is damaged, what was made of it is read instead, and told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from tests.transfer.roads import archive_of

from runferry import chunks
from runferry.archive.store import Archive
from runferry.dialects.plain_folder import sums
from runferry.losses import Fate, Loss
from runferry.model import Address, ArtifactEntry, Blob, MediaItem
from runferry.ports import Location, ReadOptions
from runferry.readers.plain_folder import exact_copy
from runferry.registry import reader
from runferry.testing.content import Content
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.transfer.pull import pull
from runferry.transfer.push import push

BYTES: dict[str, set[str]] = {
    "aim": set(),
    "swanlab": {"step50-row50.png", "train.py", "model.bin"},
    "clearml": {"step50-row50.png", "train.py", "model.bin"},
    "trackio": {"step50-row50.png"},
    "neptune": {"step50-row50.png", "train.py", "model.bin"},
}
"""What each tracker has of the bytes by itself."""


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = b"\xff\xfe\xfd\xfc"
    path.write_bytes(content)


DAMAGES: tuple[Callable[[Path], None], ...] = (_cut, _garbled, Path.unlink)


def _sample() -> Sample:
    """Every table and listing that a copy may have."""
    run = Recording(header("all of it"))
    run.attributes("config", {"lr": 0.1, "layers": [1, 2]})
    picture = Blob.from_bytes(b"\x89PNG\r\n\x1a\n not really", "image/png")
    for step in range(50):
        run.log(
            {"loss": 1 / (step + 1), "note": f"step {step}"}, step=step, time_ns=START_NS + step
        )
    run.log({"pictures": MediaItem("", Address(0), "image", picture)}, step=50, time_ns=START_NS)
    run.console([("stdout", "a line\n", START_NS), ("stderr", "another\n", START_NS + 1)])
    run.put(chunks.File("code/train.py", "source", Blob.from_bytes(b"print('hi')\n")))
    entries = (ArtifactEntry("model.bin", Blob.from_bytes(b"weights of a model")),)
    run.put(chunks.Artifact("model", "model", "produced", version="v0", entries=entries))
    run.put(chunks.Document("sweep", "sweep-1", {"method": "bayes"}))
    run.put(chunks.Raw("telemetry", "unknown record", b"\x0a\x03abc"))
    return run.sample()


@dataclass(frozen=True)
class Place:
    """A destination with one run."""

    where: Location
    copy: Path

    def read(self) -> tuple[dict[str, Any], list[Loss]]:
        """What is there but for the header, and what was told of the copy."""
        source = reader(self.where.tracker).open(self.where, ReadOptions())
        (run,) = source.runs()
        content = Content.of(source.read(run))
        source.close()
        told = [loss for loss in content.losses if loss.code == "damaged-copy"]
        content.losses = [loss for loss in content.losses if loss.code != "damaged-copy"]
        return content.comparable() | {"header": None}, told

    def files(self, *, of_blobs: bool) -> Iterator[Path]:
        for path in sorted(self.copy.rglob("*")):
            if path.is_file() and (path.parent != self.copy) == of_blobs:
                yield path


@pytest.fixture(params=BYTES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    tracker = request.param
    if tracker == "aim":
        pytest.importorskip("aim", reason="aim is not installed")
    where = Location(tracker, str(tmp_path / ("out.db" if tracker == "trackio" else "out")))
    assert not push(archive_of([_sample()], tmp_path / "before"), where).failures
    (said,) = (path for path in tmp_path.rglob("run.json") if "before" not in path.parts)
    return Place(where, said.parent)


def test_a_damaged_file_of_a_copy_gives_what_the_tracker_has_and_tells_it(
    place: Place, tmp_path: Path
) -> None:
    exact, told = place.read()
    assert not told
    (store,) = (it for it in (place.copy, *place.copy.parents) if it.name == "runferry")
    store.rename(tmp_path / "aside")
    trackers, _ = place.read()
    (tmp_path / "aside").rename(store)
    assert trackers != exact

    names = set()
    for path in place.files(of_blobs=False):
        names.add(path.name)
        whole = path.read_bytes()
        for damage in DAMAGES:
            damage(path)
            found, told = place.read()
            assert found == trackers, (path, damage)
            assert [(loss.fate, loss.count) for loss in told] == [(Fate.DROPPED, 1)], path
            path.write_bytes(whole)
    assert names >= {
        "run.json", "SHA256SUMS", "points.parquet", "texts.parquet", "media.parquet",
        "console.parquet", "raw.parquet", "attributes.jsonl", "series.jsonl", "files.jsonl",
        "artifacts.jsonl", "documents.jsonl",
    }  # fmt: skip
    assert place.read() == (exact, [])


def test_sums_that_lost_a_line_or_a_file_that_has_none_are_damage(place: Place) -> None:
    """Else a file that was changed would be read as the exact one."""
    exact, _ = place.read()
    file = place.copy / "SHA256SUMS"
    lines = file.read_text().splitlines(keepends=True)
    for kept in (*(lines[:n] for n in range(len(lines))), [*lines[:-1], lines[-1][:-3]]):
        file.write_text("".join(kept))
        found, (told,) = place.read()
        assert (found != exact, told.fate) == (True, Fate.DROPPED)
        assert "cut or missing" in told.detail
    for line in lines:
        name = line.split("  ")[1].strip()
        file.write_text("".join(other for other in lines if other != line))
        found, told_of = place.read()
        if "/" in name:  # bytes that nobody vouches for
            assert "missing-blob" in str(found["losses"])
        else:
            assert [told.fate for told in told_of] == [Fate.DROPPED], name
    file.write_text("".join(lines))
    assert place.read() == (exact, [])


def test_a_damaged_table_is_told_before_the_bytes_of_media_are_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    digest_at = sums._digest_at

    def noted(path: Path | None) -> str | None:
        asked.append(str(path))
        return digest_at(path)

    monkeypatch.setattr(sums, "_digest_at", noted)
    _cut(place.copy / "points.parquet")
    assert place.read()[1]
    blobs = {str(path) for path in place.files(of_blobs=True)}
    assert asked
    assert blobs.isdisjoint(asked)


def test_bytes_of_a_copy_are_looked_at_when_their_turn_comes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then what takes them reads them from memory, and not from the disk again."""
    asked: list[str] = []
    digest_at = sums._digest_at

    def noted(path: Path | None) -> str | None:
        asked.append("" if path is None else path.name)
        return digest_at(path)

    monkeypatch.setattr(sums, "_digest_at", noted)
    source = reader(place.where.tracker).open(place.where, ReadOptions())
    (run,) = source.runs()
    blobs = [path.name for path in place.files(of_blobs=True)]
    turns = []
    for chunk in source.read(run):
        if isinstance(chunk, chunks.Points | chunks.Media | chunks.File | chunks.Artifact):
            turns.append((type(chunk).__name__, [name for name in asked if name in blobs]))
    source.close()
    picture, code, model = "step50-row50.png", "train.py", "model.bin"
    assert turns == [
        ("Points", []),
        ("Media", [picture]),
        ("File", [picture, code]),
        ("Artifact", [picture, code, model]),
    ]


def test_bytes_that_an_archive_has_are_not_read_of_a_copy_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive.open(tmp_path / "after", create=True, reserve=0)
    opened: list[str] = []
    blob_at = exact_copy.blob_at

    def noted(path: Path, media_type: str | None = None, sha256: str | None = None) -> Blob:
        def open_() -> BinaryIO:
            opened.append(path.name)
            return path.open("rb")

        return replace(blob_at(path, media_type, sha256), open=open_)

    monkeypatch.setattr(exact_copy, "blob_at", noted)
    for times in (1, 0):
        opened.clear()
        pull(place.where, archive, reserve_bytes=0)
        (record,) = archive.records()
        assert sorted(opened) == ["model.bin", "step50-row50.png", "train.py"] * times
        archive.remove(record.run.uid)


def test_the_sums_are_those_that_sha256sum_checks(place: Place) -> None:
    content = (place.copy / "SHA256SUMS").read_bytes()
    assert b"\r" not in content
    for line in content.decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((place.copy / name).read_bytes()).hexdigest() == digest


def test_a_copy_of_an_earlier_version_says_so_and_the_next_push_writes_it_anew(
    place: Place, tmp_path: Path
) -> None:
    """It has no sums, and one for SwanLab does not say in which project it is shown."""
    exact, _ = place.read()
    if place.where.tracker == "swanlab":
        note = place.copy / "shown.json"
        said = json.loads(note.read_bytes())
        note.write_text(json.dumps({name: said[name] for name in ("folder", "log", "size")}))
        _is_mended(place, tmp_path, exact, "shown.json has no 'project', as one of an earlier ")
    (place.copy / "SHA256SUMS").unlink()
    _is_mended(place, tmp_path, exact, "it has no SHA256SUMS, as one of an earlier runferry ")


def _is_mended(place: Place, tmp_path: Path, exact: dict[str, Any], why: str) -> None:
    (told,) = place.read()[1]
    assert why in told.detail
    assert "(runferry push ARCHIVE DESTINATION --restart)" in told.detail
    (again,) = push(Archive.open(tmp_path / "before" / "archive"), place.where).outcomes
    assert again.status not in ("unchanged", "failed")
    assert place.read() == (exact, [])


def test_damaged_bytes_of_a_copy_are_those_that_the_tracker_has(place: Place) -> None:
    exact, _ = place.read()
    held, lost = set(), set()
    for path in place.files(of_blobs=True):
        whole = path.read_bytes()
        path.unlink()  # it is a link to what the tracker has, until it is copied elsewhere
        path.write_bytes(whole)
        for damage in DAMAGES:
            damage(path)
            found, told = place.read()
            if told:
                assert found == exact, (path, damage)
                assert [loss.fate for loss in told] == [Fate.KEPT]
                held.add(path.name)
            else:  # the tracker has no place for them
                (gone,) = (it for it in found["losses"] if it not in exact["losses"])
                assert "missing-blob" in gone
                assert found["rows"] == exact["rows"]
                lost.add(path.name)
            path.write_bytes(whole)
    assert held == BYTES[place.where.tracker]
    assert lost == {"step50-row50.png", "train.py", "model.bin"} - held
