"""Every form of value as TensorBoard's own writers write it, against its own protobuf."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_files import Gathered, frame, scan
from event_values import TIME, events_of, one, write
from tensorboard.compat.proto.event_pb2 import Event, LogMessage, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util import tensor_util


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
