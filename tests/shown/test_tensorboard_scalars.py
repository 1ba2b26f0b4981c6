"""Which forms of a scalar TensorBoard shows: what a writer has to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_INT64
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tests.shown.tensorboard_server import DataPath, served

EXACT = 1 / 3
ROUNDED = 0.3333333432674408  # the nearest float32
SPELLINGS = {
    "simple": Summary.Value(simple_value=EXACT),
    "float": Summary.Value(tensor=TensorProto(dtype=DT_FLOAT, float_val=[EXACT])),
    "double": Summary.Value(tensor=TensorProto(dtype=DT_DOUBLE, double_val=[EXACT])),
    "int": Summary.Value(tensor=TensorProto(dtype=DT_INT64, int64_val=[2**53 + 1])),
}
SHOWN: dict[DataPath, dict[str, list[float]]] = {
    # TensorBoard's default: it holds float32 and takes no other tensor for a scalar
    "data-server": {"simple": [ROUNDED], "float": [ROUNDED], "double": [], "int": []},
    "python": {"simple": [ROUNDED], "float": [ROUNDED], "double": [EXACT], "int": [2**53 + 1]},
}


@pytest.mark.parametrize("data_path", get_args(DataPath))
def test_only_the_python_reader_takes_doubles_and_integers(
    tmp_path: Path, data_path: DataPath
) -> None:
    writer = EventFileWriter(str(tmp_path / "logs" / "run"))
    for tag, value in SPELLINGS.items():
        metadata = SummaryMetadata(data_class=DATA_CLASS_SCALAR)
        metadata.plugin_data.plugin_name = "scalars"
        tagged = Summary.Value(tag=tag, metadata=metadata)
        tagged.MergeFrom(value)
        writer.add_event(Event(wall_time=1.7e9, step=0, summary=Summary(value=[tagged])))
    writer.close()
    with served(tmp_path / "logs", data_path) as server:
        answers = {
            tag: server.answer("plugin/scalars/scalars", run="run", tag=tag).json()
            for tag in SPELLINGS
        }
    assert {tag: [value for _, _, value in rows] for tag, rows in answers.items()} == SHOWN[
        data_path
    ]
