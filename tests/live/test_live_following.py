"""A follow ends by the same rules as a session's delivery: patience is for what fails."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from runferry.archive.store import Archive
from runferry.errors import NoSpace
from runferry.live import hub, sending
from runferry.live.following import Following
from runferry.live.status import Status
from runferry.locations import locate
from runferry.ports import Location
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import Report

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb"


def followed(tmp_path: Path, patience: float) -> Status:
    """The example's runs, which have ended."""
    source = locate(f"wandb:{EXAMPLE}", role="source")
    place = locate(f"jsonl:{tmp_path / 'lines'}", role="destination")
    following = Following(
        (source,), tmp_path / "hub", (place,), quiet_seconds=60, patience=patience
    )
    return following.run(lambda _: None)


def test_patience_ends_for_no_destination_that_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*given: Any, **more: Any) -> Report:
        time.sleep(1)
        return push(*given, **more)

    monkeypatch.setattr(sending, "push", slow)
    assert followed(tmp_path, 0).state == "done"


def test_a_pull_that_fails_at_the_end_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = 0

    def pulled(place: Location, archive: Archive, **more: Any) -> Report:
        nonlocal ends
        ends += not more["options"].is_growing
        if ends == 1:
            return Report("pull", str(place), str(archive.path), cause=NoSpace("no space"))
        return pull(place, archive, **more)

    monkeypatch.setattr(hub, "pull", pulled)
    assert followed(tmp_path, 30).state == "done"
    assert ends == 2
