"""What the places of the two migrations mean, and how their runs are counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runferry.errors import BadLocation
from runferry.ports import Location
from runferry.testing.samples import plain
from runferry.transfer.migrations import chosen, goal, notes, of_entity, on_server, road, share_of


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEPTUNE_PROJECT", "team/own")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("wandb:", "neptune:", "wandb-to-neptune"),
        ("wandb:lab/p", "neptune:crew", "wandb-to-neptune"),
        ("neptune-models:", "neptune:", "neptune-models-to-neptune"),
        ("wandb:./files", "neptune:", None),
        ("wandb:", "neptune:./export", None),
        ("neptune:team", "neptune:", None),
        ("wandb:", "mlflow:sqlite:///runs.db", None),
    ],
)
def test_only_services_of_these_two_pairs_are_a_migration(
    source: str, destination: str, expected: str | None
) -> None:
    assert road(source, destination) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("wandb:", "neptune:team"),
        ("wandb:lab/p", "neptune:team"),
        ("neptune-models:crew/zoo", "neptune:crew/zoo"),
        ("neptune-models:crew/zoo/ZOO-NET", "neptune:crew/zoo"),
        ("neptune-models:crew/zoo,park", "neptune:crew"),
        ("neptune-models:crew", "neptune:crew"),
        ("neptune-models:", "neptune:"),
        ("neptune-models:./export", "neptune:"),
        ("wandb:./files", "neptune:"),
    ],
)
def test_a_destination_that_is_not_named_is_the_workspace_or_where_the_models_are(
    source: str, expected: str
) -> None:
    assert goal(source, "neptune:") == expected
    assert goal(source, "neptune:there/p") == "neptune:there/p"


def test_without_a_project_in_the_environment_there_is_no_workspace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NEPTUNE_PROJECT")
    with pytest.raises(BadLocation, match="no Neptune workspace"):
        goal("wandb:", "neptune:")


def test_a_folder_is_not_taken_for_a_workspace_or_an_entity(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "https://api.wandb.ai")
    assert of_entity("lab") == "wandb:lab"
    (here / "lab").mkdir()
    assert of_entity("lab") == "wandb:https://wandb.ai/lab"
    with pytest.raises(BadLocation, match="a folder of this name"):
        on_server("lab")


def test_names_with_commas_between_them() -> None:
    assert chosen(" b,a ,, x,b", ["a", "b", "c"]) == (["b", "a"], ["x"])
    assert chosen("", ["a"]) == ([], [])


def test_runs_are_counted_by_projects_and_models_by_kinds() -> None:
    run = replace(plain("a").run, project="p")
    assert share_of("wandb-to-neptune")(run) == ("projects", "p")
    by_kind = share_of("neptune-models-to-neptune")
    assert by_kind(replace(run, kind="model"))[0] == "models"
    assert by_kind(replace(run, kind="model_version"))[0] == "versions"


def test_only_a_migration_has_notes() -> None:
    there = Location("neptune", "team")
    assert "wandb/created_at" in notes(Location("wandb", "lab"), there)[0]
    assert "old_sys/creation_time" in notes(Location("neptune-models", "team"), there)[0]
    assert not notes(Location("wandb", "lab"), Location("neptune", "./export"))
    assert not notes(Location("wandb", "./wandb"), there)
