"""Runs of TensorBoard that grow while they are brought to another folder again and again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.util import tensor_util
from tensorboardX.record_writer import RecordWriter

from runferry.archive.store import Archive
from runferry.ports import Location, ReadOptions
from runferry.readers.tensorboard import TensorboardReader
from runferry.testing.content import Content
from runferry.transfer.convert import convert

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
