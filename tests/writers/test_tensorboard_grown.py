"""Runs of TensorBoard that grow while they are brought to another folder again and again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.util import tensor_util
from tensorboardX.record_writer import RecordWriter

from runferry import _native
from runferry.archive.store import Archive
from runferry.chunks import File
from runferry.ports import Location, ReadOptions
from runferry.readers.tensorboard import TensorboardReader
from runferry.testing.content import Content
from runferry.transfer.convert import convert
from runferry.transfer.pull import pull

START = 1_700_000_000.0


def experiment() -> summary_pb2.Summary:
    return hparams.hparams_config_pb(hparams=[hparams.HParam("lr")], metrics=[])


def layout() -> summary_pb2.Summary:
    made = layout_pb2.Layout()
    made.category.add(title="losses").chart.add(title="both").multiline.tag.append("loss.*")
    tensor = tensor_util.make_tensor_proto(made.SerializeToString())
    value = summary_pb2.Summary.Value(tag="custom_scalars__config__", tensor=tensor)
    value.metadata.plugin_data.plugin_name = "custom_scalars"
    return summary_pb2.Summary(value=[value])


def appended(path: Path, *summaries: summary_pb2.Summary) -> None:
    writer = RecordWriter(str(path.with_suffix(".part")))
    for step, summary in enumerate(summaries):
        event = event_pb2.Event(wall_time=START + step, step=step, summary=summary)
        writer.write(event.SerializeToString())
    writer.close()
    with path.open("ab") as file:
        file.write(path.with_suffix(".part").read_bytes())
    path.with_suffix(".part").unlink()


def loss(value: float) -> summary_pb2.Summary:
    return summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag="loss", simple_value=value)])


@pytest.mark.parametrize("document", [experiment(), layout()], ids=["experiment", "layout"])
def test_a_document_is_there_once_however_often_a_run_has_grown(
    tmp_path: Path, document: summary_pb2.Summary
) -> None:
    path = tmp_path / "live" / "run" / "events.out.tfevents.1700000000.host"
    path.parent.mkdir(parents=True)
    here, there = (Location("tensorboard", str(tmp_path / name)) for name in ("live", "shown"))
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    appended(path, document, loss(1.0))
    for growth in range(3):
        appended(path, loss(growth / 2))
        converted = convert(here, there, archive)
        assert converted.exit_code == 0, converted
    reader = TensorboardReader.open(there, ReadOptions())
    (run,) = reader.runs()
    assert len(Content.of(reader.read(run)).things) == 1


def grown(tmp_path: Path, turns: int) -> Iterator[Path]:
    """The event file that a run was brought to, each time that it has grown."""
    path = tmp_path / "live" / "run" / "events.out.tfevents.1700000000.host"
    path.parent.mkdir(parents=True)
    here, there = (Location("tensorboard", str(tmp_path / name)) for name in ("live", "shown"))
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    (path.parent / "projector_config.pbtxt").write_text('embeddings { tensor_path: "t.tsv" }')
    (path.parent / "t.tsv").write_text("1\t2\n")
    (path.parent / "hparams.yaml").write_text("depth: 3\n")
    appended(path, layout(), loss(1.0))
    for turn in range(turns):
        appended(path, loss(turn / 2))
        converted = convert(here, there, archive)
        assert converted.exit_code == 0, converted
        (shown,) = (tmp_path / "shown").rglob("events.out.*")
        yield shown


def test_what_a_run_states_again_is_stored_once_however_often_it_has_grown(
    tmp_path: Path,
) -> None:
    stated = [f"runferry/{kind}" for kind in ("file", "document", "series", "all-attributes")]
    stored = {"runferry/file": 2, "runferry/document": 1}
    written: list[tuple[int, int]] = []
    for shown in grown(tmp_path, 4):
        marks = _native.EventMarks(shown, stated).marks
        count = Counter(tag for tag, _, content in marks if content is not None)
        assert count == {**dict.fromkeys(stated, 1), **stored}
        bytes_beside = (shown.parent / "runferry_files").iterdir()
        written.append((shown.stat().st_size, sum(file.stat().st_ino for file in bytes_beside)))
    assert len({inodes for _, inodes in written}) == 1
    (run,) = (reader := TensorboardReader.open(there_of(tmp_path), ReadOptions())).runs()
    content = Content.of(reader.read(run))
    assert sorted(content.files) == ["projector_config.pbtxt", "t.tsv"]
    assert len(content.things) == 1


def test_what_a_run_states_otherwise_is_stored_again_and_the_last_word_counts(
    tmp_path: Path,
) -> None:
    table = tmp_path / "live" / "run" / "t.tsv"
    for turn, _ in enumerate(grown(tmp_path, 4)):
        table.write_text("3\t4\n" if turn % 2 else "1\t2\n1\t2\n")
        os.utime(table, ns=(0, turn))
    (run,) = (reader := TensorboardReader.open(there_of(tmp_path), ReadOptions())).runs()
    (file,) = (
        chunk for chunk in reader.read(run) if isinstance(chunk, File) and chunk.path == "t.tsv"
    )
    assert file.blob.open is not None
    with file.blob.open() as source:
        assert source.read() == b"1\t2\n1\t2\n"


def test_an_end_that_is_whole_by_the_next_push_is_no_loss_of_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "live" / "run" / "events.out.tfevents.1700000000.host"
    path.parent.mkdir(parents=True)
    here, there = (Location("tensorboard", str(tmp_path / name)) for name in ("live", "shown"))
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    kept = Archive.open(tmp_path / "kept", create=True, reserve=0)
    appended(path, *(loss(turn / 2) for turn in range(6)))
    content = path.read_bytes()
    for share in (3, 2, 1):
        path.write_bytes(content[: len(content) // share - 7 * (share > 1)])
        assert convert(here, there, archive).exit_code == 0
        assert not pull(there, kept, reserve_bytes=0).failures
        (theirs,), (ours,) = archive.records(), kept.records()
        assert [one.code for one in ours.losses] == [one.code for one in theirs.losses]
        assert len(ours.losses) == (share > 1)


def there_of(tmp_path: Path) -> Location:
    return Location("tensorboard", str(tmp_path / "shown"))
