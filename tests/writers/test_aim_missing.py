"""Without Aim nothing is begun in a repository: whoever is to write there says so first."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from runferry import settings
from runferry.errors import MissingExtra
from runferry.ports import Location
from runferry.writers.aim import AimWriter


@pytest.fixture
def without_aim(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = importlib.util.find_spec

    def missing(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "aim" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    before = settings.current()
    settings.install(settings.Settings(aim_environment="off"))
    yield
    settings.install(before)


@pytest.mark.usefixtures("without_aim")
def test_a_writer_for_which_there_is_no_aim_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="aim"):
        AimWriter.open(Location("aim", str(tmp_path / "repo")))
    assert not list(tmp_path.iterdir())
