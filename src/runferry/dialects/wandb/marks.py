"""The mark by which a run of ours is known in W&B's service: a tag, since listings show tags.

`runferry:<uid>`, and behind another colon letters for what W&B is shown and the run did not have:
`r` for `_runtime` in each row, `s` for a summary of last values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from runferry.model import Uid

ADDED_SUMMARY: Final = frozenset({"_step", "_runtime", "_timestamp"})
"""What W&B states in the summary of every run."""

SHOWN_TIME_UNIT_NS: Final = 1_000
"""Our rows show their times cut to this, as doubles of seconds of the same microsecond."""

_TAG: Final = re.compile(r"runferry:([0-9a-f]{32})(?::([rs]+))?")


@dataclass(frozen=True, slots=True)
class ServiceMark:
    """Whose copy a run is, and what of it is only shown."""

    uid: Uid
    shows_runtime: bool = False
    shows_summary: bool = False

    @property
    def tag(self) -> str:
        """As a tag of the run."""
        flags = "r" * self.shows_runtime + "s" * self.shows_summary
        return f"runferry:{self.uid}" + (f":{flags}" if flags else "")

    @classmethod
    def of(cls, tag: str) -> Self | None:
        """The inverse of `tag`; None for any other tag."""
        found = _TAG.fullmatch(tag)
        if found is None:
            return None
        flags = found[2] or ""
        return cls(Uid(found[1]), "r" in flags, "s" in flags)


def tags_of(uid: Uid) -> list[str]:
    """Every tag that a mark of this uid may be."""
    flags = (False, True)
    return [ServiceMark(uid, runtime, summary).tag for runtime in flags for summary in flags]


def marked(tags: Iterable[str]) -> tuple[tuple[str, ...], ServiceMark | None]:
    """The run's own tags, and the mark among them."""
    own: list[str] = []
    mark = None
    for tag in tags:
        found = ServiceMark.of(tag)
        if found is None:
            own.append(tag)
        else:
            mark = found
    return tuple(own), mark
