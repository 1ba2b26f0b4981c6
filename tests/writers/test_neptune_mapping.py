"""Every row of the mapping from W&B to Neptune, in an archive of the exporter's format."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from neptune_runs import STARTED, model, wandb_run
from neptune_shown import bytes_of, exported, names_in, points_of, value_of
from tests.transfer.roads import archive_of

from runferry import settings
from runferry.dialects.neptune.own_store import UID_METADATA
from runferry.losses import Fate
from runferry.ports import Location
from runferry.testing.recording import Sample
from runferry.testing.samples import as_run, bulk
from runferry.transfer.push import push
from runferry.transfer.selection import Selection
from runferry.transfer.verify import verify_archive

ALL = Selection(included=frozenset({"all"}))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mapping")
    archive = archive_of([wandb_run()], folder)
    report = push(archive, Location("neptune", str(folder / "out")))
    assert not report.failures, [outcome.error for outcome in report.failures]
    return folder / "out"


@pytest.fixture(scope="module")
def run(root: Path) -> dict[str, list[dict[str, Any]]]:
    found = exported(root)
    assert list(found) == ["abc123"]
    return found["abc123"]


def test_project_name_has_hyphens_for_underscores(root: Path, run: dict[str, Any]) -> None:
    assert {row["project_id"] for rows in run.values() for row in rows} == {"team/example-project"}
    digest = hashlib.blake2b(b"team/example-project", digest_size=8).hexdigest()
    assert [p.name for p in (root / "data").iterdir()] == [f"team_example-project-{digest}"]


def test_run_name(run: dict[str, Any]) -> None:
    assert value_of(run["sys/name"]) == "fluffy-cloud-1"


def test_run_id_is_the_custom_run_id(run: dict[str, Any]) -> None:
    assert value_of(run["sys/custom_run_id"]) == "abc123"


def test_notes_are_the_description(run: dict[str, Any]) -> None:
    assert value_of(run["sys/description"]) == "# notes"


def test_tags(run: dict[str, Any]) -> None:
    assert value_of(run["sys/tags"]) == ["baseline", "v2"]


def test_group_is_a_group_tag(run: dict[str, Any]) -> None:
    assert value_of(run["sys/group_tags"]) == ["sweep-7"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("lr", 0.1), ("epochs", 3), ("amp", True), ("layers", "[1,2]"), ("nothing", "None"),
     ("huge", str(2**80))],
)  # fmt: skip
def test_config_keeps_its_types_and_strings_stand_for_others(
    run: dict[str, Any], name: str, value: object
) -> None:
    found = value_of(run[f"config/{name}"])
    assert found == value
    assert type(found) is type(value)


def test_summary(run: dict[str, Any]) -> None:
    assert value_of(run["summary/acc"]) == 0.9
    assert value_of(run["summary/best/name"]) == "x"


def test_metrics_have_steps_and_times(run: dict[str, Any]) -> None:
    assert points_of(run["train/loss"]) == [
        (step * 10.0, STARTED + timedelta(seconds=step), 1 / (step + 1)) for step in range(3)
    ]
    assert points_of(run["note"])[2] == (20.0, STARTED + timedelta(seconds=2), "step 2")


def test_system_metrics_lose_their_prefix(run: dict[str, Any]) -> None:
    assert [value for _, _, value in points_of(run["monitoring/cpu"])] == [50.0, 51.0, 52.0]
    assert not [path for path in run if "system" in path]


def test_output_is_a_string_series_a_line_each(run: dict[str, Any]) -> None:
    assert points_of(run["monitoring/stdout"]) == [
        (0.0, STARTED, "epoch 1"),
        (1.0, STARTED + timedelta(seconds=1), "epoch 2"),
    ]


def test_output_without_known_lines_is_taken_from_its_log(tmp_path: Path) -> None:
    from runferry import chunks

    sample = wandb_run()
    kept = tuple(c for c in sample.chunks if not isinstance(c, chunks.Console))
    archive = archive_of([Sample(sample.run, kept)], tmp_path)
    push(archive, Location("neptune", str(tmp_path / "out")))
    lines = points_of(exported(tmp_path / "out")["abc123"]["monitoring/stdout"])
    assert [line for _, _, line in lines] == ["output.log"]


def test_source_code(root: Path, run: dict[str, Any]) -> None:
    path = value_of(run["source_code/files"])["path"]
    assert names_in(root, path) == ["train.py"]


def test_requirements(root: Path, run: dict[str, Any]) -> None:
    assert run["source_code/requirements"][0]["attribute_type"] == "file"
    path = value_of(run["source_code/requirements"])["path"]
    assert bytes_of(root, path) == b"requirements.txt"


def test_checkpoints_are_known_by_their_names(root: Path, run: dict[str, Any]) -> None:
    path = value_of(run["checkpoints"])["path"]
    assert names_in(root, path) == ["model.ckpt", "my-checkpoint/weights.bin"]


def test_other_files(root: Path, run: dict[str, Any]) -> None:
    assert names_in(root, value_of(run["files"])["path"]) == ["notes/readme.md"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("entity", "team"), ("project", "example_project"), ("state", "finished"),
        ("job_type", "train"), ("user", "ana"), ("host", "box"), ("exit_code", 0),
        ("url", "https://wandb.ai/team/example_project/runs/abc123"), ("id", "abc123"),
        ("created_at", STARTED), ("python", "3.11"),
    ],
)  # fmt: skip
def test_every_other_attribute_of_the_run(run: dict[str, Any], name: str, value: object) -> None:
    assert value_of(run[f"wandb/{name}"]) == value


def test_what_is_left_out_by_default_is_not_there(run: dict[str, Any]) -> None:
    gone = ("summary/_runtime", "_runtime", "wandb/_wandb", "wandb/_internal", "image", "weights")
    assert not {path for path in run if path in gone or path.startswith("artifacts/")}
    assert not [path for path in run if path.startswith("summary/image")]


def test_all_of_it_is_there_when_it_is_included(tmp_path: Path) -> None:
    archive = archive_of([wandb_run()], tmp_path)
    there = Location("neptune", str(tmp_path / "out"))
    push(archive, there, selection=ALL)
    run = exported(tmp_path / "out")["abc123"]
    assert value_of(run["summary/_runtime"]) == 60
    assert len(run["_runtime"]) == 3
    assert value_of(run["wandb/_internal"]) == 1
    assert run["weights"][0]["histogram_value"] == {
        "type": "COUNTING", "edges": [0.0, 1.0], "values": [3.0],
    }  # fmt: skip
    assert run["image"][0]["attribute_type"] == "file_series"
    assert bytes_of(tmp_path / "out", run["image"][0]["file_value"]["path"])[:4] == b"\x89PNG"
    assert (
        bytes_of(tmp_path / "out", value_of(run["artifacts/net:v0"])["path"] + "/a.bin") == b"net"
    )
    assert names_in(tmp_path / "out", value_of(run["files"])["path"]) == [
        "artifact/1/x", "config.yaml", "media/images/i.png", "notes/readme.md",
        "wandb-summary.json",
    ]  # fmt: skip
    assert verify_archive(archive, there, selection=ALL).is_clean


def test_what_was_left_out_is_no_difference(tmp_path: Path) -> None:
    archive = archive_of([wandb_run()], tmp_path)
    there = Location("neptune", str(tmp_path / "out"))
    push(archive, there)
    assert verify_archive(archive, there).is_clean
    assert not verify_archive(archive, there, selection=ALL).is_clean


def test_a_second_migration_makes_no_duplicate(tmp_path: Path) -> None:
    there = Location("neptune", str(tmp_path / "out"))
    for machine in ("first", "second"):
        push(archive_of([wandb_run()], tmp_path / machine), there)
    assert list(exported(tmp_path / "out")) == ["abc123"]


def test_projects_that_become_one_keep_their_runs_apart(tmp_path: Path) -> None:
    samples = [wandb_run(project="a_b"), wandb_run(project="a-b")]
    archive = archive_of(samples, tmp_path)
    report = push(archive, Location("neptune", str(tmp_path / "out")))
    found = exported(tmp_path / "out")
    assert len(found) == 2
    losses = [loss for outcome in report.outcomes for loss in outcome.losses]
    assert len([x for x in losses if (x.code, x.fate) == ("run-id", Fate.RENAMED)]) == 1
    assert "abc123" in found


def test_the_mark_is_where_no_loader_looks(root: Path) -> None:
    (part,) = root.glob("data/*/*.parquet")
    assert pq.read_schema(part).metadata[UID_METADATA].decode() == wandb_run().run.uid
    assert {path.name for path in root.iterdir()} == {"data", "files", "runferry"}


def test_a_part_that_is_large_enough_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runferry.writers.neptune.parts.PART_BYTES", 50_000)
    sample = bulk(200_000)
    archive = archive_of([sample], tmp_path)
    there = Location("neptune", str(tmp_path / "out"))
    push(archive, there)
    names = sorted(path.name for path in (tmp_path / "out").glob("data/*/*"))
    assert len(names) > 2
    assert names[0].endswith("_part_0.parquet")
    assert sum(map(len, exported(tmp_path / "out")[sample.run.key.run_id].values())) > 200_000
    assert verify_archive(archive, there).is_clean
    shorter = archive_of([as_run(bulk(100), sample.run.key.run_id)], tmp_path / "shorter")
    push(shorter, there, restart=True)
    (name,) = (path.name for path in (tmp_path / "out").glob("data/*/*"))
    assert name == names[0], "no part of the run that was replaced is left"


def test_models_stay_models_on_request(tmp_path: Path) -> None:
    settings.install(settings.Settings(neptune_models="models"))
    archive = archive_of([model("model", "ZOO-NET"), model("model_version", "ZOO-NET-1")], tmp_path)
    there = Location("neptune", str(tmp_path / "out"))
    report = push(archive, there)
    settings.install(None)
    assert not report.failures, [outcome.error for outcome in report.failures]
    found = {}
    for scope in ("models", "model_versions"):
        (part,) = (tmp_path / "out").glob(f"data/*/{scope}/*_part_0.parquet")
        found[scope] = {r["attribute_path"]: r for r in pq.read_table(part).to_pylist()}
        assert value_of([found[scope]["sys/state"]]) == "Inactive"
        assert value_of([found[scope]["sys/tags"]]) == ["good"]
        assert not [path for path in found[scope] if path.startswith("old_sys")]
    assert value_of([found["model_versions"]["sys/stage"]]) == "production"
    assert verify_archive(archive, there).is_clean
