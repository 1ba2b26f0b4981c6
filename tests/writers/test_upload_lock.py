"""One upload of a run at a time: all processes of a user see one lock, and none is left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from runferry import settings
from runferry.errors import Declined, Refused
from runferry.writers.upload_lock import one_upload


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings.install(settings.Settings(patience=0.0))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_another_temporary_folder_has_no_second_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one_upload("swanlab", "team/run"):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with pytest.raises(Declined, match="another upload"), one_upload("swanlab", "team/run"):
            pass
        with one_upload("swanlab", "team/another"):
            pass
    assert not any(file.is_file() for file in (tmp_path / "cache").rglob("*"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux does")
def test_a_disk_without_locks_refuses_and_leaves_no_file_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none_left)
    before = open_files()
    with pytest.raises(Refused, match="No locks available"), one_upload("swanlab", "team/run"):
        pass
    assert open_files() == before


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(Refused, match="cache/runferry/uploads"), one_upload("swanlab", "team/run"):
        pass


def test_the_lock_of_a_run_on_a_disk_is_one_for_all_users_and_machines_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "disk"
    with one_upload("swanlab", "/disk/run", beside=beside):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another user's"))
        again = one_upload("swanlab", "/mnt/run", beside=beside)
        with pytest.raises(Declined, match="another upload"), again:
            pass
    with one_upload("swanlab", "/disk/run", beside=beside):
        pass


def test_on_a_disk_without_locks_the_processes_of_a_user_still_see_one_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    beside, original = tmp_path / "disk", fcntl.flock

    def flock(stream: object, how: int) -> None:
        named = stream if isinstance(stream, int) else stream.fileno()  # type: ignore[attr-defined]
        if os.fstat(named).st_ino == (beside / "lock").stat().st_ino:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        original(named, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with one_upload("swanlab", "/disk/run", beside=beside):
        again = one_upload("swanlab", "/disk/run", beside=beside)
        with pytest.raises(Declined, match="another upload"), again:
            pass
    assert "this disk has no locks" in caplog.text


def test_a_network_s_disk_locks_what_is_opened_to_read_and_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flock(2): NFS gives a shared lock to who may read, and an exclusive one to who may write."""
    original = fcntl.flock

    def flock(held: int, how: int) -> None:
        opened = fcntl.fcntl(held, fcntl.F_GETFL) & os.O_ACCMODE
        if opened == (os.O_WRONLY if how & fcntl.LOCK_SH else os.O_RDONLY):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        original(held, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with one_upload("swanlab", "/disk/run", beside=tmp_path / "disk"):
        pass
