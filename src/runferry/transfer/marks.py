"""The mark that a run bears in a destination: its uid, or that of the run which it came back from.

So a run is the same run there whichever way it came: from its source, or out of another destination
of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from runferry.model import Run, RunKey, Uid


def marks_of(runs: Iterable[Run]) -> Mapping[Uid, Uid]:
    """The marks of an archive's runs, by uid; a run that is not named bears its own.

    That is so where the mark would not tell runs of the archive apart, and for runs in which others
    are nested: a destination finds a parent by the key that its children name.
    """
    origins: dict[Uid, Uid] = {}
    here: set[Uid] = set()
    parents: set[Uid] = set()
    for run in runs:
        here.add(run.uid)
        if run.parent is not None:
            parents.add(RunKey(run.key.tracker, run.key.scope, run.parent).uid)
        if run.origin_uid is not None:
            origins[run.uid] = run.origin_uid
    claims = Counter(origins.values())
    return {
        uid: origin
        for uid, origin in origins.items()
        if claims[origin] == 1 and origin not in here and uid not in parents
    }
