"""What users log on to a run of ours, with Aim's own package, is not taken away in silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.writers.aim_runs import by_aim, points_in, read
from tests.writers.grown_runs import UID, pushed

from runferry.dialects.aim.places import HOME, chunk_at
from runferry.errors import Refused
from runferry.ports import Location
from runferry.writers.aim import AimWriter
from runferry.writers.plain_folder.draft import Draft

LOG = (
    "import aim, sys; run = aim.Run(sys.argv[2], repo=sys.argv[1], "
    "system_tracking_interval=None, log_system_params=False); "
    "run.track(0.25, name='of theirs', step=7); run.close(); print(1)"
)


@pytest.fixture
def place(aim_repository: Path, tmp_path: Path) -> Location:
    return Location("aim", str(shutil.copytree(aim_repository, tmp_path / "repo")))


def is_theirs_there(place: Location) -> bool:
    _, found = read(place)
    return any(
        row["key"] == "of theirs" for chunk in points_in(found) for row in chunk.batch.to_pylist()
    )


def test_a_run_that_grew_is_not_sent_over_what_somebody_logged_on_to_it_there(
    place: Location, tmp_path: Path
) -> None:
    """Neither from the archive that sent it nor from another; `--restart` is the way."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    assert not pushed(place, here, 5).failures
    by_aim(LOG, place.where, UID[:24], cwd=tmp_path)
    assert pushed(place, here, 5).counts == {"unchanged": 1}
    for archive in (here, elsewhere):
        (refused,) = pushed(place, archive, 9).failures
        assert "somebody logged on to the run" in (refused.error or "")
        assert "--restart" in (refused.hint or "")
        assert is_theirs_there(place)
    assert not pushed(place, here, 9, restart=True).failures
    assert not is_theirs_there(place)


def test_databases_that_a_killed_push_left_are_not_taken_for_somebody_elses_rows(
    place: Location, tmp_path: Path
) -> None:
    """They are others than those that were noted: it was killed before it could note them."""
    assert not pushed(place, tmp_path / "here", 5).failures
    by_killed = Location("aim", str(shutil.copytree(place.path, tmp_path / "by killed")))
    assert not pushed(by_killed, tmp_path / "its archive", 9).failures
    for part in ("seqs", "meta"):
        came = chunk_at(by_killed.path / HOME, part, UID[:24])
        stood = chunk_at(place.path / HOME, part, UID[:24])
        shutil.rmtree(stood)
        shutil.copytree(came, stood)
        assert AimWriter.open(place).find(UID) is None
    assert not pushed(place, tmp_path / "here", 9).failures


def test_what_is_logged_on_to_a_run_of_a_push_that_was_broken_off_is_not_taken_away(
    place: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its databases were in the repository, and before a copy of it was complete."""

    def broken_off(*_: object) -> None:
        raise Refused("broken off")

    with monkeypatch.context() as patched:
        patched.setattr(Draft, "complete", broken_off)
        for cut in (4, 5):  # the second takes the place of what the first left, and is left so too
            (failed,) = pushed(place, tmp_path / "killed", cut).failures
            assert "broken off" in (failed.error or "")
    by_aim(LOG, place.where, UID[:24], cwd=tmp_path)
    for archive in ("killed", "elsewhere"):
        (refused,) = pushed(place, tmp_path / archive, 5).failures
        assert "somebody logged on to the run" in (refused.error or "")
        assert is_theirs_there(place)
    assert not pushed(place, tmp_path / "killed", 5, restart=True).failures
    assert not is_theirs_there(place)
    assert not list((place.path / HOME).rglob("published/*.json"))
