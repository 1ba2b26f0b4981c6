"""One session serves those that go to the same places in the same way, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry.errors import UsageError
from runferry.live.hooks.tensorboard import TensorboardHook
from runferry.live.journal import Journal
from runferry.live.layout import Layout, Stated, live_session
from runferry.live.session import Session, Sessions

PLACE = ("swanlab:./swanlog",)
OFFLINE, LOCAL = Stated(PLACE), Stated(PLACE, options={"swanlab_dashboard": True})


def test_a_session_that_shows_a_dashboard_is_not_that_of_one_without(tmp_path: Path) -> None:
    """What a delivery has noted with a session is no other way."""
    Stated(PLACE, options={"live_upload": "growing"}).write(tmp_path / "offline")
    journal = Journal(Layout(tmp_path / "offline").journals)
    journal.begin()
    assert live_session(OFFLINE, tmp_path) == tmp_path / "offline"
    assert live_session(LOCAL, tmp_path) is None
    journal.close()


def test_one_process_that_would_bring_the_same_runs_there_in_two_ways_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNFERRY_LIVE_JOURNAL", "")  # undone with the test
    monkeypatch.setattr(Session, "deliver", lambda *_, **__: None)
    known = Sessions()
    session = known.begin(PLACE, None, OFFLINE)
    session.capture(TensorboardHook(session.journal))
    assert known.begin(PLACE, None, OFFLINE) is session
    with pytest.raises(UsageError, match="in another way"):
        known.begin(PLACE, None, LOCAL)
    session.release()
    other = known.begin(PLACE, None, LOCAL)
    assert other.layout.root != session.layout.root
    other.release()
