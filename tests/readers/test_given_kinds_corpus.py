"""What strangers' runs have is what readers say they give."""

from __future__ import annotations

from collections import defaultdict

import pytest
from gathered import corpus

from runferry import registry
from runferry.anywhere import AnyReader
from runferry.chunks import Header
from runferry.errors import RunferryError
from runferry.ports import Location, ReadOptions
from runferry.testing.content import kinds_of

CORPUS = corpus()


@pytest.mark.skipif(CORPUS is None, reason="no corpus; set RUNFERRY_CORPUS")
def test_no_reader_gives_what_it_does_not_declare() -> None:
    given = defaultdict[str, set[str]](set)
    reader = AnyReader.open(Location(registry.ANY, str(CORPUS)), ReadOptions())
    for run in reader.runs():
        found: set[str] = set()
        is_ours = False
        try:
            for chunk in reader.read(run):
                found |= kinds_of(chunk)
                is_ours |= isinstance(chunk, Header) and chunk.run.origin_uid is not None
        except RunferryError:
            pass  # damaged ones: what stood before counts
        if not is_ours:
            given[run.key.tracker] |= found
    reader.close()
    assert {"tensorboard", "wandb"} <= {*given}
    beyond = {name: kinds - registry.reader(name).gives for name, kinds in given.items()}
    assert {name: kinds for name, kinds in beyond.items() if kinds} == {}
