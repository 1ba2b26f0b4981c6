"""Verify finds every difference there can be: one seeded fault for each table and column."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.transfer.roads import archive_of, push_to, verify_with

from runferry import chunks
from runferry.archive.store import Archive
from runferry.chunks import Chunk
from runferry.losses import Fate, Loss
from runferry.model import ArtifactEntry, Attribute, Blob
from runferry.ports import RemoteId
from runferry.testing.recording import Recording
from runferry.testing.reference import FaithfulWriter
from runferry.testing.samples import all_samples, header
from runferry.transfer.selection import Selection

Seed = Callable[[Chunk], "Chunk | None"]


def cell(kind: type[Any], column: str, change: Callable[[Any], Any]) -> Seed:
    """Change one cell of the first batch of a table that holds anything there."""

    def seed(chunk: Chunk) -> Chunk | None:
        if not isinstance(chunk, kind) or not chunk.batch.num_rows:
            return None
        index = chunk.batch.schema.get_field_index(column)
        values = chunk.batch.column(index)
        plain = (
            values.cast(values.type.value_type)
            if hasattr(values.type, "value_type") and pa.types.is_dictionary(values.type)
            else values
        )
        if pa.types.is_timestamp(plain.type):
            plain = plain.cast(pa.int64())
        cells = plain.to_pylist()
        place = next((i for i, value in enumerate(cells) if value is not None), None)
        if place is None:
            return None
        cells[place] = change(cells[place])
        changed = pa.array(cells, plain.type).cast(values.type)
        return replace(
            chunk, batch=chunk.batch.set_column(index, chunk.batch.schema.field(index), changed)
        )

    return seed


def item(kind: type[Any], change: Callable[[Any], Any]) -> Seed:
    def seed(chunk: Chunk) -> Chunk | None:
        if not isinstance(chunk, kind) or not chunk.items:
            return None
        return replace(chunk, items=(change(chunk.items[0]), *chunk.items[1:]))

    return seed


def whole(kind: type[Any], **changes: Any) -> Seed:
    def seed(chunk: Chunk) -> Chunk | None:
        if not isinstance(chunk, kind):
            return None
        changed = replace(chunk, **changes)
        return None if changed == chunk else changed

    return seed


def without_a_row(kind: type[Any]) -> Seed:
    def seed(chunk: Chunk) -> Chunk | None:
        if not isinstance(chunk, kind) or not chunk.batch.num_rows:
            return None
        return replace(chunk, batch=chunk.batch.slice(1))

    return seed


def one_bit(value: float) -> float:
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    (other,) = struct.unpack("<d", struct.pack("<q", bits ^ 1))
    return float(other)


def extra_attribute(chunk: Chunk) -> Chunk | None:
    if not isinstance(chunk, chunks.Attributes):
        return None
    return chunks.Attributes((*chunk.items, Attribute(("made up",), "config", 1)))


def other_kind(kind: str) -> str:
    return "bool" if kind != "bool" else "int"


SEEDS: dict[str, Seed] = {
    "points.value": cell(chunks.Points, "value", one_bit),
    "points.sign": cell(chunks.Points, "value", lambda v: -v),
    "points.nan": cell(chunks.Points, "value", lambda v: math.nan),
    "points.value_i64": cell(chunks.Points, "value_i64", lambda v: v + 1),
    "points.kind": cell(chunks.Points, "kind", other_kind),
    "points.step": cell(chunks.Points, "step", lambda v: v + 1),
    "points.step_frac": cell(chunks.Points, "step_frac", lambda v: v + 1),
    "points.time": cell(chunks.Points, "time", lambda v: v + 1),
    "points.time_ns": cell(chunks.Points, "time_ns", lambda v: (v + 1) % 1000),
    "points.row": without_a_row(chunks.Points),
    "texts.text": cell(chunks.Texts, "text", lambda v: v + "x"),
    "texts.form": cell(chunks.Texts, "form", lambda v: "json" if v == "text" else "text"),
    "texts.step": cell(chunks.Texts, "step", lambda v: v + 1),
    "texts.row": without_a_row(chunks.Texts),
    "histograms.edges": cell(chunks.Histograms, "edges", lambda v: [*v, 1.0]),
    "histograms.counts": cell(chunks.Histograms, "counts", lambda v: [x + 1 for x in v]),
    "histograms.counts_kind": cell(
        chunks.Histograms, "counts_kind", lambda v: "int" if v != "int" else "float64"
    ),
    "histograms.row": without_a_row(chunks.Histograms),
    "console.line": cell(chunks.Console, "line", lambda v: v + "x"),
    "console.stream": cell(
        chunks.Console, "stream", lambda v: "stderr" if v == "stdout" else "stdout"
    ),
    "console.row": without_a_row(chunks.Console),
    "media.bytes": item(chunks.Media, lambda i: replace(i, blob=Blob.from_bytes(b"other"))),
    "media.caption": item(chunks.Media, lambda i: replace(i, caption="other")),
    "media.metadata": item(chunks.Media, lambda i: replace(i, metadata={"other": 1})),
    "media.type": item(chunks.Media, lambda i: replace(i, media_type="molecule")),
    "media.step": item(chunks.Media, lambda i: replace(i, at=replace(i.at, step=987))),
    "attributes.value": item(chunks.Attributes, lambda a: replace(a, value="other")),
    "attributes.role": item(chunks.Attributes, lambda a: replace(a, role="other")),
    "attributes.path": item(chunks.Attributes, lambda a: replace(a, path=("other",), name="other")),
    "attributes.invented": extra_attribute,
    "series.goal": item(chunks.SeriesFacts, lambda s: replace(s, goal="maximize")),
    "series.stream": item(chunks.SeriesFacts, lambda s: replace(s, stream="system")),
    "series.path": item(chunks.SeriesFacts, lambda s: replace(s, path=("other", "path"))),
    "series.hidden": item(chunks.SeriesFacts, lambda s: replace(s, hidden=True)),
    "file.bytes": whole(chunks.File, blob=Blob.from_bytes(b"other")),
    "file.role": whole(chunks.File, role="other"),
    "file.path": whole(chunks.File, path="other"),
    "artifact.aliases": whole(chunks.Artifact, aliases=("other",)),
    "artifact.metadata": whole(chunks.Artifact, metadata={"other": 1}),
    "artifact.entries": whole(chunks.Artifact, entries=()),
    "artifact.name": whole(chunks.Artifact, name="other"),
    "document.body": whole(chunks.Document, body={"other": 1}),
    "raw.payload": whole(chunks.Raw, payload=b"other"),
    "raw.reason": whole(chunks.Raw, reason="other"),
}


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return archive_of(all_samples(keys=20), tmp_path_factory.mktemp("nasty"))


@pytest.mark.parametrize("name", SEEDS)
def test_each_seeded_difference_is_found(nasty: Archive, tmp_path: Path, name: str) -> None:
    seeded: list[str] = []
    touched = next(
        found.run.uid
        for found in nasty.records()
        if any(SEEDS[name](chunk) is not None for chunk in nasty.chunks(found))
    )
    only = Selection(run_ids=(touched,))

    class Seeding(FaithfulWriter):
        def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
            changed = None if seeded else SEEDS[name](chunk)
            if changed is not None:
                seeded.append(remote)
            super().append(remote, number, chunk if changed is None else changed)

    report = push_to(nasty, tmp_path / "there", Seeding, selection=only)
    assert [o.error for o in report.failures] == []
    assert seeded
    compared = verify_with(nasty, tmp_path / "there", selection=only)
    found = [run for run in compared.runs if not run.is_clean]
    assert len(found) == 1
    assert found[0].unexpected
    assert compared.exit_code == 1


def test_a_run_that_is_not_there_is_found(nasty: Archive, tmp_path: Path) -> None:
    push_to(nasty, tmp_path / "there")
    sorted((tmp_path / "there").glob("*.jsonl"))[0].unlink()
    compared = verify_with(nasty, tmp_path / "there")
    assert [loss.code for loss in compared.unexpected] == ["run"]


def test_what_is_clean_is_noted_and_not_read_again(nasty: Archive, tmp_path: Path) -> None:
    push_to(nasty, tmp_path / "there")
    assert verify_with(nasty, tmp_path / "there").is_clean
    assert verify_with(nasty, tmp_path / "there", stages=("sealed",)).runs == ()


def test_a_header_that_changed_is_found(tmp_path: Path) -> None:
    from tests.transfer.roads import Curve

    curve = Curve()
    archive = archive_of([curve.sample(3)], tmp_path)

    class Forgetful(FaithfulWriter):
        def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
            if isinstance(chunk, chunks.Header):
                chunk = chunks.Header(replace(chunk.run, ended_ns=5, tags=("x",)))
            super().append(remote, number, chunk)

        def seal(self, remote: RemoteId, run: Any) -> None:
            super().seal(remote, replace(run, ended_ns=5, tags=("x",)))

    push_to(archive, tmp_path / "there", Forgetful)
    unexpected = verify_with(archive, tmp_path / "there").runs[0].unexpected
    assert {(loss.code, loss.where) for loss in unexpected} == {
        ("header-times", "ended_ns"),
        ("header-field", "tags"),
    }


def versions(recording: Recording) -> Recording:
    """Offline versions of one artifact: they have ids, and no number yet."""
    for name in ("first", "second"):
        entries = (ArtifactEntry(f"{name}.bin", Blob.from_bytes(name.encode())),)
        recording.put(
            chunks.Artifact("model", "model", "produced", artifact_id=name, entries=entries)
        )
    return recording


@pytest.mark.parametrize("gone", ["first", "second"])
def test_versions_that_only_an_id_tells_apart_are_all_compared(tmp_path: Path, gone: str) -> None:
    archive = archive_of([versions(Recording(header("versions"))).sample()], tmp_path)

    class Losing(FaithfulWriter):
        def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
            if not isinstance(chunk, chunks.Artifact) or chunk.artifact_id != gone:
                super().append(remote, number, chunk)

    push_to(archive, tmp_path / "there", Losing)
    (loss,) = verify_with(archive, tmp_path / "there").runs[0].unexpected
    assert (loss.code, gone in loss.where) == ("artifact", True)


@pytest.mark.parametrize(
    "thing",
    [
        chunks.File("there.txt", "other", Blob.from_bytes(b"one")),
        chunks.Document("report", "there", {"a": 1}),
        chunks.Artifact("there", "data", "used"),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_there_twice_is_found(tmp_path: Path, thing: Any) -> None:
    archive = archive_of([Recording(header("once")).put(thing).sample()], tmp_path)

    class Doubling(FaithfulWriter):
        def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
            super().append(remote, number, chunk)
            if isinstance(chunk, type(thing)):
                super().append(remote, number, chunk)

    push_to(archive, tmp_path / "there", Doubling)
    (loss,) = verify_with(archive, tmp_path / "there").runs[0].unexpected
    assert (loss.code, "there" in loss.where) == ("invented", True)


def test_a_reader_does_not_excuse_itself_nor_does_the_source(tmp_path: Path) -> None:
    said = Loss("scalar", Fate.DROPPED, "loss", 5)
    recording = Recording(header("excuse")).put(chunks.Lost(said))
    archive = archive_of([recording.log({"loss": 1.0}, step=0, time_ns=0).sample()], tmp_path)

    class Losing(FaithfulWriter):
        def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
            if not isinstance(chunk, chunks.Points):
                super().append(remote, number, chunk)

    push_to(archive, tmp_path / "there", Losing)
    assert not verify_with(archive, tmp_path / "there").is_clean
