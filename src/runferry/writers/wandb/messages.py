"""Records of a `.wandb` file that W&B is shown, by the numbers of `wandb_internal.proto`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from runferry._version import VERSION
from runferry.dialects.protobuf import field, integer
from runferry.model import KeyPath, Run, Series
from runferry.writers.wandb.addresses import escaped

SUMMARY: Final = 3
CONFIG: Final = 5
FILES: Final = 6
METRIC: Final = 12
RUN: Final = 17
EXIT: Final = 18
HEADER: Final = 21
ENVIRONMENT: Final = 26

_NS: Final = 10**9
_TAG_AT_MOST: Final = 64  # characters; W&B refuses a run with a longer one
_RULES: Final = {"min": 1, "max": 2, "mean": 3, "best": 4, "last": 5, "none": 6, "copy": 7,
                 "first": 8}  # fmt: skip
_GOALS: Final = {"minimize": 1, "maximize": 2}

Item = tuple[KeyPath, str]
"""A path in W&B's tree, and JSON."""


def header() -> bytes:
    """What wrote the file."""
    return field(1, field(1, f"runferry {VERSION}"))


def run(run: Run, run_id: str, config: Iterable[Item], tags: tuple[str, ...]) -> bytes:
    """The run: without its entity, so that `wandb sync` brings it to whom the user means.

    `tags` are shown besides the run's own.
    """
    found = [field(1, run_id)]
    texts = {
        3: run.project, 6: run.group, 7: run.job_type, 8: run.name, 9: run.notes, 12: run.sweep,
        13: run.host,
    }  # fmt: skip
    settings = b"".join(_items(1, config))
    if settings:
        found.append(field(4, settings))
    found += [field(number, text) for number, text in sorted(texts.items()) if text]
    found += [field(10, tag) for tag in (*shown_tags(run), *tags)]
    begun = started_ns(run)
    if begun is not None:
        found.append(field(17, timestamp(begun)))
    return b"".join(found)


def shown_tags(run: Run) -> tuple[str, ...]:
    """Tags that W&B takes: those of the run, and its key-value tags as `key=value`."""
    pairs = (f"{name}={value}" for name, value in run.labels.items())
    wished = dict.fromkeys((*run.tags, *pairs))
    return tuple(tag for tag in wished if 0 < len(tag) <= _TAG_AT_MOST)


def started_ns(run: Run) -> int | None:
    """When a run began; what W&B counts durations from."""
    return run.started_ns if run.started_ns is not None else run.created_ns


def timestamp(time_ns: int) -> bytes:
    """`google.protobuf.Timestamp`"""
    seconds, below = divmod(time_ns, _NS)
    return integer(1, seconds) + integer(2, below)


def config(items: Iterable[Item]) -> bytes:
    """A later statement of configuration."""
    return b"".join(_items(1, items))


def summary(items: Iterable[Item]) -> bytes:
    """Values of the summary."""
    return b"".join(_items(1, items))


def _items(number: int, items: Iterable[Item]) -> Iterable[bytes]:
    for path, text in items:
        nested = b"".join(field(2, name) for name in path)
        yield field(number, nested + field(16, text))


def metric(series: Series, address: KeyPath, axis: KeyPath | None) -> bytes | None:
    """What `define_metric` would have said of a series; None where that is nothing."""
    rules = (series.summary_rule or "").split(",")
    summary_message = b"".join(integer(_RULES[rule], 1) for rule in rules if rule in _RULES)
    told = [
        field(4, escaped(axis)) if axis else b"",
        field(7, summary_message) if summary_message else b"",
        integer(8, _GOALS[series.goal]) if series.goal else b"",
    ]
    if not any(told) and not series.hidden:
        return None
    options = (integer(2, 1) if series.hidden else b"") + integer(3, 1)
    return field(1, escaped(address)) + field(6, options) + b"".join(told)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file for W&B to upload, by its path below `files`."""

    path: str
    is_media: bool = False

    def message(self) -> bytes:
        """A list of this one file."""
        kind = integer(3, 2) if self.is_media else b""
        return field(1, field(1, self.path) + kind)


def shown_exit_code(run: Run) -> int | None:
    """By which W&B tells how a run ended; None for one that has not."""
    if not run.complete and run.state in ("running", "unknown"):
        return None
    if run.exit_code is None:
        return 0 if run.state in ("finished", "unknown") else 1
    return run.exit_code if -(2**31) <= run.exit_code < 2**31 else 1


def shown_state(run: Run) -> str:
    """How W&B's service says that it ended: `wandb sync` fails one that has not."""
    return "finished" if shown_exit_code(run) == 0 else "failed"


def ending(run: Run) -> bytes | None:
    """How the run ended; None for one that has not."""
    code = shown_exit_code(run)
    if code is None:
        return None
    begun = started_ns(run)
    known = begun is not None and run.ended_ns is not None
    seconds = (run.ended_ns - begun) // _NS if known else 0  # type: ignore[operator]
    runtime = integer(2, seconds) if 0 < seconds < 2**31 else b""
    return (integer(1, code) if code else b"") + runtime
