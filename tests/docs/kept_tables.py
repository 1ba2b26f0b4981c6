"""The tables "At a glance" of the trackers' pages, made of what readers and writers declare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from runferry import registry
from runferry.losses import Fate
from runferry.model import KINDS
from runferry.ports import Limits

WORDS = {
    "null_step": "rows without a step",
    "fractional_step": "fractional steps",
    "negative_step": "steps below 0",
    "falling_step": "steps that fall",
    "step_beyond": "steps beyond {max_step}",
    "duplicate_point": "the same value twice",
    "repeated_step": "a step that comes twice in a series",
    "source_order": "the order of rows",
    "system_step": "steps of the machine's series",
    "finer_time": "times finer than {time_unit}",
    "null_time": "rows without a time",
    "negative_time": "times before 1970",
    "nan": "NaN",
    "infinity": "±Inf",
    "null_value": "nulls that were logged",
    "inexact_int": "integers beyond 2⁵³",
    "number_kind": "which number is an int / a bool / a float32",
    "attribute_type": "types of attributes",
    "long_attribute": "attributes beyond {max_attribute_length} characters",
    "long_text": "texts beyond {max_text_length} characters",
    "run_id": "the run's id",
    "key_path": "nested names as such",
    "series_facts": "x axis / goal / summary rule / hidden of a series",
    "stream": "the machine's series told from the user's",
    "header_times": "when the run was created / started / ended",
    "lineage": "parents and forks",
    "media_path": "places of media in their source",
    "used_artifact": "which artifacts a run used",
    "artifact_version": "which version of an artifact has which number",
    "media_metadata": "what else is said of a medium",
}
"""What each fate of `Limits` is of."""

_UNITS = {1: "a nanosecond", 1_000: "a microsecond", 1_000_000: "a millisecond", 10**9: "a second"}
_BEGIN, _END = "<!-- kept: {} -->", "<!-- /kept -->"
_BLOCK = re.compile(r"<!-- kept: ([\w -]+) -->\n(.*?)<!-- /kept -->", re.DOTALL)


def with_tables(text: str) -> str:
    """A page with its tables as they are now."""
    return _BLOCK.sub(
        lambda found: f"{_BEGIN.format(found[1])}\n{table(found[1].split())}{_END}", text
    )


def named(page: Path) -> list[str]:
    """The readers and writers that a page has tables of."""
    return [
        name
        for names, _ in _BLOCK.findall(page.read_text(encoding="utf-8"))
        for name in names.split()
    ]


def table(names: list[str]) -> str:
    """The tables of these trackers."""
    return "\n".join(_parts(names)) + "\n"


def _parts(names: list[str]) -> Iterator[str]:
    for name in names:
        if name in registry.reader_names():
            gives = registry.reader(name).gives
            what = (
                "every kind"
                if len(gives) == len(KINDS)
                else ", ".join(k for k in KINDS if k in gives)
            )
            yield f"`{name}` gives: {what}.\n"
    places = {
        place: limits
        for name in names
        if name in registry.writer_names()
        for place, limits in registry.limits_by_place(name).items()
    }
    if places:
        yield from _kept(places)


def _kept(places: Mapping[str, Limits]) -> Iterator[str]:
    """One line for all things of the same fates."""
    fates = list(map(_fates, places.values()))
    by_fates: dict[tuple[Fate, ...], list[str]] = {}
    for what in fates[0]:
        if not _is_no_limit(what, places):
            told = _limited(what, places)
            by_fates.setdefault(tuple(of[what] for of in fates), []).append(told)
    yield f"| {' | '.join(f'`{place}`' for place in places)} | what |"
    yield "| --- " * (len(places) + 1) + "|"
    for line in sorted(by_fates):
        yield f"| {' | '.join(fate.label for fate in line)} | {', '.join(by_fates[line])} |"
    for place, limits in places.items():
        if limits.header_fields:
            of = limits.header_fields
            told = "; ".join(
                f"{fate.label} {', '.join(f'`{name}`' for name in sorted(of) if of[name] == fate)}"
                for fate in sorted(set(of.values()))
            )
            yield f"\nOf the header, in `{place}`: {told}."


def _fates(limits: Limits) -> dict[str, Fate]:
    held = {kind: limits.holds.get(kind, Fate.DROPPED) for kind in KINDS}
    return held | {words: getattr(limits, name) for name, words in WORDS.items()}


def _is_no_limit(words: str, places: Mapping[str, Limits]) -> bool:
    """Whether none of the places has the limit that the words speak of."""
    names = re.findall(r"{(\w+)}", words)
    free = {"time_unit": "time_unit_ns"}
    limits = [free.get(name, name) for name in names]
    return bool(names) and all(
        getattr(of, name) == getattr(Limits(), name) for of in places.values() for name in limits
    )


def _limited(words: str, places: Mapping[str, Limits]) -> str:
    """The words with the smallest numbers of these places in them."""
    least = {
        name: f"{min(getattr(limits, name) for limits in places.values()):,}"
        for name in ("max_step", "max_attribute_length", "max_text_length")
    }
    units = {limits.time_unit_ns for limits in places.values()}
    return words.format(time_unit=_UNITS.get(max(units), f"{max(units):,} ns"), **least)


def fate_fields() -> set[str]:
    """The fields of `Limits` that are a fate."""
    return {spec.name for spec in fields(Limits) if spec.type in (Fate, "Fate")}
