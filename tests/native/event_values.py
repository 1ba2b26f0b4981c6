"""Events by the vendor's own writer and protobuf."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

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
