"""What TensorBoard itself says of a folder: its loader of event files, and its server."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util
from tests.free_ports import free_port

from runferry.ports import Location, RemoteId
from runferry.testing.recording import Sample
from runferry.testing.writer_laws import numbered
from runferry.writers.tensorboard import TensorboardWriter


def written(logdir: Path, *samples: Sample, seal: bool = True) -> list[RemoteId]:
    """These runs, as push would write them."""
    writer = TensorboardWriter.open(Location("tensorboard", str(logdir)))
    remotes = []
    for sample in samples:
        remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in numbered(sample):
            writer.append(remote, number, chunk)
        if seal:
            writer.seal(remote, sample.run)
        remotes.append(remote)
    writer.close()
    return remotes


def event_file(logdir: Path, remote: RemoteId) -> Path:
    """The one that has content: what was replaced is empty."""
    found = (logdir / remote).glob("events.out.tfevents.*")
    (path,) = (path for path in found if path.stat().st_size)
    return path


def loaded(logdir: Path, remote: RemoteId) -> dict[str, list[tuple[int, float, Any]]]:
    """(step, wall time, value) by tag, as TensorBoard's own loader has them; ours left out."""
    found: dict[str, list[tuple[int, float, Any]]] = {}
    ours = set()
    for event in EventFileLoader(str(event_file(logdir, remote))).Load():
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "runferry":
                ours.add(value.tag)
            if value.tag in ours:
                continue
            array = tensor_util.make_ndarray(value.tensor)
            held = array.item() if array.ndim == 0 else array
            found.setdefault(value.tag, []).append((event.step, event.wall_time, held))
    return found


def picture(width: int = 3, height: int = 2, shade: int = 200) -> bytes:
    """A small PNG."""

    def part(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = b"".join(b"\0" + bytes([shade] * width * 3) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            part(b"IHDR", header),
            part(b"IDAT", zlib.compress(rows)),
            part(b"IEND", b""),
        )
    )


def sound() -> bytes:
    """A few samples as WAV."""
    samples = struct.pack("<8h", *range(0, 8000, 1000))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI", b"RIFF", len(body)) + body


class Served:
    """TensorBoard's HTTP interface."""

    def __init__(self, base: str) -> None:
        self._client = httpx.Client(base_url=f"{base}/data", timeout=60, trust_env=False)

    def get(self, path: str, **query: str | int) -> Any:
        answer = self._client.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def content(self, path: str) -> bytes:
        answer = self._client.get(path)
        answer.raise_for_status()
        return answer.content

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._client.post(path, content=json.dumps(body))
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        self._client.close()


@contextmanager
def tensorboard(logdir: Path, *, data_server: bool, runs: int) -> Iterator[Served]:
    """TensorBoard on the loopback, once it has found so many runs with scalars."""
    port = free_port()
    command = [
        sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", str(port),
        "--host", "127.0.0.1", "--load_fast", "true" if data_server else "false",
        "--reload_interval", "1", "--samples_per_plugin", "scalars=100000,images=100,text=100",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    served = Served(f"http://127.0.0.1:{port}")
    try:
        _wait(served, process, runs)
        yield served
    finally:
        served.close()
        process.terminate()
        process.wait(60)


def _wait(served: Served, process: subprocess.Popen[bytes], runs: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if len(served.get("/plugin/scalars/tags")) >= runs:
                return
        except (httpx.TransportError, httpx.HTTPStatusError):
            pass  # it is not up yet
        time.sleep(0.2)
    raise AssertionError(f"TensorBoard shows no {runs} runs")


def opened(logdir: Path) -> TensorboardWriter:
    return TensorboardWriter.open(Location("tensorboard", str(logdir)))
