"""Artifacts on two sides: which is which, and what differs, to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Tree, same_value

Stated: TypeAlias = "tuple[Tree | KeyPath, ...]"
"""Name, type, relation, version, id; or of an entry reference, digest, hash."""

_NAMED = 3
"""Name, type and relation: how an identity begins."""
_OF_TRACKER = "_wandb"
_ABSENT = "it is not there"
_OTHER_BYTES = "its bytes are others there, or are not there"
_TAKEN = "the alias stands for another version there, or for none"


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Those of one side, by their identities, and their entries by path."""

    stated: Mapping[Stated, chunks.Artifact]
    entries: Mapping[Stated, Mapping[str, Stated]]


def artifact_differences(original: Artifacts, copy: Artifacts) -> Iterator[Loss]:
    """What differs in what the run made and used: what is said of it, and every byte."""
    anew = _numbered_anew(original, copy)
    for identity, artifact in original.stated.items():
        place = identity_place(identity)
        there = anew.get(identity, identity)
        found = copy.stated.get(there)
        if found is None:
            yield Loss("artifact", Fate.DROPPED, place, 1, _ABSENT)
            continue
        entries, found_entries = original.entries[identity], copy.entries[there]
        is_anew = there != identity or _is_another(artifact, found)
        if is_anew:
            yield Loss(
                "artifact-version", Fate.RENAMED, place, 1, f"it is {identity_place(there)} there"
            )
            entries, found_entries = _with_bytes(entries), _with_bytes(found_entries)
        for alias in dict.fromkeys(artifact.aliases):
            if alias not in found.aliases:
                yield Loss("artifact-alias", Fate.ROUNDED, f"{place}/{alias}", 1, _TAKEN)
        if others := [*(_said_otherwise if is_anew else _otherwise)(artifact, found)]:
            detail = f"its {' and '.join(others)} differ{'s' * (len(others) == 1)} there"
            yield Loss("artifact", Fate.ROUNDED, place, 1, detail)
        for path in sorted(entries.keys() | found_entries.keys()):
            if entries.get(path) != found_entries.get(path):
                yield Loss("artifact-entry", Fate.DROPPED, f"{place}/{path}", 1, _OTHER_BYTES)
    yield from invented(
        map(identity_place, copy.stated.keys() - original.stated.keys() - {*anew.values()})
    )


def _numbered_anew(original: Artifacts, copy: Artifacts) -> dict[Stated, Stated]:
    """The artifacts that have the same name, type and relation there, and another version or id.

    Of several those with the same content go together, then the first with the first.
    """
    wanted = [one for one in original.stated if one not in copy.stated]
    free = [one for one in copy.stated if one not in original.stated]
    found: dict[Stated, Stated] = {}
    for is_same in (True, False):
        for one in wanted:
            like = (
                it
                for it in free
                if it[:_NAMED] == one[:_NAMED]
                and (
                    not is_same
                    or _with_bytes(original.entries[one]) == _with_bytes(copy.entries[it])
                )
            )
            there = None if one in found else next(like, None)
            if there is not None:
                found[one] = there
                free.remove(there)
    return found


def _with_bytes(entries: Mapping[str, Stated]) -> dict[str, Stated]:
    """References and hashes of what is there; every tracker has its own digests."""
    told = ((path, (entry[0], entry[2])) for path, entry in entries.items())
    return {path: entry for path, entry in told if entry != (None, None)}


def _is_another(original: chunks.Artifact, copy: chunks.Artifact) -> bool:
    """Whether two servers of W&B happen to have given one number to versions made at two times."""
    made = [
        one.metadata.get(_OF_TRACKER) for one in (original, copy) if isinstance(one.metadata, dict)
    ]
    times = [
        facts["createdAt"] for facts in made if isinstance(facts, dict) and "createdAt" in facts
    ]
    return len(times) == 2 and times[0] != times[1]


def _said_otherwise(original: chunks.Artifact, copy: chunks.Artifact) -> Iterator[str]:
    """What the user said and is not there: W&B adds aliases, and facts under its own name."""
    if (original.description or None) != (copy.description or None):
        yield "description"
    if not same_value(_said(original), _said(copy)):
        yield "metadata"


def _said(artifact: chunks.Artifact) -> Tree:
    found = artifact.metadata
    if isinstance(found, dict):
        found = {name: value for name, value in found.items() if name != _OF_TRACKER}
    return found or None


def identity_place(identity: Stated) -> str:
    """How a loss names an artifact."""
    return "/".join(str(part) for part in identity if part is not None)


def _otherwise(original: chunks.Artifact, copy: chunks.Artifact) -> Iterator[str]:
    """All that differs in the same version, but for aliases that it has no more."""
    if not {*copy.aliases} <= {*original.aliases}:
        yield "aliases"
    for name in ("description", "digest"):
        if getattr(original, name) != getattr(copy, name):
            yield name
    if not same_value(original.metadata, copy.metadata):
        yield "metadata"


def invented(places: Iterator[str]) -> Iterator[Loss]:
    """Things that the original does not have."""
    for place in sorted(places):
        yield Loss("invented", Fate.DROPPED, place, 1, "the original has no such thing")
