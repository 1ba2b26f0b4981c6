"""What a destination's limits mean for rows, as SQL conditions under the codes of `foretell`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from runferry.losses import Fate, Loss
from runferry.ports import Limits

FLOAT_BITS: Final = "float-bits"
"""What writers report where a destination has one zero and one NaN: no statistics foretell it."""

_REPORTED: Final = (FLOAT_BITS, "number-kind")

Case = tuple[str, str]
"""A code, and the SQL condition on the original's row under which it applies."""

_CODES = (
    "null_step", "fractional_step", "negative_step", "step_beyond", "falling_step",
    "null_time", "negative_time", "finer_time", "nan", "infinity", "null_value",
    "inexact_int", "number_kind", "long_text", "duplicate_point", "repeated_step",
    "source_order", "system_step",
)  # fmt: skip


_BEFORE_SENDING: Final = ("negative-step", "step-beyond")
"""Rows of every series go by these, since they are left out before the destination sees them."""

SYSTEM: Final = "system_series"
"""A table of the numbers of system series: `sid`."""

CROWDED: Final = "crowded"
"""A table of one row: the first `step` that `repeated-step` is about, or null."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the destination's limits mean for rows."""

    time_unit_ns: int = 1
    max_step: int = 2**63 - 1
    max_text_length: int = 2**31
    is_in_order: bool = False  # rows are sent in the order of their steps, so that none falls
    fates: Mapping[str, Fate] = field(default_factory=dict)  # by code

    @classmethod
    def of(cls, limits: Limits, reported: Iterable[Loss] = ()) -> Rules:
        """The rules of a destination; `reported` is what was told while it was sent."""
        fates = {code.replace("_", "-"): getattr(limits, code) for code in _CODES}
        if limits.order == "step" and limits.null_step > Fate.REENCODED:
            fates["null-step"] = Fate.DROPPED  # what it becomes may come too late
        fates[FLOAT_BITS] = Fate.KEPT
        for loss in reported:
            if loss.code in _REPORTED:
                fates[loss.code] = max(fates[loss.code], loss.fate)
        is_in_order = limits.order == "step"
        return cls(limits.time_unit_ns, limits.max_step, limits.max_text_length, is_in_order, fates)

    def drops(self, code: str) -> bool:
        """Whether rows of this kind do not arrive."""
        return self.fates.get(code) is Fate.DROPPED

    def changes(self, code: str) -> bool:
        """Whether it may arrive as something else, for good."""
        return self.fates.get(code, Fate.KEPT) >= Fate.ROUNDED

    def dropped(self, cases: Iterable[Case]) -> str:
        """SQL: whether the row does not arrive."""
        return _any(test for code, test in cases if self.drops(code))

    def changed(self, cases: Iterable[Case]) -> str:
        """SQL: whether this side of the row may arrive as something else."""
        return _any(test for code, test in cases if self.changes(code))

    def case(self, cases: Iterable[Case], otherwise: str) -> str:
        """SQL for the code whose condition holds; of several, the one of the worst fate."""
        ranked = sorted(cases, key=lambda case: -self.fates.get(case[0], Fate.KEPT))
        whens = "".join(f" WHEN {condition} THEN '{code}'" for code, condition in ranked)
        return f"CASE{whens} ELSE '{otherwise}' END" if whens else f"'{otherwise}'"

    def step_cases(self, row: str) -> list[Case]:
        """Why a step may be another; `row` stands before each column."""
        cases = [
            ("null-step", f"{row}step IS NULL"),
            ("fractional-step", f"{row}frac IS NOT NULL"),
            ("negative-step", f"{row}step < 0"),
            ("step-beyond", f"{row}step > {self.max_step}"),
        ]
        if self.changes("repeated-step"):
            cases.append(("repeated-step", f"{row}step >= (SELECT step FROM {CROWDED})"))
        if self.changes("system-step"):
            is_system = f"{row}sid IN (SELECT sid FROM {SYSTEM})"
            cases = [
                (code, test if code in _BEFORE_SENDING else f"({test} AND NOT {is_system})")
                for code, test in cases
            ]
            cases.append(("system-step", f"({row}step IS NOT NULL AND {is_system})"))
        return cases

    def time_cases(self, row: str) -> list[Case]:
        """Why a time may be another, beyond being cut to the destination's unit."""
        return [("null-time", f"{row}t IS NULL"), ("negative-time", f"{row}t < 0")]


def _any(conditions: Iterable[str]) -> str:
    return f"coalesce({' OR '.join(conditions) or 'false'}, false)"
