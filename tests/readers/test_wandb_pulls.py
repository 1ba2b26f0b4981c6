"""However records are cut into batches and pulls, a run is the same as from one clean pull."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import (
    config_record,
    environment_record,
    exit_record,
    folder_with,
    framed,
    history_record,
    line_record,
    opened,
    pulled,
    run_record,
    stats_record,
    summary_record,
)

from runferry import tables
from runferry.archive.store import Archive
from runferry.chunks import Chunk
from runferry.losses import Fate
from runferry.model import Cursor, Series
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb import reading
from runferry.testing.content import Content
from runferry.testing.reference import ReferenceReader, ReferenceWriter
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive

Records = Sequence[pb.Record | bytes]

NAMES = st.sampled_from(["a", "b", "_wandb"])
PATHS = st.lists(NAMES, min_size=1, max_size=3)
VALUES = st.sampled_from([1, "x", {}, {"a": 1, "b": {"a": 2}}, [1], {"_type": "new"}, float("nan")])


def item_record(
    kind: str, updates: Sequence[tuple[list[str], object]], removed: Sequence[list[str]]
) -> pb.Record:
    record = pb.Record()
    message = getattr(record, kind)
    message.SetInParent()
    for path, value in updates:
        message.update.add(nested_key=path, value_json=json.dumps(value))
    for path in removed:
        message.remove.add(nested_key=path)
    return record


def telemetry(version: str) -> pb.Record:
    record = pb.Record()
    record.telemetry.cli_version = version
    return record


def definition(name: str, axis: str) -> pb.Record:
    record = pb.Record()
    record.metric.name, record.metric.step_metric = name, axis
    return record


def environment(host: str) -> pb.Record:
    return environment_record(1_600_000_000, 123_456_789, host=host)


def one_of_many() -> st.SearchStrategy[pb.Record]:
    items = st.lists(st.tuples(PATHS, VALUES), max_size=3)
    changes = st.builds(item_record, st.sampled_from(["config", "summary"]), items, st.just(()))
    removals = st.builds(
        item_record,
        st.sampled_from(["config", "summary"]),
        st.just(()),
        st.lists(PATHS, max_size=2),
    )
    return st.one_of(
        changes,
        removals,
        st.builds(telemetry, NAMES),
        st.builds(definition, NAMES, NAMES),
        st.builds(environment, NAMES),
        st.builds(lambda tags, notes: run_record("r1", tags=tags, notes=notes), PATHS, NAMES),
        st.builds(lambda step, value: history_record(step, a=value), st.integers(0, 3), VALUES),
        st.builds(lambda: line_record("line\n")),
    )


def read(path: Path, cursor: Cursor | None) -> tuple[list[Chunk], Cursor]:
    reader = opened(path)
    (run,) = reader.runs()
    found = list(reader.read(run, cursor))
    known: dict[str, Series] = {s.key: s for s in (cursor.series if cursor else ())}
    for chunk in found:
        known.update((s.key, s) for s in getattr(chunk, "items", ()) if isinstance(s, Series))
    position = tables.loads(tables.dumps(found[-1].position))  # type: ignore[union-attr]
    return found, Cursor(position, tuple(known.values()))


@settings(max_examples=60)
@given(st.lists(one_of_many(), max_size=12), st.data())
def test_any_cut_into_pulls_and_batches_gives_what_one_pull_gives(
    records: list[pb.Record], draw: st.DataObject
) -> None:
    every: list[pb.Record] = [run_record("r1", project="p"), *records, exit_record(0, 5)]
    cuts = draw.draw(st.sets(st.integers(1, len(every))))
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        file = Path(home, "run-r1.wandb")
        file.write_bytes(framed(every))
        clean, _ = read(file, None)
        found: list[Chunk] = []
        cursor: Cursor | None = None
        patch.setattr(reading, "BATCH_ROWS", draw.draw(st.sampled_from([1, 2, 65_536])))
        for cut in sorted(cuts | {len(every)}):
            file.write_bytes(framed(every[:cut]))
            more, cursor = read(file, cursor)
            found += more
    assert Content.of(found).comparable() == Content.of(clean).comparable()


def test_any_cut_into_batches_gives_the_same_attributes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: Records = [
        run_record("r1", project="p"),
        config_record(lr=0.1, opt={"name": "sgd"}),
        history_record(0, a=1),
        history_record(1, a=2),
        item_record("config", [(["opt"], "adam")], [["lr"]]),
        history_record(2, a=3),
    ]
    file = tmp_path / "run-r1.wandb"
    file.write_bytes(framed(records))
    contents = []
    for rows in (1, 2, 65_536):
        monkeypatch.setattr(reading, "BATCH_ROWS", rows)
        contents.append(Content.of(read(file, None)[0]))
    assert contents[0].attributes == contents[1].attributes == contents[2].attributes
    config = {path: v for (role, path), v in contents[0].attributes.items() if role == "config"}
    assert config == {("opt",): '"adam"'}


@pytest.mark.parametrize(
    ("producer", "lost"),
    [("0.16.6", True), ("0.17.9", True), ("0.17.9+0123abc", False), ("0.31.0+0123abc", False)],
)
def test_mappings_in_config_are_merged_if_the_backend_did(
    tmp_path: Path, producer: str, lost: bool
) -> None:
    header = pb.Record()
    header.header.version_info.producer = producer
    records: Records = [
        header,
        run_record("r1", project="p"),
        item_record("config", [(["_wandb", "visualize"], {"a": 1})], []),
        config_record(opt={"name": "adam", "lr": 1, "deep": {"x": 1}}),
        config_record(opt={"lr": 2, "deep": {"y": 1}}, _wandb={"code_path": "c"}),
    ]
    folder_with(tmp_path / "source", records)
    (record,) = pulled(tmp_path / "source", tmp_path / "archive").records()
    told = {item.path: item.value for item in record.attributes}
    assert told[("opt", "lr")] == 2
    assert told[("opt", "deep", "y")] == 1
    assert (("opt", "name") not in told) == lost
    assert (("opt", "deep", "x") not in told) == lost
    assert told[("_wandb", "visualize", "a")] == 1, "what W&B keeps for itself is only added to"


def test_what_a_later_pull_finds_removed_is_gone_from_the_archive(tmp_path: Path) -> None:
    first: Records = [
        run_record("r1", project="p"),
        config_record(lr=0.1, opt={"name": "sgd"}),
        summary_record(best=5, x=1),
        history_record(0, a=1),
    ]
    later: Records = [
        item_record("config", [(["opt"], "adam")], [["lr"]]),
        item_record("summary", [(["x"], {"y": 2})], [["best"]]),
    ]
    folder = folder_with(tmp_path / "source", first)
    grown = pulled(tmp_path / "source", tmp_path / "grown")
    (folder / "run-r1.wandb").write_bytes(framed([*first, *later]))
    grown = pulled(tmp_path / "source", tmp_path / "grown")
    assert kept(grown) == kept(pulled(tmp_path / "source", tmp_path / "clean"))
    (record,) = grown.records()
    told = {item.path: item.value for item in record.attributes if item.role != "environment"}
    assert told == {("opt",): "adam", ("x", "y"): 2}


@pytest.mark.parametrize(
    ("tracker", "place"),
    [("mlflow", "sqlite:///{}/m.db"), ("archive", "{}/a"), ("reference", "{}/r")],
)
def test_what_is_removed_is_gone_from_destinations(
    tmp_path: Path, tracker: str, place: str
) -> None:
    first: Records = [
        run_record("r1", project="p"),
        config_record(lr=0.1, opt={"name": "sgd"}),
        history_record(0, a=1),
    ]
    later: Records = [item_record("config", [(["opt"], "adam")], [["lr"]]), history_record(1, a=2)]
    folder = folder_with(tmp_path / "source", first)
    there = Location(tracker, place.format(tmp_path))
    for records in (first, [*first, *later]):
        (folder / "run-r1.wandb").write_bytes(framed(records))
        archive = pulled(tmp_path / "source", tmp_path / "archive")
        report = push(archive, there, open_writer=writer_of(there))
        assert not report.failures, report.failures
        assert verify_archive(archive, there, open_reader=reader_of(there)).is_clean


def writer_of(there: Location) -> Any:
    return (lambda: ReferenceWriter.open(there)) if there.tracker == "reference" else None


def reader_of(there: Location) -> Any:
    if there.tracker != "reference":
        return None
    return lambda: ReferenceReader.open(there, ReadOptions())


# --- through the archive --------------------------------------------------------------------------


def kept(archive: Archive) -> dict[str, Any]:
    """All that an archive holds, and the digest of each run."""
    return {
        record.run.key.run_id: (record.digest, Content.of(archive.chunks(record)).comparable())
        for record in archive.records()
    }


def a_bit_of_everything() -> list[pb.Record]:
    image = {"_type": "image-file", "path": "media/images/a.png"}
    histogram = {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}
    records = [
        run_record("r1", project="p", tags=["t"]),
        config_record(lr=0.1, opt={"name": "sgd"}),
        telemetry("0.1"),
        environment("h"),
        definition("loss", "epoch"),
    ]
    for step in range(3):
        records.append(history_record(step, loss=step, image=image, histogram=histogram, note="n"))
        records.append(stats_record(1_700_000_000 + step, cpu=step))
        records.append(summary_record(loss=step, best={"step": step}))
        records.append(line_record(f"{step}\n"))
    records.append(item_record("config", [(["opt"], "adam")], [["lr"]]))
    records.append(item_record("summary", [(["best"], 1)], [["loss"]]))
    return [*records, telemetry("0.2"), exit_record(0, 7)]


def test_a_file_grown_record_by_record_through_pulls_equals_one_clean_pull(tmp_path: Path) -> None:
    every = a_bit_of_everything()
    folder = folder_with(tmp_path / "source", every)
    (folder / "files" / "media" / "images").mkdir(parents=True)
    (folder / "files" / "media" / "images" / "a.png").write_bytes(b"png")
    (folder / "files" / "wandb-metadata.json").write_text('{"username": "u", "state": "running"}')
    (folder / "files" / "config.yaml").write_text("lr:\n  value: 9\nopt:\n  value: sgd\n")
    (folder / "files" / "output.log").write_text("from the log\n")
    clean = kept(pulled(tmp_path / "source", tmp_path / "clean"))
    for count in range(1, len(every) + 1):
        (folder / "run-r1.wandb").write_bytes(framed(every[:count]))
        grown = pulled(tmp_path / "source", tmp_path / "grown")
    assert kept(grown) == clean
    (record,) = grown.records()
    assert not [loss for loss in record.losses if loss.fate > Fate.KEPT]


@pytest.mark.parametrize("is_other", [False, True], ids=["same path", "one of two"])
def test_a_medium_that_was_there_before_its_row_is_no_file_afterwards(
    is_other: bool, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    image = {"_type": "image-file", "path": "media/images/a.png"}
    every = [
        run_record("r1", project="p"),
        history_record(0, loss=1),
        history_record(1, loss=2, image=image),
        history_record(2, loss=3),
        exit_record(0, 7),
    ]
    folder = folder_with(source, every[:2])
    media = folder / "files" / "media" / "images"
    media.mkdir(parents=True)
    (media / "a.png").write_bytes(b"png")
    if is_other:
        (media / "of nobody.png").write_bytes(b"other")
    before = pulled(source, tmp_path / "grown")
    (record,) = before.records()
    files = {row["path"] for row in before.snapshot(record, "files")}
    assert "media/images/a.png" in files  # nothing may be lost of a run that never goes on
    for count in (3, 4, 5):
        (folder / "run-r1.wandb").write_bytes(framed(every[:count]))
        grown = pulled(source, tmp_path / "grown")
        assert kept(grown) == kept(pulled(source, tmp_path / f"clean {count}"))
    before_again = kept(grown)
    assert kept(pulled(source, tmp_path / "grown")) == before_again


def test_a_run_that_gains_resumed_folders_equals_one_clean_pull(tmp_path: Path) -> None:
    source = tmp_path / "source"
    grown = None
    for number in range(3):
        records = a_bit_of_everything()
        records[0] = run_record("r1", 1000 + number, project="p", resume=number > 0)
        folder = folder_with(source, records, when=f"2024010{number + 1}_000000")
        (folder / "files" / "model.pt").write_bytes(b"%d" % number)
        (folder / "files" / f"{number}.txt").write_text("x")
        (folder / "files" / "config.yaml").write_text(f"_wandb:\n  value: {{n: {number}}}\n")
        grown = pulled(source, tmp_path / "grown")
    assert grown is not None
    assert kept(grown) == kept(pulled(source, tmp_path / "clean"))
