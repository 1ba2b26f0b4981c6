"""What mirroring costs a training process: each call with the hook, beside the same without."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from bench import child
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_MEDIAN = {"wandb": 1.05, "torch": 1.2, "tensorboard": 1.2, "tensorboardX": 1.2, "clearml": 2.0}
_CALL = {
    "wandb": "wandb.log of two values",
    "torch": "torch's add_scalar",
    "tensorboard": "add_event of tensorboard's writer, as torch's add_scalar does",
    "tensorboardX": "tensorboardX add_scalar",
    "clearml": "ClearML's report_scalar",
}
_P99_MORE_US = 1000.0
_WALL = 1.05


def measure(size: Size) -> Iterator[Row]:
    """By microseconds a call, in alternating blocks of one process, its delivery beside it."""
    calls, blocks = size.live_calls
    for sdk, most in _MEDIAN.items():
        if sdk == "torch" and find_spec("torch") is None:  # gigabytes: measured where it is there
            continue
        place = scratch(f"live-{sdk}")
        place.mkdir(parents=True, exist_ok=True)
        told = child.ours("live_calls.py", sdk, calls, blocks, place, on_cores=2).outcome
        ratio = told["mirrored_median_us"] / told["bare_median_us"]
        more = told["mirrored_p99_us"] - told["bare_p99_us"]
        is_met = ratio <= most and more <= _P99_MORE_US and not told["dropped"]
        yield Row(
            "live",
            f"{_CALL[sdk]}, mirrored, {calls * blocks:,} calls each",
            f"median {told['mirrored_median_us']:.1f} µs, p99 {told['mirrored_p99_us']:.0f} µs",
            f"not mirrored: {told['bare_median_us']:.1f} µs, p99 {told['bare_p99_us']:.0f} µs",
            ratio,
            f"≤ {most} ×, p99 ≤ 1 ms more",
            verdict_on(is_met),
            "no record was dropped",
            dict(told),
        )
        scratch(place.name)
    yield _failing(size)


def _failing(size: Size) -> Row:
    """What three backends that fail cost the training."""
    calls, blocks = size.live_calls
    place = scratch("live-failing")
    place.mkdir(parents=True, exist_ok=True)
    blocks = max(blocks // 4, 1)
    told = child.ours("live_training.py", calls, blocks, place, on_cores=2).outcome
    ratio = told["mirrored_s"] / told["bare_s"]
    scratch(place.name)
    return Row(
        "live",
        f"a training of {calls * blocks:,} steps of 2 ms; a dead port, a stalled socket, 500s",
        f"{told['mirrored_s']:.2f} s",
        f"not mirrored: {told['bare_s']:.2f} s",
        ratio,
        "≤ 1.05 ×",
        verdict_on(ratio <= _WALL and not told["dropped"]),
        "no record was dropped, none was delivered",
        dict(told),
    )
