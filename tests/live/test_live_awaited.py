"""A client of SwanLab of which nobody can tell whether it lives is not waited for for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.writers.swanlab_service import written

from runferry.dialects.swanlab import adopted
from runferry.live.delivery import Delivery, Ends
from runferry.live.journal import Journal
from runferry.live.layout import Layout, Stated
from runferry.live.session import make_folder
from runferry.live.status import Status
from runferry.ports import Location
from runferry.testing.samples import as_run, plain

SECONDS = 0.3


def folder_of(tmp_path: Path) -> Path:
    swanlog = tmp_path / "swanlog"
    written(Location("swanlab", str(swanlog)), as_run(plain(), "lion")).close()
    (folder,) = swanlog.glob("run-*")
    return folder


def delivered(root: Path, place: Location, seconds: float) -> Status | None:
    """What is said at the end of a delivery; None where it goes on after so many seconds."""
    delivery, told = Delivery(Layout(root), (place,), Ends(patience=SECONDS)), list[Status]()
    thread = threading.Thread(target=lambda: told.append(delivery.run()))
    thread.start()
    thread.join(seconds)
    found = told[0] if told else None
    delivery.stop()
    thread.join(20)
    return found


@pytest.mark.parametrize("lives", [None, True])
def test_a_client_of_which_nobody_can_tell_is_waited_for_as_long_as_patience_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lives: bool | None
) -> None:
    folder, root = folder_of(tmp_path), tmp_path / "session"
    (log,) = folder.glob("run-*.swanlab")
    whole = log.read_bytes()
    log.write_bytes(whole[:-20])  # its client has not said that it is through
    monkeypatch.setattr(adopted, "_lives", lambda _: lives)
    make_folder(root, Stated((f"swanlab:{folder}",)))
    journal = Journal(Layout(root).journals)
    journal.begin()
    journal.close()
    (path,) = journal.folder.glob("*.journal")
    path.rename(path.with_name("1-1.journal"))  # of a process that is gone
    place = Location("swanlab", str(folder))
    status = delivered(root, place, 15 if lives is None else 3 * SECONDS + 1)
    if lives:
        assert status is None
        return
    assert status is not None
    assert status.state == "gave-up"
    (one,) = status.destinations
    assert "ended its run, whose process may be gone" in str(one.waiting)
    log.write_bytes(whole)
    status = delivered(root, place, 15)  # as `resume` does
    assert (status and status.state) == "done"
