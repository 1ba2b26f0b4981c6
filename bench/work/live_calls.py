"""Times each call of an SDK with the hook and without, in alternating blocks of one process.

Usage: live_calls.py wandb|torch|tensorboard|tensorboardX|clearml CALLS BLOCKS FOLDER

The outcome has the median and the 99th percentile of both, in µs.
"""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from stopwatch import answer, stopwatch

import runferry

sdk, calls, blocks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
warnings.simplefilter("ignore")
folder = sys.argv[4]
os.chdir(folder)
if sdk == "clearml":  # which reads its settings when it is imported; it reports from a thread
    settings = Path("clearml.conf")
    settings.write_text("sdk { development { report_use_subprocess: false } }\n")
    os.environ |= {"CLEARML_CONFIG_FILE": str(settings.absolute()), "CLEARML_OFFLINE_MODE": "1"}
    os.environ["CLEARML_CACHE_DIR"] = str(Path("cache").absolute())


@contextlib.contextmanager
def logging_of(name: str) -> Iterator[Callable[[int], None]]:
    """One call of the SDK, as a function of the step."""
    if name == "wandb":
        import wandb

        with wandb.init(project="bench", mode="offline", dir=folder) as run:
            yield lambda step: run.log({"loss": step / 3, "accuracy": step / 7})
    elif name == "tensorboardX":
        from tensorboardX import SummaryWriter

        with SummaryWriter("runs") as writer:
            yield lambda step: writer.add_scalar("loss", step / 3, step)
    elif name == "torch":
        from torch.utils import tensorboard

        with tensorboard.SummaryWriter("runs") as of_torch:
            yield lambda step: of_torch.add_scalar("loss", step / 3, step)
    elif name == "clearml":
        from clearml import Task

        task = Task.init("bench", "bench", auto_connect_frameworks=False,
                         auto_connect_streams=False, auto_resource_monitoring=False)  # fmt: skip
        logger = task.get_logger()
        yield lambda step: logger.report_scalar("train", "loss", step / 3, step)
        task.close()
    else:  # what torch's `add_scalar` does, which makes its events of the same messages
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        events = EventFileWriter("runs")

        def add(step: int) -> None:
            summary = Summary(value=[Summary.Value(tag="loss", simple_value=step / 3)])
            event = Event(summary=summary)
            event.wall_time = time.time()
            event.step = step
            events.add_event(event)

        yield add
        events.close()


def measured(log: Callable[[int], None], first: int) -> list[int]:
    """ns of each of a block's calls."""
    clock, took = time.perf_counter_ns, []
    for step in range(first, first + calls):
        began = clock()
        log(step)
        took.append(clock() - began)
    return took


starts = {"wandb": runferry.sync_wandb, "clearml": runferry.sync_clearml}
start = starts.get(sdk, runferry.sync_tensorboard)
session = start(to="archive:./mirrored", journal="session")
assert session is not None
(hook,) = session.hooks.values()
times: dict[bool, list[int]] = {True: [], False: []}
with stopwatch() as lap, logging_of(sdk) as log:
    measured(log, 0)
    step = calls
    for block in range(2 * blocks):
        is_on = (block + block // 2) % 2 == 0  # on off off on, so that a drift concerns both
        (hook.on if is_on else hook.off)()
        gc.collect()
        times[is_on] += measured(log, step)
        step += calls
    hook.on()
told: dict[str, object] = {"dropped": session.journal.dropped.total()}
for is_on, name in ((True, "mirrored"), (False, "bare")):
    ordered = sorted(times[is_on])
    told[f"{name}_median_us"] = statistics.median(ordered) / 1000
    told[f"{name}_p99_us"] = ordered[len(ordered) * 99 // 100] / 1000
answer(lap, told)
