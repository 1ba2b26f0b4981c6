"""A set of files that a server of Neptune's gives damaged is told of, with a way on."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from runferry.errors import Damaged
from runferry.readers.neptune.server.fetched import FetchedSet

CONTENT = b"x" * 1000


def fetched_set(destination: str) -> None:
    with zipfile.ZipFile(destination, "w") as archive:
        archive.writestr("sound.txt", "whole")
        archive.writestr("train.py", CONTENT)
    path = Path(destination)
    path.write_bytes(path.read_bytes().replace(CONTENT, b"y" * 1000))


def test_a_damaged_member_is_an_error_with_a_place_and_a_hint() -> None:
    whole = FetchedSet(fetched_set, "neptune:team/vision/PRO-1")
    assert [one.filename for one in whole.members()] == ["sound.txt", "train.py"]
    with whole.opener("sound.txt")() as stream:
        assert stream.read() == b"whole"
    with whole.opener("train.py")() as stream, pytest.raises(Damaged, match=r"train\.py") as told:
        stream.read()
    assert told.value.where == "neptune:team/vision/PRO-1"
    assert told.value.hint
