"""Every form of value as TensorBoard's own writers write it, against its own protobuf."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_files import Gathered, frame, scan
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, LogMessage, SessionLog, TaggedRunMetadata
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.mesh import metadata as meshes
from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util
from tensorboardX import SummaryWriter

from runferry import tables

TIME = 1_700_000_000.123_456_7


def write(folder: Path, *summaries: Summary | Event) -> Path:
    """An event file by TensorBoard's own writer; summaries become events at steps 0, 1, …"""
    writer = EventFileWriter(str(folder))
    for step, one in enumerate(summaries):
        is_event = isinstance(one, Event)
        event = one if is_event else Event(wall_time=TIME + step, step=step, summary=one)
        writer.add_event(event)
    writer.close()
    (path,) = folder.iterdir()
    return path


def one(tag: str, tensor: TensorProto, plugin: str = "", content: bytes = b"") -> Summary:
    about = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    metadata = SummaryMetadata(plugin_data=about) if plugin else None
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])


def events_of(path: Path) -> Iterator[tuple[int, Event]]:
    """The vendor's events that hold values, numbered as ours."""
    events = map(Event.FromString, RawEventFileLoader(str(path)).Load())
    yield from enumerate(event for event in events if event.summary.value)


def check_scalars(path: Path) -> Gathered:
    """Every value of every event against protobuf and numpy."""
    found = scan(path)
    rows = iter(found.points)
    for seq, event in events_of(path):
        for value in event.summary.value:
            row = next(rows)
            assert (row["tag"], row["seq"], row["step"]) == (value.tag, seq, event.step)
            assert row["time"] / 10**9 == event.wall_time
            expected: Any = value.simple_value
            if value.WhichOneof("value") == "tensor":
                expected = tensor_util.make_ndarray(value.tensor).reshape(-1)[0]
            shown = row["value_i64"] if row["value_i64"] is not None else row["value"]
            assert shown == expected or (math.isnan(shown) and math.isnan(expected))
            if shown == 0:
                assert math.copysign(1, shown) == math.copysign(1, expected)
    assert next(rows, None) is None
    assert not found.damage
    return found


FLOATS = [0.0, -0.0, 1 / 3, -1e-45, 3.4e38, math.nan, math.inf, -math.inf, 65504.0, 6e-8]


def test_simple_values_are_float32(tmp_path: Path) -> None:
    summaries = [
        Summary(value=[Summary.Value(tag=f"t/{n % 3}", simple_value=x)])
        for n, x in enumerate(FLOATS)
    ]
    found = check_scalars(write(tmp_path, *summaries))
    assert {row["kind"] for row in found.points} == {"float32"}


DTYPES = {
    "float16": "float32",
    "float32": "float32",
    "float64": "float64",
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "int",
    "uint8": "int",
    "uint16": "int",
    "bool": "bool",
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_tensor_with_one_number_is_a_point_of_its_kind(
    tmp_path: Path, dtype: str, is_packed: bool, shape: tuple[int, ...]
) -> None:
    if dtype.startswith("float"):
        numbers: list[float] = FLOATS
    elif dtype == "bool":
        numbers = [False, True]
    else:
        limits = np.iinfo(dtype)
        numbers = [0, 1, limits.min, limits.max, limits.max - 1]
    with np.errstate(over="ignore"):
        arrays = [np.array(number, dtype).reshape(shape) for number in numbers]
    tensors = [_tensor(array, is_packed) for array in arrays]
    path = write(tmp_path, *(one("t", tensor, "scalars") for tensor in tensors))
    assert {row["kind"] for row in check_scalars(path).points} == {DTYPES[dtype]}


def _tensor(array: np.ndarray, is_packed: bool) -> TensorProto:
    tensor = tensor_util.make_tensor_proto(array)
    if is_packed:
        dims = tensor.tensor_shape
        return TensorProto(
            dtype=tensor.dtype,
            tensor_shape=dims,
            tensor_content=array.astype(array.dtype).tobytes(),
        )
    return tensor


def test_bfloat16_and_wide_unsigned_integers_are_exact(tmp_path: Path) -> None:
    bfloat = TensorProto(dtype=14, half_val=[0x3F81])
    packed = TensorProto(dtype=14, tensor_content=b"\x81\xbf")
    wide = [TensorProto(dtype=23, uint64_val=[n]) for n in (2**64 - 1, 2**53 + 1)]
    narrow = TensorProto(dtype=22, uint32_val=[2**32 - 1])
    tensors = (bfloat, packed, *wide, narrow)
    found = scan(write(tmp_path, *(one("t", tensor) for tensor in tensors)))
    shown = [(row["seq"], row["value"], row["value_i64"]) for row in found.points]
    assert shown == [
        (0, 1.0078125, None),
        (1, -1.0078125, None),
        (3, 2.0**53, 2**53 + 1),
        (4, 2.0**32 - 1, None),
    ]
    (text,) = found.rows["texts"]
    assert (text["seq"], text["text"], text["form"]) == (2, str(2**64 - 1), "json")


def test_metadata_of_the_first_value_hold_for_the_tag(tmp_path: Path) -> None:
    first = scalar_pb("loss", 1.0, description="what is lost")
    later = one("loss", tensor_util.make_tensor_proto(np.float32(2.0)))
    text = text_pb("note", "first")
    other = one("note", tensor_util.make_tensor_proto("second"))
    found = scan(write(tmp_path, first, later, text, other))
    assert [row["value"] for row in found.points] == [1.0, 2.0]
    assert [row["text"] for row in found.rows["texts"]] == ["first", "second"]
    facts = {tag: (plugin, about) for tag, plugin, about in found.series}
    assert facts["loss"][0] == "scalars"
    assert facts["loss"][1]["description"] == "what is lost"
    assert found.plugins == {"loss": "scalars", "note": "text"}


def test_a_node_name_is_a_fact_where_it_is_not_the_tag(tmp_path: Path) -> None:
    names = ["a", "", "node", "node", ""]
    values = [Summary.Value(tag="a", simple_value=n, node_name=x) for n, x in enumerate(names)]
    found = check_scalars(write(tmp_path, Summary(value=values)))
    assert found.series == [("a", "", {}), ("a", "", {"node_name": "node"})]


def test_fields_may_come_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path, scalar_pb("a", 0.5))
    about = scalar_pb("a", 0.5).value[0].metadata.SerializeToString()
    tensor = tensor_util.make_tensor_proto(np.float64(0.25)).SerializeToString()
    backwards = b"".join([_field(9, about), b"\x42", bytes([len(tensor)]), tensor, _field(1, b"a")])
    event = (
        _field(5, _field(1, backwards)) + b"\x10\x07" + Event(wall_time=TIME).SerializeToString()
    )
    path.write_bytes(path.read_bytes() + frame(event))
    last = scan(path).points[-1]
    assert (last["value"], last["kind"], last["step"], last["tag"]) == (0.25, "float64", 7, "a")
    assert last["time"] / 10**9 == TIME


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


# --- histograms -----------------------------------------------------------------------------------

LARGEST = 1.797_693_134_862_315_7e308


@pytest.mark.parametrize(
    ("limits", "least"),
    [([-1.0, 0.5, 1e12], -1.5), ([-LARGEST, 0.0, LARGEST], 3.0), ([], 0.0), ([math.nan], math.nan)],
)
def test_a_histogram_message_can_be_had_back(
    tmp_path: Path, limits: list[float], least: float
) -> None:
    counts = [float(n) + 0.5 for n, _ in enumerate(limits)]
    message = HistogramProto(
        min=least,
        max=1e300,
        num=7,
        sum=-0.1,
        sum_squares=math.inf,
        bucket_limit=limits,
        bucket=counts,
    )
    value = Summary.Value(tag="h", histo=message)
    (row,) = scan(write(tmp_path, Summary(value=[value]))).rows["histograms"]
    again = HistogramProto(bucket_limit=row["edges"][1:], bucket=row["counts"])
    rest = tables.loads(row["extra"])
    assert isinstance(rest, dict)
    for name, value in rest.items():
        setattr(again, name, value)
    assert again.SerializeToString() == message.SerializeToString()
    assert len(row["edges"]) == len(row["counts"]) + 1
    assert row["counts_kind"] == "float64"


def test_a_tensor_of_bins_gives_edges_and_counts(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    summaries = [histogram_pb("h", random.normal(size=100), buckets=n) for n in (1, 5, 30)]
    gaps = np.array([[0.0, 1.0, 3.0], [2.0, 3.0, 4.0]])
    arrays = (gaps, gaps.astype(np.float32), np.zeros((0, 3)))
    summaries += [one("h", tensor_util.make_tensor_proto(array)) for array in arrays]
    path = write(tmp_path, *summaries)
    found = scan(path)
    assert not found.damage
    for (_, event), row in zip(events_of(path), found.rows["histograms"], strict=True):
        bins = tensor_util.make_ndarray(event.summary.value[0].tensor)
        extra = json.loads(row["extra"] or "{}")
        edges = np.array(row["edges"])
        joined = np.stack([edges[:-1], edges[1:], row["counts"]], axis=1) if len(bins) else bins
        again = np.array(extra["bins"]) if "bins" in extra else joined
        assert (again == bins).all()
        assert extra.get("dtype", "float64") == str(bins.dtype)
    assert [bool(row["extra"]) for row in found.rows["histograms"]] == [0, 0, 0, 1, 1, 0]


# --- media and texts ------------------------------------------------------------------------------


def test_images_and_clips_are_rows_with_their_bytes(tmp_path: Path) -> None:
    image = Summary.Image(height=2, width=3, colorspace=4, encoded_image_string=b"old png")
    audio = Summary.Audio(
        sample_rate=44100, num_channels=2, length_frames=9, encoded_audio_string=b"old wav",
        content_type="audio/wav",
    )  # fmt: skip
    old = [Summary.Value(tag="i", image=image), Summary.Value(tag="a", audio=audio)]
    clips = np.array([[b"wav 1", b"first"], [b"wav 2", b""]], dtype=object)
    found = scan(
        write(
            tmp_path,
            Summary(value=old),
            one("v2", tensor_util.make_tensor_proto([b"3", b"2", b"png 1", b"\xff"]), "images"),
            one("v2 audio", tensor_util.make_tensor_proto(clips), "audio"),
        )
    )
    shown = [
        (row["tag"], row["seq"], row["index"], row["form"], row["content"], row["caption"])
        for row in found.rows["media"]
    ]
    assert shown == [
        ("i", 0, 0, "image", b"old png", None),
        ("a", 0, 0, "audio", b"old wav", None),
        ("v2", 1, 0, "image", b"png 1", None),
        ("v2", 1, 1, "image", b"\xff", None),
        ("v2 audio", 2, 0, "audio", b"wav 1", "first"),
        ("v2 audio", 2, 1, "audio", b"wav 2", ""),
    ]
    assert [json.loads(row["metadata"] or "null") for row in found.rows["media"]] == [
        {"width": 3, "height": 2, "colorspace": 4},
        {
            "sample_rate": 44100.0,
            "num_channels": 2,
            "length_frames": 9,
            "content_type": "audio/wav",
        },
        *[{"width": 3, "height": 2}] * 2,
        *[None] * 2,
    ]


def test_texts_of_several_elements_are_nested_lists(tmp_path: Path) -> None:
    table = np.array([["a", 'b"'], ["c\n", "ü"]], dtype=object)
    arrays: list[Any] = ["one", ["one"], ["x", "y"], table]
    tensors = [tensor_util.make_tensor_proto(array) for array in arrays]
    rows = scan(write(tmp_path, *(one("t", t, "text") for t in tensors))).rows["texts"]
    assert [row["form"] for row in rows] == ["text", "text", "json", "json"]
    assert [row["text"] for row in rows[:2]] == ["one", "one"]
    assert [json.loads(row["text"]) for row in rows[2:]] == [["x", "y"], table.tolist()]


def test_pr_curves_and_meshes_keep_all_that_is_in_them(tmp_path: Path) -> None:
    curves = np.array([[0.1, 0.7]] * 6, np.float32) * np.arange(1, 7, dtype=np.float32)[:, None]
    curve = one("pr", tensor_util.make_tensor_proto(curves), "pr_curves", b"\x10\x02")
    points = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    mesh = Summary()
    for part in (MeshPluginData.VERTEX, MeshPluginData.FACE):
        about = meshes.create_summary_metadata("m", "M", part, 3, [1, 2, 3], "", '{"a": 1}')
        tensor = tensor_util.make_tensor_proto(points)
        mesh.value.add(tag=meshes.get_instance_name("m", part), tensor=tensor, metadata=about)
    path = write(tmp_path, curve, mesh)
    found = scan(path)
    first, *parts = found.rows["media"]
    assert np.array_equal(np.array(list(json.loads(first["content"]).values())), curves)
    assert list(json.loads(first["content"]))[::5] == ["true_positives", "recall"]
    assert json.loads(first["metadata"]) == {"plugin": "pr_curves", "dtype": "float32"}
    for row, value in zip(parts, mesh.value, strict=True):
        assert (row["tag"], row["form"]) == (value.tag, "mesh")
        assert TensorProto.FromString(row["content"]) == value.tensor
        about = json.loads(row["metadata"])
        assert (about["name"], about["shape"], about["plugin"]) == ("m", [1, 2, 3], "mesh")
        assert (about["components"], about["json_config"]) == (3, '{"a": 1}')
        assert about["content_type"] == value.tag.rpartition("_")[2]


def test_graphs_are_blobs_whatever_they_come_in(tmp_path: Path) -> None:
    run = TaggedRunMetadata(tag="step 1", run_metadata=b"run")
    keras = one("keras", tensor_util.make_tensor_proto([b"{}"]), "graph_keras_model")
    events = [Event(graph_def=b"g"), Event(meta_graph_def=b"m"), Event(tagged_run_metadata=run)]
    found = scan(write(tmp_path, *events, keras))
    shown = [(r["tag"], r["plugin"], r["form"], r["content"]) for r in found.rows["media"]]
    assert shown == [
        ("graph_def", "graphs", "graph_def", b"g"),
        ("meta_graph_def", "graphs", "meta_graph_def", b"m"),
        ("step 1", "graph_tagged_run_metadata", "tagged_run_metadata", b"run"),
        ("keras", "graph_keras_model", "graph_keras_model", b"{}"),
    ]


# --- records --------------------------------------------------------------------------------------


def test_hparams_are_messages_by_field_name(tmp_path: Path) -> None:
    start = hparams.hparams_pb(
        {"lr": 0.1, "name": "x", "on": True}, trial_id="group", start_time_secs=12.5
    )
    config = hparams.hparams_config_pb(
        hparams=[hparams.HParam("lr", hparams.RealInterval(0.0, 1.0))],
        metrics=[hparams.Metric("loss", display_name="Loss")],
        time_created_secs=3.0,
    )
    found = scan(write(tmp_path, config, start))
    records = {kind: (seq, message) for kind, _, seq, _, message in found.records}
    assert records["session_start_info"] == (
        0,
        {
            "step": 1,
            "hparams": {
                "lr": {"number_value": 0.1},
                "name": {"string_value": "x"},
                "on": {"bool_value": True},
            },
            "group_name": "group",
            "start_time_secs": 12.5,
        },
    )
    experiment = records["experiment"][1]
    assert experiment["hparam_infos"][0]["domain_interval"] == {"max_value": 1.0}
    assert experiment["metric_infos"][0]["display_name"] == "Loss"
    assert found.seq == 0


def test_what_has_no_column_is_kept_as_its_event(tmp_path: Path) -> None:
    log = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path="/c")
    message = LogMessage(level=LogMessage.WARN, message="careful")
    odd = one("odd", tensor_util.make_tensor_proto([1.0, 2.0]), "nobody's", b"content")
    odd.value.add(tag="a", simple_value=1.0)
    found = scan(write(tmp_path, Event(session_log=log), Event(log_message=message, step=4), odd))
    by_kind = {kind: rest for kind, *rest in found.records}
    assert by_kind["session_log"][3]["status"] == "CHECKPOINT"
    assert Event.FromString(by_kind["session_log"][3]["event"]).session_log == log
    assert by_kind["log_message"][3]["message"] == "careful"
    _, seq, time, unknown = by_kind["unknown"]
    assert (seq, time / 10**9, unknown["tag"], unknown["plugin"]) == (
        2,
        TIME + 2,
        "odd",
        "nobody's",
    )
    kept = Event.FromString(unknown["event"])
    assert (kept.step, kept.wall_time, kept.summary.value[:]) == (2, TIME + 2, odd.value[:1])
    assert [(row["tag"], row["seq"]) for row in found.points] == [("a", 2)]
    assert by_kind["file_version"][3] == {"file_version": "brain.Event:2"}
    assert by_kind["source_metadata"][3] == {
        "writer": "tensorboard.summary.writer.event_file_writer"
    }


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(dtype=2, double_val=[1.0, 2.0]),
        TensorProto(dtype=2),
        TensorProto(dtype=1, tensor_content=b"abc"),
        TensorProto(dtype=2, tensor_shape=TensorShapeProto(unknown_rank=True), double_val=[1.0]),
    ],
)
def test_a_tensor_that_cannot_be_is_told_and_kept(tmp_path: Path, tensor: TensorProto) -> None:
    found = scan(write(tmp_path, one("t", tensor, "scalars")))
    assert [reason for *_, reason in found.damage] == ["bad-tensor"]
    (unknown,) = [message for kind, *_, message in found.records if kind == "unknown"]
    assert Event.FromString(unknown["event"]).summary.value[0].tensor == tensor


def test_tensorboardx_files_hold_what_was_logged(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path))
    for step in range(50):
        writer.add_scalar("loss", step / 7, step)
        writer.add_scalar("acc", -step, step, walltime=TIME + step)
    writer.add_histogram("h", np.arange(100.0), 3)
    writer.add_text("note", "hello *world*", 4)
    writer.add_image("img", np.zeros((3, 4, 5), np.uint8), 5)
    writer.add_pr_curve("pr", np.array([0, 1, 1]), np.array([0.2, 0.7, 0.9]), 6)
    writer.add_custom_scalars({"category": {"chart": ["Multiline", ["loss", "acc"]]}})
    writer.close()
    (path,) = tmp_path.glob("events*")
    found = scan(path)
    assert not found.damage
    assert found.values("loss") == [float(np.float32(step / 7)) for step in range(50)]
    assert [r["time"] / 10**9 for r in found.points if r["tag"] == "acc"] == [
        TIME + step for step in range(50)
    ]
    (histogram,) = found.rows["histograms"]
    assert sum(histogram["counts"]) == 100
    (text,) = found.rows["texts"]
    assert text["text"] == "hello *world*"
    image, curve = found.rows["media"]
    assert image["content"].startswith(b"\x89PNG")
    assert (image["form"], curve["form"]) == ("image", "pr_curve")
    layout = next(message for kind, *_, message in found.records if kind == "layout")
    assert layout["category"][0]["chart"][0]["multiline"] == {"tag": ["loss", "acc"]}
