"""What came from TensorBoard goes back to it as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.mesh import metadata as mesh_metadata
from tensorboard.plugins.pr_curve import metadata as pr_metadata
from tensorboard.util import tensor_util
from tensorboard_shown import event_file, picture
from tensorboardX import SummaryWriter
from tensorboardX.record_writer import RecordWriter

from runferry import _native
from runferry.archive.store import Archive
from runferry.chunks import Raw
from runferry.ports import Location, ReadOptions
from runferry.readers.tensorboard import TensorboardReader
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive
from runferry.writers.tensorboard import TensorboardWriter

START = 1_700_000_000.0


def source(folder: Path) -> list[event_pb2.Event]:
    """Scalars, old and new histograms, curves, meshes, graphs, hparams and a layout."""
    values = [
        summary_pb2.Summary.Value(tag="loss", simple_value=0.1),
        described("double", tensor_util.make_tensor_proto(0.1, dtype=np.float64), "scalars"),
        old_histogram(),
        described(
            "curve/pr_curves",
            tensor_util.make_tensor_proto(np.arange(12, dtype=np.float32).reshape(6, 2) / 8),
            metadata=pr_metadata.create_summary_metadata("", "", num_thresholds=2),
        ),
        described(
            "shape_VERTEX",
            tensor_util.make_tensor_proto(np.ones((1, 3, 3), dtype=np.float32)),
            metadata=mesh_metadata.create_summary_metadata(
                "shape", "a shape", 1, 1, (1, 3, 3), json_config="{}"
            ),
        ),
        described("keras", tensor_util.make_tensor_proto(b'{"model": 1}'), "graph_keras_model"),
        described("custom_scalars__config__", layout(), "custom_scalars"),
        hparams(),
    ]
    events = [event_pb2.Event(wall_time=START, file_version="brain.Event:2")]
    for step, value in enumerate(values):
        summary = summary_pb2.Summary(value=[value])
        events.append(event_pb2.Event(wall_time=START + step, step=step, summary=summary))
    events.append(event_pb2.Event(wall_time=START, graph_def=b"\x0a\x03\x0a\x01a"))
    tagged = event_pb2.TaggedRunMetadata(tag="step_1", run_metadata=b"\x0a\x00")
    events.append(event_pb2.Event(wall_time=START, tagged_run_metadata=tagged))
    folder.mkdir(parents=True)
    writer = RecordWriter(str(folder / "events.out.tfevents.1700000000.host"))
    for event in events:
        writer.write(event.SerializeToString())
    writer.close()
    return events


def described(
    tag: str, tensor: Any, plugin: str = "", metadata: Any = None
) -> summary_pb2.Summary.Value:
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
    if metadata is not None:
        value.metadata.CopyFrom(metadata)
    else:
        value.metadata.plugin_data.plugin_name = plugin
    return value


def old_histogram() -> summary_pb2.Summary.Value:
    value = summary_pb2.Summary.Value(tag="weights")
    value.histo.min, value.histo.max, value.histo.num = -1.5, 2.5, 3
    value.histo.sum, value.histo.sum_squares = 0.1, 9.0
    value.histo.bucket_limit.extend([0.0, 1.0, 3.0])
    value.histo.bucket.extend([1, 0, 2])
    return value


def layout() -> Any:
    made = layout_pb2.Layout()
    chart = made.category.add(title="losses", closed=True).chart.add(title="both")
    chart.multiline.tag.append("loss.*")
    margin = made.category[0].chart.add(title="margin").margin.series.add()
    margin.value, margin.lower, margin.upper = "v", "l", "u"
    return tensor_util.make_tensor_proto(made.SerializeToString())


def hparams() -> summary_pb2.Summary.Value:
    experiment = api_pb2.Experiment(name="e", time_created_secs=1.5)
    info = experiment.hparam_infos.add(name="lr", type=api_pb2.DATA_TYPE_FLOAT64)
    info.domain_interval.min_value, info.domain_interval.max_value = 0.0, 1.0
    discrete = experiment.hparam_infos.add(name="opt", type=api_pb2.DATA_TYPE_STRING)
    discrete.domain_discrete.extend(["adam", "sgd"])
    experiment.metric_infos.add(display_name="L").name.tag = "loss"
    content = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    value = summary_pb2.Summary.Value(tag="_hparams_/experiment")
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = content.SerializeToString()
    return value


def ferried(source_at: Path, tmp_path: Path) -> Path:
    """Pulled, pushed and verified; the event file that came of it."""
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    here, there = (Location("tensorboard", str(p)) for p in (source_at, tmp_path / "logdir"))

    def reader(where: Location) -> TensorboardReader:
        return TensorboardReader.open(where, ReadOptions())

    pulled = pull(here, archive, reserve_bytes=0, open_reader=lambda: reader(here))
    assert not pulled.failures
    pushed = push(
        archive,
        there,
        open_writer=lambda: TensorboardWriter.open(there),
        open_reader=lambda: reader(there),
    )
    assert not pushed.failures, pushed.failures
    verified = verify_archive(
        archive, there, open_reader=lambda: reader(there), limits=TensorboardWriter.limits
    )
    assert verified.is_clean, [run.unexpected for run in verified.runs]
    (outcome,) = pushed.outcomes
    assert outcome.remote is not None
    return event_file(tmp_path / "logdir", outcome.remote)


def test_what_tensorboard_wrote_is_written_back(tmp_path: Path) -> None:
    sent = source(tmp_path / "source" / "run")
    path = ferried(tmp_path / "source", tmp_path)
    values: dict[str, summary_pb2.Summary.Value] = {}
    fields: dict[str, event_pb2.Event] = {}
    for event in LegacyEventFileLoader(str(path)).Load():
        fields[event.WhichOneof("what")] = event
        values.update((value.tag, value) for value in event.summary.value)
    given = {value.tag: value for event in sent for value in event.summary.value}
    assert values["loss"].simple_value == given["loss"].simple_value
    assert values["double"].simple_value == np.float32(0.1)
    assert values["weights"].histo == given["weights"].histo
    for tag in ("curve/pr_curves", "shape_VERTEX", "keras", "custom_scalars__config__"):
        mine, theirs = (tensor_util.make_ndarray(one[tag].tensor) for one in (values, given))
        assert mine.tolist() == theirs.tolist(), tag
        mine, theirs = (one[tag].metadata.plugin_data for one in (values, given))
        assert mine.plugin_name == theirs.plugin_name
        if tag == "shape_VERTEX":
            mine, theirs = (
                mesh_metadata.parse_plugin_metadata(one.content) for one in (mine, theirs)
            )
        assert mine == theirs, tag
    assert values["_hparams_/experiment"].metadata.plugin_data == (
        given["_hparams_/experiment"].metadata.plugin_data
    )
    assert fields["graph_def"].graph_def == b"\x0a\x03\x0a\x01a"
    tagged = fields["tagged_run_metadata"].tagged_run_metadata
    assert (tagged.tag, tagged.run_metadata) == ("step_1", b"\x0a\x00")


def test_descriptions_of_tags_are_written_back(tmp_path: Path) -> None:
    folder = tmp_path / "source" / "run"
    with SummaryWriter(str(folder)) as writer:
        writer.add_scalar("loss", 1.0, 0, display_name="The loss", summary_description="of it all")
    path = ferried(tmp_path / "source", tmp_path)
    (found,) = [
        value.metadata
        for event in LegacyEventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == "loss"
    ]
    assert (found.display_name, found.summary_description) == ("The loss", "of it all")
    assert ("loss", "scalars") in [
        (tag, name) for tag, name, _ in _native.EventMarks(path, []).tags
    ]


def test_data_classes_that_plugins_imply_are_written_back(tmp_path: Path) -> None:
    """Whether the source stated them or not."""
    scalar, tensor, blobs = (
        summary_pb2.DATA_CLASS_SCALAR,
        summary_pb2.DATA_CLASS_TENSOR,
        summary_pb2.DATA_CLASS_BLOB_SEQUENCE,
    )
    given = {"scalars": scalar, "text": tensor, "histograms": tensor, "mesh": tensor}
    contents = {
        "scalars": tensor_util.make_tensor_proto(0.5),
        "text": tensor_util.make_tensor_proto(b"word"),
        "histograms": tensor_util.make_tensor_proto(np.array([[0.0, 1.0, 2.0]])),
        "mesh": tensor_util.make_tensor_proto(np.ones((1, 3, 3), dtype=np.float32)),
        "images": tensor_util.make_tensor_proto([b"3", b"2", picture()]),
    }
    values = [described(plugin, tensor, plugin) for plugin, tensor in contents.items()]
    for value in values:
        value.metadata.data_class = given.get(value.tag, blobs)
    folder = tmp_path / "source" / "run"
    folder.mkdir(parents=True)
    writer = RecordWriter(str(folder / "events.out.tfevents.1700000000.host"))
    for value in values:
        summary = summary_pb2.Summary(value=[value])
        writer.write(event_pb2.Event(wall_time=START, summary=summary).SerializeToString())
    writer.close()
    path = ferried(tmp_path / "source", tmp_path)
    found = {
        value.tag: value.metadata.data_class
        for event in LegacyEventFileLoader(str(path)).Load()
        for value in event.summary.value
    }
    assert {tag: found[tag] for tag in contents} == {**given, "images": blobs}


def put(folder: Path, *events: event_pb2.Event) -> None:
    folder.mkdir(parents=True)
    writer = RecordWriter(str(folder / "events.out.tfevents.1700000000.host"))
    for event in events:
        writer.write(event.SerializeToString())
    writer.close()


def valued(step: int, value: summary_pb2.Summary.Value) -> event_pb2.Event:
    summary = summary_pb2.Summary(value=[value])
    return event_pb2.Event(wall_time=START + step, step=step, summary=summary)


def test_texts_are_shown_in_the_shape_that_they_had(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "plain": "a",
        "one": ["a"],
        "one of one": [["a"]],
        "row": ["a", '["b",1]'],
        "table": [["a", "b"], ["c", ""], ["\n", "\\"]],
        "deep": [[["a"]], [["b"]]],
        "json": '["a","b"]',
    }
    values = {
        tag: described(tag, tensor_util.make_tensor_proto(np.array(text, dtype=object)), "text")
        for tag, text in given.items()
    }
    events = [valued(step, value) for step, value in enumerate([*values.values()] * 2)]
    put(tmp_path / "source" / "run", *events)
    shown = [
        (value.tag, tensor_util.make_ndarray(value.tensor).tolist())
        for event in LegacyEventFileLoader(str(ferried(tmp_path / "source", tmp_path))).Load()
        for value in event.summary.value
        if value.tag in given
    ]
    sent = [(tag, tensor_util.make_ndarray(values[tag].tensor).tolist()) for tag in values]
    assert sorted(shown, key=repr) == sorted(sent * 2, key=repr)


def test_values_of_other_plugins_are_written_back_and_read_once(tmp_path: Path) -> None:
    odd = described("odd", tensor_util.make_tensor_proto([1.0, 2.0]), "somebody's")
    odd.metadata.plugin_data.content = b"theirs"
    bare = summary_pb2.Summary.Value(tag="odd", tensor=tensor_util.make_tensor_proto([3.0]))
    start = event_pb2.Event(step=0, wall_time=START)
    start.session_log.status = event_pb2.SessionLog.START
    loss = summary_pb2.Summary.Value(tag="loss", simple_value=0.5)
    events = [valued(1, loss), valued(2, odd), valued(3, bare), start]
    put(tmp_path / "source" / "run", *events)
    path = ferried(tmp_path / "source", tmp_path)
    shown = [
        event
        for event in LegacyEventFileLoader(str(path)).Load()
        if any(value.tag == "odd" for value in event.summary.value)
    ]
    for event in shown:
        event.DiscardUnknownFields()
    assert shown == events[1:3]
    found = [raws(tmp_path / name) for name in ("source", "logdir")]
    assert found[0] == found[1]
    assert [kind for kind, _, _ in found[0]] == ["somebody's", "somebody's", "session_log"]
    assert not any(
        event.HasField("session_log") for event in LegacyEventFileLoader(str(path)).Load()
    )
    assert path.read_bytes().count(b"theirs") == 1


def raws(folder: Path) -> list[tuple[str, bytes, int | None]]:
    reader = TensorboardReader.open(Location("tensorboard", str(folder)), ReadOptions())
    (run,) = reader.runs()
    return [
        (chunk.record_type, chunk.payload, chunk.seq)
        for chunk in reader.read(run)
        if isinstance(chunk, Raw)
    ]


def test_what_hparams_say_of_a_session_is_written_back(tmp_path: Path) -> None:
    content = plugin_data_pb2.HParamsPluginData()
    start = content.session_start_info
    start.hparams["lr"].number_value = 0.5
    start.model_uri, start.monitor_url = "gs://models/1", "https://monitor.example/1"
    start.group_name, start.start_time_secs = "g", START
    value = summary_pb2.Summary.Value(tag="_hparams_/session_start_info")
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = content.SerializeToString()
    put(tmp_path / "source" / "run", valued(0, value))
    (found,) = [
        value.metadata.plugin_data.content
        for event in LegacyEventFileLoader(str(ferried(tmp_path / "source", tmp_path))).Load()
        for value in event.summary.value
        if value.tag == "_hparams_/session_start_info"
    ]
    assert plugin_data_pb2.HParamsPluginData.FromString(found) == content
