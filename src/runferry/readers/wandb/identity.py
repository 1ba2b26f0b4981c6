"""Which places are one run: copies, resumed runs and shared ones, and same ids by accident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runferry.losses import Fate, Loss
from runferry.model import Run, RunKey
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.heads import Head

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one run, in order of time."""

    key: RunKey
    heads: tuple[Head, ...]
    losses: tuple[Loss, ...] = ()
    rewound: str | None = None  # the id under which the run is here that this one goes back in

    def header(self) -> Run:
        """What the first file tells of the beginning, and the last one of the end."""
        mark = self.heads[0].mark
        if mark is not None:
            return replace(mark.run, key=self.key, origin_uid=mark.uid)
        facts, ending = self.heads[0].facts, self.heads[-1].ending
        if ending is not None:
            facts = Facts(dict(facts.state))
            facts.begin_segment()
            facts.absorb("exit", ending)
        return self.run(facts)

    def run(self, facts: Facts) -> Run:
        """The header that these facts make."""
        run = facts.run(self.key)
        if run.forked_from is None or self.rewound is None:
            return run
        return replace(run, forked_from=replace(run.forked_from, run_id=self.rewound))


def grouped(heads: Iterable[Head]) -> Iterator[Group]:
    """Runs in the order of their first place, each key once.

    The same key again: identical content is one run, content that extends another replaces it, a
    declared resume or shared mode is appended in order of time, and anything else is a second run:
    also one that goes back to a step of the first, since W&B then hides rows that are in the files.
    """
    found: dict[tuple[str, str], list[Head]] = {}
    for head in heads:
        found.setdefault((head.project, head.run_id), []).append(head)
    taken = set(found)
    for (project, run_id), same in found.items():
        before: str | None = None
        for chain in _chains(_distinct(same)):
            key = (project, run_id)
            losses: tuple[Loss, ...] = ()
            rewound = before if chain[0].facts.is_rewind else None
            if before is not None:
                key = _free(project, run_id, taken)
                taken.add(key)
                losses = (_renamed(run_id, key[1], chain[0], rewound),)
            before = key[1]
            yield Group(RunKey("wandb", *key), tuple(chain), losses, rewound)


def _chains(heads: list[Head]) -> list[list[Head]]:
    """Heads in order of time, those that declare a continuation behind what they continue."""
    chains: list[list[Head]] = []
    for head in sorted(heads, key=lambda head: head.start_ns):
        continues = head.is_resumed and not head.facts.is_rewind
        if chains and (continues or (head.is_shared and chains[-1][-1].is_shared)):
            chains[-1].append(head)
        else:
            chains.append([head])
    return chains


def _free(project: str, run_id: str, taken: set[tuple[str, str]]) -> tuple[str, str]:
    number = 2
    while (project, f"{run_id}~{number}") in taken:
        number += 1
    return project, f"{run_id}~{number}"


def _renamed(run_id: str, given: str, head: Head, rewound: str | None) -> Loss:
    if rewound is None:
        detail = (
            f"another run has the id {run_id}, and neither continues the other; this is {given}"
        )
        return Loss("same-run-id", Fate.RENAMED, head.place.label, 1, detail)
    fork = head.facts.run(RunKey("wandb", "", run_id)).forked_from
    step = "an earlier step" if fork is None or fork.step is None else f"step {fork.step:,}"
    detail = (
        f"this goes back to {step} of {run_id}, which has all of its rows here as {rewound}; "
        f"what was logged since is {given}"
    )
    return Loss("rewound-run", Fate.RENAMED, head.place.label, 1, detail)


def _distinct(heads: list[Head]) -> list[Head]:
    """Heads without copies and without what another extends, in their order."""
    if len(heads) == 1:
        return heads
    kept: list[Head] = []
    for head in sorted(heads, key=lambda head: (-_size(head), -_files(head))):
        if not any(_begins_with(other, head) for other in kept):
            kept.append(head)
    order = {id(head): index for index, head in enumerate(heads)}
    return sorted(kept, key=lambda head: order[id(head)])


def _begins_with(longer: Head, shorter: Head) -> bool:
    """Whether the content of `shorter` is the beginning of, or equal to, that of `longer`."""
    if longer.content is None or shorter.content is None:
        return False
    if (longer.place.history is None) != (shorter.place.history is None):
        return False
    length = _size(shorter)
    if not length:
        return False
    try:
        return _is_prefix(shorter.content, longer.content)
    except OSError:
        return False  # reading it will say so


def _is_prefix(shorter: Path, longer: Path) -> bool:
    with shorter.open("rb") as short, longer.open("rb") as long:
        while piece := short.read(_PIECE):
            if long.read(len(piece)) != piece:
                return False
    return True


def _size(head: Head) -> int:
    try:
        return head.content.stat().st_size if head.content is not None else 0
    except OSError:
        return 0


def _files(head: Head) -> int:
    """How much lies around the records: of two equal ones the richer folder is taken."""
    home = head.place.files
    try:
        return sum(1 for _ in home.iterdir()) if home is not None else 0
    except OSError:
        return 0
