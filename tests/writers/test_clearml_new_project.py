"""Workers that meet the same new project of a ClearML server make it once, and both have it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from clearml_growth import WHERE, training_at

from runferry import registry
from runferry.testing.samples import as_run, plain
from runferry.writers.clearml.growing import GrowingWriter

pytestmark = pytest.mark.skipif(find_spec("clearml") is None, reason="clearml is not installed")


def test_a_project_that_another_worker_made_meanwhile_is_the_one_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with training_at(tmp_path) as training:
        first, second = (registry.growing_writer(WHERE, is_ending=False)() for _ in range(2))
        assert isinstance(first, GrowingWriter)
        assert isinstance(second, GrowingWriter)
        looked, runs = second._project_id, [as_run(plain(), name).run for name in ("one", "two")]

        def look(name: str) -> str | None:
            """The other one makes it as soon as this one has seen that there is none."""
            found = looked(name)
            if not training.server.store.projects:
                first._created(runs[0], runs[0].uid)
            return found

        monkeypatch.setattr(second, "_project_id", look)
        second._created(runs[1], runs[1].uid)
        (project,) = training.server.store.projects
        tasks = training.server.store.tasks.values()
        assert [task["project"] for task in tasks] == [project] * 2
        first.close()
        second.close()
