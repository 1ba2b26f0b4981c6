"""Runs whose series are hard to carry: values, steps, times, names, words, distributions."""

from __future__ import annotations

import math

from runferry.testing.recording import Float32, Histogram, Logged, Recording, Sample
from runferry.testing.samples.basics import (
    HOSTILE_NAMES,
    SECOND_NS,
    START_NS,
    UNICODE_NAMES,
    header,
    nan_with_payload,
)


def values() -> Sample:
    """Every number that is hard to carry: NaN with payloads, ±Inf, −0.0, big ints, nulls, bools."""
    floats = (
        math.nan,
        nan_with_payload(0xBEEF),
        nan_with_payload(1, negative=True),
        math.inf,
        -math.inf,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        0.1 + 0.2,
    )
    ints = (0, -1, 2**53, 2**53 + 1, 2**60, 2**60 + 1, 2**63 - 1, -(2**63))
    run = Recording(header("values"))
    for step, value in enumerate(floats):
        run.log({"float": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    for step, value in enumerate(ints):
        run.log({"int": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    mixed: tuple[Logged, ...] = (1, 1.0, True, Float32(0.5), None, False, math.nan)
    for step, item in enumerate(mixed):
        run.log({"mixed": item}, step=step, time_ns=START_NS + step * SECOND_NS)
    run.log({"beyond": 2**64, "sometimes": 1.0}, step=0, time_ns=START_NS)
    return run.log({"beyond": -(10**40)}, step=1, time_ns=START_NS + 1).sample()


def steps() -> Sample:
    """Duplicate, falling, fractional, null, negative and enormous steps; gaps; equal rows."""
    run = Recording(header("steps"))
    falling = (0, 1, 2, 2, 2, 1, 0, 10, 9, 11)
    for row, step in enumerate(falling):
        run.log({"falling": row / 4}, step=step, time_ns=START_NS + row * SECOND_NS)
    for row in range(4):
        at = START_NS + row * SECOND_NS
        run.log({"absent": float(row)}, time_ns=at)
        run.log({"fractional": float(row)}, step=row // 2, step_frac=280_000 + row, time_ns=at)
        run.log({"negative": float(row)}, step=row - 3, step_frac=500_000, time_ns=at)
        run.log({"twin": 1.5}, step=7, time_ns=START_NS)
    for row, step in enumerate((2**31, 2**53 + 1, 2**63 - 1)):
        run.log({"enormous": float(row)}, step=step, time_ns=START_NS + row * SECOND_NS)
    return run.sample()


def times() -> Sample:
    """Nanoseconds, no time at all, times before 1970, far away, and running backwards."""
    run = Recording(header("times", started_ns=-SECOND_NS, ended_ns=None, created_ns=None))
    stamps = (START_NS + 1, START_NS + 999, START_NS + 1_000, None, 0, -1, -1_001, -(10**18))
    for step, stamp in enumerate((*stamps, 4 * 10**18, START_NS, START_NS - SECOND_NS)):
        run.log({"value": float(step)}, step=step, time_ns=stamp)
    for row in range(3):
        run.log({"timeless": float(row)})
    return run.sample()


def names() -> Sample:
    """Names that look alike, alien names, long ones, hostile ones, and those of other people."""
    run = Recording(header("names"))
    alike = ("a/b", "a_b", "a.b", ("a", "b"), "a b", "A/B", "Loss", "loss", "LOSS", "a", "a~2")
    long = ("k" * 300, "k" * 299 + "j", "深" * 300)
    reserved = ("mlflow.runName", "_step", "_timestamp", "_runtime", "system/cpu", "value~2")
    for step in range(3):
        time_ns = START_NS + step * SECOND_NS
        for group in (alike, HOSTILE_NAMES, UNICODE_NAMES, long, reserved):
            row = {name: len(str(name)) + step / 8 for name in group}
            run.log(row, step=step, time_ns=time_ns)
        mine = {"system.cpu": 1.0 + step, "cpu": 2.0 + step, "": 3.0 + step}
        run.log(mine, step=step, time_ns=time_ns)
        machine: dict[str | tuple[str, ...], Logged] = {"cpu": 50.0 + step, ("system", "cpu"): 51.0}
        run.log(machine, step=step, time_ns=time_ns, stream="system")
    run.attributes("config", {name: index for index, name in enumerate((*alike, *long))})
    run.attributes("other", dict.fromkeys((*HOSTILE_NAMES, *UNICODE_NAMES), "data"))
    return run.sample()


def many_keys(count: int = 10_000, steps_each: int = 1) -> Sample:
    """A run with very many series; by default more than any page of any API holds."""
    run = Recording(header(f"keys-{count}"))
    for step in range(steps_each):
        for first in range(0, count, 1000):
            row = {f"layer.{n}/grad": n + step / 2 for n in range(first, min(first + 1000, count))}
            run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
        run.flush()
    return run.sample()


def texts() -> Sample:
    """Strings and JSON values in the history: short, empty, very long, shared with scalars."""
    run = Recording(header("texts"))
    logged: tuple[Logged, ...] = (
        "",
        "x" * 10_000,
        "深" * 6_000,
        "line\nline\x00",
        [1, [2.5, None], {"a": math.inf}],
        {"nested": {"$int": "7"}},
    )
    for step, value in enumerate(logged):
        run.log({"note": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    # one name under which first a number, then a word was logged
    run.log({("status", "code"): 1.0, ("status", "text"): "started"}, step=9, time_ns=START_NS)
    return run.sample()


def histograms() -> Sample:
    """Integer and floating counts, uneven and empty bins, infinite edges, and what else is kept."""
    run = Recording(header("histograms"))
    logged = (
        Histogram((0.0, 0.5, 1.0), (3, 4)),
        Histogram((-1.5, 0.0, 1e300, math.inf), (0.25, 0.0, 1e-9)),
        Histogram((), ()),
        Histogram((0.0, 1.0), (2**53 - 1,), extra='{"packedBins":{"min":0}}'),
    )
    for step, value in enumerate(logged):
        run.log({"weights": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    return run.sample()


def facts() -> Sample:
    """Series with a custom axis, a goal, a summary rule; hidden ones; facts restated later."""
    run = Recording(header("facts"))
    run.series(("epoch",), hidden=True)
    run.series(("val/loss",), x_axis="epoch", goal="minimize", summary_rule="min,last")
    for step in range(5):
        row = {"epoch": step, "val/loss": 1 / (step + 1), "acc": step / 8}
        run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
        run.checkpoint()
    return run.sample()
