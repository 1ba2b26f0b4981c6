"""Reads an event file with tensorboard-data-server, all of it, and asks it for all points.

The clock runs from the start of the server until it lists the last step of every kind, over its
own API: sending points to a client is not in it. Sampling is off. It checks the checksums only if
asked to (`--checksum`), as it does not by itself.

Usage: events_server.py FILE LAST_STEPS [--checksum]   (LAST_STEPS: JSON, {"scalars": 999})
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from event_facts import Facts
from stopwatch import answer, stopwatch
from tensorboard.data.proto import data_provider_pb2 as wire
from tensorboard.data.proto.data_provider_pb2_grpc import TensorBoardDataProviderStub
from tensorboard.util.tensor_util import make_ndarray
from tensorboard_data_server import server_binary

POLL_SECONDS = 0.005
EVERYTHING = wire.Downsample(num_points=1 << 40)

file, last_steps = Path(sys.argv[1]), json.loads(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    port_file = Path(folder) / "port"
    command = [
        *(server_binary(), f"--logdir={file.parent}", "--host=127.0.0.1", "--port=0"),
        *(f"--port-file={port_file}", "--reload=once", "--die-after-stdin", *sys.argv[3:]),
        "--samples-per-plugin=scalars=all,histograms=all,images=all",
    ]
    with stopwatch() as lap:
        server = subprocess.Popen(command, stdin=subprocess.PIPE)
        while not port_file.exists() or not port_file.read_text().endswith("\n"):
            time.sleep(POLL_SECONDS)
        options = [("grpc.max_receive_message_length", -1)]
        channel = grpc.insecure_channel(f"127.0.0.1:{port_file.read_text().strip()}", options)
        stub = TensorBoardDataProviderStub(channel)
        lists = {
            "scalars": (stub.ListScalars, wire.ListScalarsRequest),
            "histograms": (stub.ListTensors, wire.ListTensorsRequest),
            "images": (stub.ListBlobSequences, wire.ListBlobSequencesRequest),
        }
        for kind, last_step in last_steps.items():
            call, request = lists[kind]
            asked = request(plugin_filter=wire.PluginFilter(plugin_name=kind))
            while True:
                found = [tag for run in call(asked).runs for tag in run.tags]
                if found and all(tag.metadata.max_step == last_step for tag in found):
                    break
                time.sleep(POLL_SECONDS)


def blob(key: str) -> bytes:
    """The bytes of one image."""
    return b"".join(part.data for part in stub.ReadBlob(wire.ReadBlobRequest(blob_key=key)))


facts = Facts()
with stopwatch() as reading:
    asked = {"plugin_filter": wire.PluginFilter(plugin_name="scalars"), "downsample": EVERYTHING}
    (scalars,) = stub.ReadScalars(wire.ReadScalarsRequest(**asked)).runs
for tag in scalars.tags:
    facts.add_scalars(tag.tag_name, tag.data.step, tag.data.value)
    facts.add_times(tag.data.wall_time)
if "histograms" in last_steps:
    asked["plugin_filter"] = wire.PluginFilter(plugin_name="histograms")
    (tensors,) = stub.ReadTensors(wire.ReadTensorsRequest(**asked)).runs
    for tag in tensors.tags:
        counts = (make_ndarray(tensor)[:, 2].tolist() for tensor in tag.data.value)
        facts.add_histograms(tag.tag_name, tag.data.step, counts)
        facts.add_times(tag.data.wall_time)
if "images" in last_steps:
    asked["plugin_filter"] = wire.PluginFilter(plugin_name="images")
    (blobs,) = stub.ReadBlobSequences(wire.ReadBlobSequencesRequest(**asked)).runs
    for tag in blobs.tags:
        keys = [sequence.blob_refs[2].blob_key for sequence in tag.data.values]
        with ThreadPoolExecutor(16) as pool:  # each call waits for the network's small delays
            facts.add_images(tag.tag_name, tag.data.step, pool.map(blob, keys))
        facts.add_times(tag.data.wall_time)
server.kill()
_, _, usage = os.wait4(server.pid, 0)
peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
server_cpu = usage.ru_utime + usage.ru_stime
answer(
    lap,
    facts.as_outcome(
        read_wall_seconds=reading.wall_seconds,
        server_cpu_seconds=server_cpu,
        server_peak_rss_bytes=peak,
    ),
)
