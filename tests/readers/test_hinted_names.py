"""Commands of hints hold names of strangers' files: each is one word of a shell."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from runferry.errors import RunferryError
from runferry.readers.aim.process import damaged
from runferry.readers.sqlite_files import failing_as_ours

NAME = "it's; touch gone"


def of_sqlite(path: Path) -> RunferryError:
    with pytest.raises(RunferryError) as caught, failing_as_ours(path):
        raise sqlite3.DatabaseError("file is not a database")
    return caught.value


@pytest.mark.parametrize("failing", [of_sqlite, lambda path: damaged("cut", path / ".aim")])
def test_a_name_in_a_command_is_one_word(
    tmp_path: Path, failing: Callable[[Path], RunferryError]
) -> None:
    path = tmp_path / NAME
    assert str(path) in shlex.split(failing(path).hint)


def test_a_name_that_is_no_utf8_can_be_printed(tmp_path: Path) -> None:
    for failing in (of_sqlite, lambda path: damaged("cut", path / ".aim")):
        error = failing(tmp_path / "a\udcff")
        f"{error.where} {error.hint}".encode()
