"""Syncing several files and folders: an error of one reaches the caller, as Python knows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry import _native


def test_files_and_folders_of_any_number_are_synced(tmp_path: Path) -> None:
    files = [tmp_path / f"f{number}" for number in range(20)]
    for file in files:
        file.write_bytes(b"x")
    for count in range(20):
        _native.sync([*files[:count], tmp_path])
    _native.sync([])


@pytest.mark.parametrize("others", [0, 1, 20])
def test_what_cannot_be_synced_is_named(tmp_path: Path, others: int) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(FileNotFoundError) as raised:
        _native.sync([*[tmp_path] * others, gone])
    assert str(raised.value.filename) == str(gone)
    assert raised.value.strerror == "No such file or directory"
