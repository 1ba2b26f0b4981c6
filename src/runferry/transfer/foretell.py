"""Which losses a destination's limits mean for a run, from its statistics alone. Pure.

Codes are shared with `verify`, which measures under the same names what is foretold here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Attribute, DataKind, Inventory, Run, Series, SeriesCounts
from runferry.ports import Limits
from runferry.transfer.logged_order import of_order

MEDIA_KINDS = (
    "image",
    "audio",
    "video",
    "table",
    "plot",
    "html",
    "object3d",
    "molecule",
    "file",
    "other",
)
HEADER_TIMES = ("created_ns", "started_ns", "ended_ns")
_NS_PER_MS = 1_000_000


def foretell(inventory: Inventory, limits: Limits) -> tuple[tuple[Loss, ...], tuple[Loss, ...]]:
    """What is certain to be lost, and what may be: (losses, possible losses)."""
    certain, possible = LossLedger(), LossLedger()
    certain.extend(_of_header(inventory.run, limits))
    certain.extend(_of_attributes(inventory.attributes, limits))
    certain.extend(_of_kinds(inventory, limits))
    certain.extend(_of_versions(inventory, limits))
    possible.extend(_of_aliases(inventory, limits))
    for series in inventory.series:
        certain.extend(_of_facts(series, limits))
        for kind, counts in inventory.kinds_of(series):
            if kind != "media" and limits.holds.get(kind, Fate.DROPPED) is Fate.DROPPED:
                certain.add(_loss(kind, Fate.DROPPED, series.key, counts.points))
                continue
            stepped = _with_steps(series, counts, limits)
            certain.extend(_of_system_steps(series, counts, limits))
            certain.extend(_of_address(series.key, stepped, limits))
            certain.extend(_of_values(series.key, kind, counts, limits))
            if kind == "media":
                certain.extend(_of_media(series.key, inventory, limits))
            possible.extend(_perhaps(series.key, stepped, limits))
        possible.extend(_of_absence(series, inventory, limits))
        possible.extend(_of_kind(series, inventory, limits))
    for ledger, order in zip((certain, possible), of_order(inventory, limits), strict=True):
        ledger.extend(_kept([("source-order", limits.source_order, order)], ""))
    possible.extend(_of_repeated_steps(inventory, limits))
    possible.extend(
        Loss("missing-blob", Fate.DROPPED, "", count, "named by the source, which has no bytes")
        for count in inventory.missing.values()
    )
    return tuple(certain), tuple(possible)


def _loss(code: str, fate: Fate, where: str, count: int) -> Loss:
    otherwise = "held whole, in another form" if fate is Fate.REENCODED else ""
    return Loss(code, fate, where, count, _DETAILS.get(code, otherwise))


def _kept(checks: list[tuple[str, Fate, int]], where: str) -> Iterator[Loss]:
    for code, fate, count in checks:
        if fate is not Fate.KEPT and count:
            yield _loss(code, fate, where, count)


def _of_header(run: Run, limits: Limits) -> Iterator[Loss]:
    if limits.run_id is not Fate.KEPT:
        yield _loss("run-id", limits.run_id, "", 1)
    times = sum(getattr(run, name) is not None for name in HEADER_TIMES)
    yield from _kept([("header-times", limits.header_times, times)], "")
    yield from _kept([("lineage", limits.lineage, int(run.forked_from is not None))], "")
    blank = Run(run.key)
    for name, fate in limits.header_fields.items():
        if fate is not Fate.KEPT and getattr(run, name) != getattr(blank, name):
            yield _loss("header-field", fate, name, 1)


def _of_attributes(attributes: tuple[Attribute, ...], limits: Limits) -> Iterator[Loss]:
    for attribute in attributes:
        role = attribute.role
        fate = limits.holds.get(role, Fate.DROPPED)
        if fate is Fate.DROPPED:
            yield _loss(role, fate, role, 1)
            continue
        is_long = spelled_length(attribute) > limits.max_attribute_length
        checks = [
            (role, fate, 1),
            ("attribute-type", limits.attribute_type, int(not isinstance(attribute.value, str))),
            ("key-path", limits.key_path, int(len(attribute.path) > 1)),
        ]
        yield from _kept(checks, role)
        place = ".".join((role, *attribute.path))
        yield from _kept([("long-attribute", limits.long_attribute, int(is_long))], place)


def spelled_length(attribute: Attribute) -> int:
    """Characters of the value when it is written out."""
    if isinstance(attribute.value, str):
        return len(attribute.value)
    from runferry.tables import dumps

    return len(dumps(attribute.value))


def _of_kinds(inventory: Inventory, limits: Limits) -> Iterator[Loss]:
    attributes = sum(attribute.role == "other" for attribute in inventory.attributes)
    for kind in (*MEDIA_KINDS, "console", "artifact", "document", "raw"):
        fate = limits.holds.get(kind, Fate.DROPPED)
        rows = inventory.rows.get(kind, 0) - (attributes if kind == "other" else 0)
        yield from _kept([(kind, fate, max(rows, 0))], "")


def _of_versions(inventory: Inventory, limits: Limits) -> Iterator[Loss]:
    produced = sum(one.is_produced for one in inventory.artifacts)
    used = len(inventory.artifacts) - produced
    yield from _kept([("artifact-version", limits.artifact_version, produced)], "")
    if used and limits.used_artifact is not Fate.KEPT:
        yield Loss("artifact", limits.used_artifact, "", used, "which artifacts the run used")


def _of_aliases(inventory: Inventory, limits: Limits) -> Iterator[Loss]:
    """What another run brings later under the same name may take them away."""
    if limits.artifact_version is not Fate.KEPT:
        aliases = inventory.contested_aliases
        if aliases is None:
            aliases = sum(len(one.aliases) for one in inventory.artifacts)
        yield from _kept([("artifact-alias", Fate.ROUNDED, aliases)], "")


def _of_media(key: str, inventory: Inventory, limits: Limits) -> Iterator[Loss]:
    if limits.media_path is limits.media_metadata is Fate.KEPT:
        return
    paths, told = inventory.media_facts().get(key, (0, 0))
    checks = [
        ("media-path", limits.media_path, paths),
        ("media-metadata", limits.media_metadata, told),
    ]
    yield from _kept(checks, key)


def _of_facts(series: Series, limits: Limits) -> Iterator[Loss]:
    has_facts = series.hidden or (series.x_axis, series.goal, series.summary_rule) != (None,) * 3
    checks = [
        ("series-facts", limits.series_facts, int(has_facts)),
        ("key-path", limits.key_path, int(len(series.path) > 1)),
        ("stream", limits.stream, int(series.stream == "system")),
    ]
    yield from _kept(checks, series.key)


def _of_address(key: str, counts: SeriesCounts, limits: Limits) -> Iterator[Loss]:
    is_beyond = counts.max_step is not None and counts.max_step > limits.max_step
    is_early = counts.min_time_ns is not None and counts.min_time_ns < 0
    is_ms = limits.time_unit_ns == _NS_PER_MS
    checks = [
        ("null-step", limits.null_step, counts.null_steps),
        ("fractional-step", limits.fractional_step, counts.fractional_steps),
        ("negative-step", limits.negative_step, counts.negative_steps),
        ("step-beyond", limits.step_beyond, counts.points if is_beyond else 0),
        ("null-time", limits.null_time, counts.null_times),
        ("negative-time", limits.negative_time, counts.points if is_early else 0),
        ("finer-time", limits.finer_time, counts.submillisecond_times if is_ms else 0),
    ]
    if limits.order == "any":  # in order of step none falls
        checks.append(("falling-step", limits.falling_step, counts.falling_steps))
    yield from _kept(checks, key)


def _with_steps(series: Series, counts: SeriesCounts, limits: Limits) -> SeriesCounts:
    """The counts that rules for steps go by, where rows of the machine have none there."""
    if series.stream == "user" or limits.system_step is Fate.KEPT:
        return counts
    return replace(
        counts,
        null_steps=0,
        fractional_steps=0,
        falling_steps=0,
        duplicate_steps=max(0, counts.points - 1),
    )


def _of_system_steps(series: Series, counts: SeriesCounts, limits: Limits) -> Iterator[Loss]:
    if series.stream == "system":
        stepped = counts.points - counts.null_steps
        yield from _kept([("system-step", limits.system_step, stepped)], series.key)


def _of_absence(series: Series, inventory: Inventory, limits: Limits) -> Iterator[Loss]:
    """A series of whose rows none arrives is not there, nor is what is known of it."""
    kinds = [counts for _, counts in inventory.kinds_of(series)]
    if kinds and all(_may_vanish(series, counts, limits) for counts in kinds):
        yield Loss("series-facts", Fate.ROUNDED, series.key, 1, "none of its rows may arrive")


def _of_kind(series: Series, inventory: Inventory, limits: Limits) -> Iterator[Loss]:
    """A series is of the kind of its first row, and by step that may be another one."""
    is_sorted = limits.order == "step" and limits.source_order > Fate.REENCODED
    if is_sorted and series.key in inventory.mixed:
        yield Loss("series-kind", Fate.ROUNDED, series.key, 1, "it has rows of several kinds")


def _may_vanish(series: Series, counts: SeriesCounts, limits: Limits) -> bool:
    """Whether all of these rows may be dropped for their steps or times; counts may overlap."""
    stepped = _with_steps(series, counts, limits)
    found = [*_of_address(series.key, stepped, limits), *_perhaps(series.key, stepped, limits)]
    dropped = sum(loss.count for loss in found if loss.fate is Fate.DROPPED)
    return 0 < counts.points <= dropped


def _of_values(key: str, kind: DataKind, counts: SeriesCounts, limits: Limits) -> Iterator[Loss]:
    fate = limits.holds.get(kind, Fate.KEPT)
    checks: list[tuple[str, Fate, int]] = [(kind, fate, 0 if kind == "media" else counts.points)]
    if kind == "scalar":
        checks += [
            ("nan", limits.nan, counts.nan),
            ("infinity", limits.infinity, counts.positive_inf + counts.negative_inf),
            ("null-value", limits.null_value, counts.null_values),
            ("inexact-int", limits.inexact_int, counts.inexact_ints),
            ("number-kind", limits.number_kind, counts.not_float),
        ]
    if kind == "text" and counts.longest > limits.max_text_length:
        checks.append(("long-text", limits.long_text, counts.points))
    yield from _kept(checks, key)


def _perhaps(key: str, counts: SeriesCounts, limits: Limits) -> Iterator[Loss]:
    """What rows alone could tell for sure."""
    checks = [("duplicate-point", limits.duplicate_point, _repeated(counts))]
    if limits.order == "step" and limits.null_step > Fate.REENCODED:  # what it becomes may be late
        checks.append(("null-step", Fate.DROPPED, counts.null_steps))
    if limits.time_unit_ns not in (1, _NS_PER_MS):
        is_part = _NS_PER_MS % limits.time_unit_ns == 0  # then whole milliseconds are whole there
        timed = counts.submillisecond_times if is_part else counts.points - counts.null_times
        checks.append(("finer-time", limits.finer_time, timed))
    yield from _kept(checks, key)


def _repeated(counts: SeriesCounts) -> int:
    """At most so many rows have the step of another one, as far as steps are told apart there."""
    rounded = counts.null_steps + counts.fractional_steps + counts.negative_steps
    repeated = counts.duplicate_steps
    if counts.falling_steps or rounded:  # then a row may equal any earlier one
        repeated = counts.points - 1
    return max(0, min(repeated, counts.points - 1))


def _of_repeated_steps(inventory: Inventory, limits: Limits) -> Iterator[Loss]:
    """Where a series comes twice in a step, all that follows may move by a step."""
    if limits.repeated_step is Fate.KEPT:
        return
    stepped = [series for series in inventory.series if series.stream == "user"]
    counted = [(one.key, [counts for _, counts in inventory.kinds_of(one)]) for one in stepped]
    # values of two kinds may stand in one step, and a fraction beside the whole of another series
    if not any(
        len(kinds) > 1 or any(_repeated(one) or one.fractional_steps for one in kinds)
        for _, kinds in counted
    ):
        return
    for key, kinds in counted:
        for counts in kinds:
            moved = counts.points - counts.null_steps
            yield from _kept([("repeated-step", limits.repeated_step, moved)], key)


_DETAILS = {
    "artifact-alias": "it may come to stand for what another run brings under the same name",
    "artifact-version": "the destination numbers versions itself, as they arrive",
    "attribute-type": "values that are no text are written as text",
    "duplicate-point": "rows that are equal in all that the destination holds become one",
    "finer-time": "times are cut to the destination's unit",
    "header-times": "when the run was created, started and ended",
    "infinity": "infinite values",
    "inexact-int": "integers that a 64-bit float cannot hold",
    "key-path": "nested names are joined",
    "lineage": "what the run was forked from",
    "long-attribute": "longer than the destination takes",
    "long-text": "some may be longer than the destination takes",
    "media-metadata": "captions alone are shown: no boxes, masks or sizes",
    "media-path": "media are named anew",
    "number-kind": "integers, booleans, floats of 32 and of 64 bits become one kind",
    "repeated-step": "of several rows of one step the later ones move on, and what follows them",
    "run-id": "the destination gives ids of its own; ours is kept as a mark",
    "system-step": "metrics of the machine have no steps there",
    "source-order": "the order in which values were logged",
}
