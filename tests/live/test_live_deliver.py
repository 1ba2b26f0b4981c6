"""The delivery process of a session, and the folder that it cannot write."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from training import rows, train

from runferry.archive.store import Archive
from runferry.errors import ExitCode, NoSpace, Unreachable
from runferry.live import deliver, hub
from runferry.live.delivery import Delivery, Ends
from runferry.live.frames import Kind
from runferry.live.journal import Journal
from runferry.live.layout import Layout, Stated, is_delivered
from runferry.live.status import Status
from runferry.locations import locate
from runferry.ports import Location
from runferry.transfer.pull import pull
from runferry.transfer.report import Report


def test_a_disk_that_is_full_when_a_delivery_begins_is_tried_again(tmp_path: Path) -> None:
    out = train(
        tmp_path,
        """
        import json, resource, signal, types
        from pathlib import Path
        from runferry.live import deliver
        from runferry.live.frames import Kind
        from runferry.live.journal import Journal
        from runferry.live.layout import Layout, Stated, is_delivered, is_live

        layout = Layout(Path("session"))
        Stated(("jsonl:./lines",)).write(layout.root)
        ended, end = os.pipe()
        if os.fork() == 0:  # who trains
            os.close(end)
            journal = Journal(layout.journals)
            call = {"op": "batch", "metrics": [["loss", 1, 1, 1]]}
            source = json.dumps({"tracker": "mlflow", "run": "r", "store": "s"})
            journal.append("mlflow", Kind.CALL, source, json.dumps(call).encode())
            os.read(ended, 1)
            journal.close()
            os._exit(0)
        while not is_live(layout):
            time.sleep(0.01)

        rested = []
        def there_is_room(seconds):
            rested.append(is_delivered(layout))
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
            os.close(end)

        deliver.time = types.SimpleNamespace(sleep=there_is_room)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))
        print(deliver.deliver(layout.root), *rested)
        """,
    )
    assert out.split() == ["0", "True"]
    assert rows(f"jsonl:{tmp_path / 'lines'}")["loss"] == [(1, 1.0)]


def test_a_setting_that_is_none_is_told_of_every_destination(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "session")
    Stated(("jsonl:./lines", "wandb:https://me:hidden@host/team/zoo")).write(layout.root)
    code = "from runferry.live import deliver; print(deliver.deliver(deliver.Path('session')))"
    assert train(tmp_path, code, RUNFERRY_RATE="often") == f"{ExitCode.USAGE:d}\n"
    status = Status.read(layout.status)
    assert status.state == "gave-up"
    for one in status.destinations:
        assert "RUNFERRY_RATE" in (one.failing or "")
        assert "hidden" not in f"{one}"
    assert len(status.destinations) == 2


def test_a_delivery_that_rests_is_seen_and_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, seen = Layout(tmp_path / "session"), []
    Stated(("jsonl:./lines",)).write(layout.root)
    place = locate(f"jsonl:{tmp_path / 'lines'}", role="destination")

    def resumed(seconds: float) -> None:
        seen.append(is_delivered(layout))
        delivery = Delivery(layout, (place,), Ends(0))
        delivery.stop()
        delivery.run()
        seen.append(is_delivered(layout))

    monkeypatch.setattr(deliver.time, "sleep", resumed)
    deliver._rest(layout)
    assert seen == [True, True]


def _ended_session(root: Path) -> Layout:
    """One record, of a process that is gone."""
    layout = Layout(root)
    Stated(("jsonl:./lines",)).write(layout.root)
    journal = Journal(layout.journals)
    call = {"op": "batch", "metrics": [["loss", 1, 1, 1]]}
    source = json.dumps({"tracker": "mlflow", "run": "r", "store": "s"})
    journal.append("mlflow", Kind.CALL, source, json.dumps(call).encode())
    journal.close()
    (mine,) = layout.journals.glob("*.journal")
    mine.rename(layout.journals / "1-1.journal")
    return layout


def test_what_can_be_pulled_only_after_the_end_is_delivered_before_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk is full when training ends, and has space again a moment later."""
    failures = 0

    def pulled(place: Location, archive: Archive, **more: Any) -> Report:
        nonlocal failures
        if failures < 2:  # the last pull is tried again
            failures += 1
            return Report("pull", str(place), str(archive.path), cause=NoSpace("no space"))
        return pull(place, archive, **more)

    monkeypatch.setattr(hub, "pull", pulled)
    layout = _ended_session(tmp_path / "session")
    place = locate(f"jsonl:{tmp_path / 'lines'}", role="destination")
    delivery = Delivery(layout, (place,), Ends(patience=20))
    told = list[tuple[int, str | None]]()
    write = Status.write

    def noted(status: Status, path: Path) -> None:
        told.extend((one.delivered, one.failing) for one in status.destinations)
        write(status, path)

    monkeypatch.setattr(Status, "write", noted)
    assert delivery.run().state == "done"
    assert rows(f"jsonl:{tmp_path / 'lines'}")["loss"] == [(1, 1.0)]
    assert (1, "no space") not in told
    assert told[-1] == (1, None)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("meets", ["work", "refusal", "silence"])
def test_patience_ends_for_a_destination_that_fails_and_for_none_that_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meets: str
) -> None:
    def refuses(*_: object, **__: object) -> Report:
        if meets == "silence":
            time.sleep(2)
        raise Unreachable("nobody answers")

    if meets != "work":
        monkeypatch.setattr("runferry.live.sending.push", refuses)
    if meets == "silence":
        monkeypatch.setattr("runferry.live.sending._LONGEST_ATTEMPT", 0)
    layout = _ended_session(tmp_path / "session")
    place = locate(f"jsonl:{tmp_path / 'lines'}", role="destination")
    status = Delivery(layout, (place,), Ends(patience=0)).run()
    (told,) = status.destinations
    assert (status.state, told.failing) == {
        "work": ("done", None),
        "refusal": ("gave-up", "nobody answers"),
        "silence": ("gave-up", "has not answered or ended for 0 minutes"),
    }[meets]


def _has_groups() -> bool:
    try:
        Path("/proc/self/autogroup").write_text("0", encoding="ascii")
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_groups(), reason="no autogroup of processes that can be told")
def test_whoever_trains_goes_first_in_another_session_too(tmp_path: Path) -> None:
    out = train(
        tmp_path,
        """
        from runferry.live import deliver

        deliver.deliver = lambda root: print(open("/proc/self/autogroup").read()) or 0
        deliver.main(["session"])
        """,
    )
    assert out.strip().endswith("nice 10")
