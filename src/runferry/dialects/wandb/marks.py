"""The mark by which a run of ours is known in W&B's service: a tag, since listings show tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from runferry.model import Uid

_TAG: Final = re.compile(r"runferry:([0-9a-f]{32})")


def tag_of(uid: Uid) -> str:
    """The tag that says whose copy a run is."""
    return f"runferry:{uid}"


def marked(tags: Iterable[str]) -> tuple[tuple[str, ...], Uid | None]:
    """The run's own tags, and the mark among them."""
    own, uid = [], None
    for tag in tags:
        found = _TAG.fullmatch(tag)
        if found is None:
            own.append(tag)
        else:
            uid = Uid(found[1])
    return tuple(own), uid
