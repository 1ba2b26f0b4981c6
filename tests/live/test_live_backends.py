"""A project's name means a project, whatever it is called and whatever folders there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry.errors import BadLocation
from runferry.live import backends


@pytest.mark.parametrize(
    ("backend", "project"),
    [
        *(("clearml", name) for name in ("..", "../up", "~", "/etc", "there")),
        *(("trackio", name) for name in ("..", "../up", "~")),
        *(("wandb", name) for name in ("..", "there")),
    ],
)
def test_a_project_that_would_be_a_folder_is_told_and_nothing_goes_there(
    backend: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_ENTITY", "lab")
    Path("lab", "there").mkdir(parents=True)
    Path("there").mkdir()
    with pytest.raises(BadLocation, match="would be taken for a folder"):
        backends.places(backend, project=project)
    assert backends.places(backend, project="elsewhere")
