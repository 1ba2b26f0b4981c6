"""One archive's worth of nasty runs: what trackers really hold, and what breaks importers.

Each function gives one `Sample`; `all_samples` gives them all. Everything is the same on every
call: times, ids and bytes are constants, or follow from the seed.
"""

from __future__ import annotations

from collections.abc import Callable

from runferry.testing.recording import Sample
from runferry.testing.samples.basics import (
    HOSTILE_NAMES,
    SCOPE,
    SECOND_NS,
    START_NS,
    TRACKER,
    UNICODE_NAMES,
    header,
    nan_with_payload,
)
from runferry.testing.samples.belongings import attributes, console, empty, files, lineage, media
from runferry.testing.samples.kin import relatives, retagged
from runferry.testing.samples.series import (
    facts,
    histograms,
    many_keys,
    names,
    steps,
    texts,
    times,
    values,
)
from runferry.testing.samples.tame import as_run, bulk, curve, plain

__all__ = [
    "HOSTILE_NAMES",
    "SCOPE",
    "SECOND_NS",
    "START_NS",
    "TRACKER",
    "UNICODE_NAMES",
    "all_samples",
    "as_run",
    "attributes",
    "bulk",
    "console",
    "curve",
    "empty",
    "facts",
    "files",
    "header",
    "histograms",
    "lineage",
    "many_keys",
    "media",
    "names",
    "nan_with_payload",
    "plain",
    "relatives",
    "retagged",
    "steps",
    "texts",
    "times",
    "values",
]

_EACH: tuple[Callable[[], Sample], ...] = (
    values,
    steps,
    times,
    names,
    attributes,
    empty,
    texts,
    histograms,
    media,
    console,
    files,
    lineage,
    facts,
    retagged,
)


def all_samples(*, keys: int = 500) -> tuple[Sample, ...]:
    """All of the above, each run once; `keys` sizes the run of very many series."""
    return (*(make() for make in _EACH), *relatives(), many_keys(keys), curve())
