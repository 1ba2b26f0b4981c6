"""Everything that tensorboardX and TensorBoard's own functions can write is read as what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard import dataclass_compat
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.histogram import summary_v2 as histogram_v2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams_v2
from tensorboard.plugins.scalar import summary_v2 as scalar_v2
from tensorboard.plugins.text import summary_v2 as text_v2
from tensorboard.util import tensor_util
from tensorboard_runs import START, event_file, gather_one, logged, scalar, version
from tensorboardX import SummaryWriter
from tests.blobs import bytes_of
from tests.readers.gathered import Gathered


def of(folder: Path, *summaries: summary_pb2.Summary) -> Gathered:
    events = [
        event_pb2.Event(wall_time=START + step, step=step, summary=summary)
        for step, summary in enumerate(summaries)
    ]
    event_file(folder, [version(), *events])
    return gather_one(folder)


def session(**said: object) -> summary_pb2.Summary:
    """What the plugin says of a session, or of the experiment."""
    (name,) = said
    content = plugin_data_pb2.HParamsPluginData(**said).SerializeToString()  # type: ignore[arg-type]
    summary = summary_pb2.Summary()
    value = summary.value.add(tag=f"_hparams_/{name}")
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = content
    return summary


def session_end(status: int, end: float = 0.0) -> summary_pb2.Summary:
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=end)  # type: ignore[arg-type]
    return session(session_end_info=info)


def test_numbers_keep_step_time_and_value(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_scalar("a/b c", 0.1, 5, walltime=1_500_000_000.25)
        writer.add_scalar("a/b c", float("nan"), 4)
        writer.add_scalar("a/b c", float("inf"))

    found = gather_one(logged(tmp_path, fill))
    (key,) = found.series  # tensorboardX itself turns the blank into `_`
    first, second, third = found.points(key)
    assert (first["step"], first["value"], first["kind"]) == (5, float(np.float32(0.1)), "float32")
    assert first["time"].timestamp() == 1_500_000_000.25
    assert second["step"] == 4
    assert np.isnan(second["value"])
    assert (third["step"], third["value"]) == (0, float("inf"))
    assert [row["seq"] for row in (first, second, third)] == [0, 1, 2]
    assert not found.losses


def test_values_of_one_event_share_their_row(tmp_path: Path) -> None:
    summary = summary_pb2.Summary()
    summary.value.add(tag="a", simple_value=1.0)
    summary.value.add(tag="b", simple_value=2.0)
    found = of(tmp_path, summary, scalar("a", 1, 3.0).summary)
    assert [(row["key"], row["seq"]) for row in found.rows("points")] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
    ]


def test_tensors_are_numbers_with_what_describes_them(tmp_path: Path) -> None:
    told = scalar_v2.scalar_pb("loss", 0.5, description="what it costs")
    bare = summary_pb2.Summary()
    bare.value.add(tag="loss").tensor.CopyFrom(told.value[0].tensor)
    found = of(tmp_path, told, bare)
    assert found.values("loss") == [0.5, 0.5]
    assert found.attributes[("other", ("tensorboard", "tags", "loss", "description"))] == (
        "what it costs"
    )


def test_texts(tmp_path: Path) -> None:
    found = gather_one(logged(tmp_path, lambda writer: writer.add_text("notes", "**b**", 3)))
    ((key, series),) = found.series.items()
    assert series.kind == "text"
    assert [(row["key"], row["step"], row["text"], row["form"]) for row in found.rows("texts")] == [
        (key, 3, "**b**", "text")
    ]


def test_a_text_of_several_elements_is_a_list(tmp_path: Path) -> None:
    found = of(tmp_path, text_v2.text_pb("table", np.array([["a", "b"], ["c", "d"]])))
    (row,) = found.rows("texts")
    assert row["form"] == "json"
    assert json.loads(row["text"]) == [["a", "b"], ["c", "d"]]


def test_histograms_of_both_forms(tmp_path: Path) -> None:
    old = gather_one(
        logged(tmp_path / "old", lambda writer: writer.add_histogram("w", np.arange(9.0), 2))
    )
    (row,) = old.rows("histograms")
    assert (row["key"], row["step"], sum(row["counts"])) == ("w", 2, 9)
    assert json.loads(row["extra"])
    new = of(tmp_path / "new", histogram_v2.histogram_pb("w", np.arange(9.0), buckets=3))
    (row,) = new.rows("histograms")
    assert row["counts"] == [3, 3, 3]
    assert row["edges"][0] == 0.0
    assert row["edges"][-1] == 8.0


def test_images_and_sounds_have_their_bytes(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_image("image", np.zeros((3, 4, 5)), 1)
        writer.add_images("images", np.zeros((2, 3, 4, 5)), 2)

    found = gather_one(logged(tmp_path, fill))
    assert {item.media_type for item in found.media} == {"image"}
    assert {item.blob.media_type for item in found.media} == {"image/png"}
    (first, *_) = found.media
    assert bytes_of(first.blob).startswith(b"\x89PNG")
    assert isinstance(first.metadata, dict)
    assert (first.metadata["width"], first.metadata["height"]) == (5, 4)


def test_an_old_sound_has_its_rate(tmp_path: Path) -> None:
    summary = summary_pb2.Summary()
    value = summary.value.add(tag="sound")
    value.audio.sample_rate = 8000
    value.audio.num_channels = 1
    value.audio.length_frames = 4
    value.audio.encoded_audio_string = b"RIFF...."
    value.audio.content_type = "audio/wav"
    (item,) = of(tmp_path, summary).media
    assert (item.media_type, item.blob.media_type, bytes_of(item.blob)) == (
        "audio",
        "audio/wav",
        b"RIFF....",
    )
    assert isinstance(item.metadata, dict)
    assert (item.metadata["sample_rate"], item.metadata["num_channels"]) == (8000, 1)


def test_curves_are_plots_and_meshes_are_3d(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_pr_curve("curve", np.array([0, 1, 1]), np.array([0.1, 0.6, 0.9]), 1)
        writer.add_mesh("mesh", np.zeros((1, 3, 3)), faces=np.array([[[0, 1, 2]]]), global_step=2)

    found = gather_one(logged(tmp_path, fill))
    kinds = {item.media_type for item in found.media}
    assert kinds == {"plot", "object3d"}
    (curve,) = [item for item in found.media if item.media_type == "plot"]
    assert len(json.loads(bytes_of(curve.blob))) == 6
    assert all(item.key.startswith("mesh") for item in found.media if item is not curve)


def test_a_graph_is_kept_as_its_bytes(tmp_path: Path) -> None:
    event_file(tmp_path, [version(), event_pb2.Event(wall_time=START, graph_def=b"\x0a\x00")])
    (item,) = gather_one(tmp_path).media
    assert (item.key, item.media_type, bytes_of(item.blob)) == ("graph_def", "other", b"\x0a\x00")


def test_hyperparameters_are_config_and_their_session_the_header(tmp_path: Path) -> None:
    hparams = {"lr": 0.1, "name": "adam", "fast": True}
    start = hparams_v2.hparams_pb(hparams, trial_id="sweep", start_time_secs=START + 0.5)
    end = session_end(api_pb2.STATUS_FAILURE, START + 9)
    found = of(tmp_path, start, scalar("loss", 0, 1.0).summary, end)
    assert found.role("config") == {("lr",): 0.1, ("name",): "adam", ("fast",): True}
    run = found.header
    assert (run.group, run.state, run.status) == ("sweep", "failed", "STATUS_FAILURE")
    assert run.complete
    assert run.started_ns == START * 10**9 + 5 * 10**8
    assert run.ended_ns == (START + 9) * 10**9
    assert found.headers[0].group == "sweep"  # one need not read the run to know


def test_an_end_without_a_time_does_not_end_a_run(tmp_path: Path) -> None:
    start = hparams_v2.hparams_pb({"lr": 0.1}, start_time_secs=START)
    end = session_end(api_pb2.STATUS_SUCCESS)
    run = of(tmp_path, start, end).header
    assert (run.state, run.ended_ns, run.complete) == ("finished", None, False)


def test_another_value_of_a_hyperparameter_is_kept_beside_the_first(tmp_path: Path) -> None:
    first = hparams_v2.hparams_pb({"lr": 0.1, "depth": 3.0}, start_time_secs=START)
    again = hparams_v2.hparams_pb({"lr": 0.2, "depth": 3.0}, start_time_secs=START)
    found = of(tmp_path, first, again)
    assert found.role("config") == {("lr",): 0.1, ("depth",): 3.0}
    assert 0.2 in found.role("other").values()
    assert found.codes() == {"stated-twice"}


def test_experiments_and_layouts_are_documents(tmp_path: Path) -> None:
    infos = [api_pb2.HParamInfo(name="lr", type=api_pb2.DATA_TYPE_FLOAT64)]
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag="loss"))]
    experiment = session(experiment=api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics))
    layout = layout_pb2.Layout()
    layout.category.add(title="losses").chart.add(title="both").multiline.tag.append("loss.*")
    shown = summary_pb2.Summary()
    value = shown.value.add(tag="custom_scalars__config__")
    value.metadata.plugin_data.plugin_name = "custom_scalars"
    value.tensor.dtype = 7
    value.tensor.string_val.append(layout.SerializeToString())
    documents = of(tmp_path, experiment, shown, experiment).documents
    assert [one.kind for one in documents] == ["hparams_experiment", "custom_scalars"]
    assert "losses" in json.dumps(documents[1].body)


def test_values_of_unknown_plugins_are_kept_as_their_events(tmp_path: Path) -> None:
    summary = summary_pb2.Summary()
    value = summary.value.add(tag="flight")
    value.metadata.plugin_data.plugin_name = "flight"
    value.metadata.plugin_data.content = b"\x00\x01"
    value.tensor.dtype = 7
    value.tensor.string_val.extend([b"a", b"b"])
    (raw,) = of(tmp_path, summary).raws
    assert raw.record_type == "flight"
    event = event_pb2.Event.FromString(raw.payload)
    assert event.summary.value[0].tensor.string_val == [b"a", b"b"]
    assert event.wall_time == START


def test_a_tag_with_values_of_several_kinds_loses_none(tmp_path: Path) -> None:
    text = text_v2.text_pb("both", "words")
    found = of(tmp_path, text, scalar("other", 0, 1.0).summary)
    event_file(tmp_path, [version(), scalar("both", 1, 2.0)], START + 60)
    found = gather_one(tmp_path)
    assert found.values("both") == [2.0]
    assert [row["text"] for row in found.rows("texts")] == ["words"]
    assert found.series["both"].kind == "scalar"


@pytest.mark.parametrize("wall_time", [float("nan"), 1e300, float("-inf")])
def test_a_wall_time_that_is_none_is_null_and_a_loss(tmp_path: Path, wall_time: float) -> None:
    event_file(tmp_path, [version(), scalar("loss", 0, 1.0, wall_time), scalar("loss", 1, 2.0)])
    found = gather_one(tmp_path)
    assert [row["time"] is None for row in found.points("loss")] == [True, False]
    assert found.values("loss") == [1.0, 2.0]
    assert found.codes() == {"bad-time"}


def test_what_wrote_a_file_is_told(tmp_path: Path) -> None:
    source = event_pb2.SourceMetadata(writer="somebody's writer")
    events = [
        version(),
        event_pb2.Event(wall_time=START, source_metadata=source),
        scalar("loss", 0, 1.0),
    ]
    event_file(tmp_path, events)
    found = gather_one(tmp_path)
    assert found.header.client == "somebody's writer"
    assert found.header.host == "host"
    assert found.role("environment") == {
        ("tensorboard", "file_version"): "brain.Event:2",
        ("tensorboard", "writer"): "somebody's writer",
    }


def implied() -> dict[str, summary_pb2.Summary]:
    """A value of each plugin, by its tag."""
    made = {
        "scalars": scalar_v2.scalar_pb("scalars", 1.0),
        "text": text_v2.text_pb("text", "a"),
        "histograms": histogram_v2.histogram_pb("histograms", np.arange(3.0)),
    }
    for plugin in ("pr_curves", "mesh", "images", "audio", "graph_keras_model"):
        strings = plugin in ("images", "audio", "graph_keras_model")
        tensor = (
            tensor_util.make_tensor_proto([b"1", b"1", b"x"])
            if strings
            else tensor_util.make_tensor_proto(np.zeros((6, 2), np.float32))
        )
        tag = "mesh_VERTEX" if plugin == "mesh" else plugin
        value = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
        value.metadata.plugin_data.plugin_name = plugin
        made[tag] = summary_pb2.Summary(value=[value])
    return made


def test_a_data_class_is_an_attribute_only_where_the_plugin_does_not_imply_it(
    tmp_path: Path,
) -> None:
    """What TensorBoard itself takes tags to be that say nothing of it."""
    stated = []
    for summary in implied().values():
        event = event_pb2.Event(summary=summary)
        stated += [one.summary for one in dataclass_compat.migrate_event(event, {})]
    classes = {one.value[0].tag: one.value[0].metadata.data_class for one in stated}
    assert classes.keys() == implied().keys()
    assert all(classes.values())
    quiet = of(tmp_path / "quiet", *implied().values()).attributes
    assert of(tmp_path / "stated", *stated).attributes == quiet
    for one in stated:
        is_scalar = classes[one.value[0].tag] == summary_pb2.DATA_CLASS_SCALAR
        one.value[0].metadata.data_class = (
            summary_pb2.DATA_CLASS_TENSOR if is_scalar else summary_pb2.DATA_CLASS_SCALAR
        )
    odd = of(tmp_path / "odd", *stated).attributes
    told = {path[2] for _, path in odd.keys() - quiet.keys()}
    assert told == classes.keys()
