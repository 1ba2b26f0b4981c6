"""Runs made by the real client, read back and compared to what was logged."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.blobs import bytes_of
from wandb_runs import Gathered, gather_all, gather_one, pulled
from wandb_sdk_checks import check_all, only_database
from wandb_sdk_script import STEPS

from runferry.losses import Fate, Loss
from runferry.model import Fork

wandb = pytest.importorskip("wandb")
OPTIONAL = {"plot": [("plot", 0, None)], "bokeh": [("plot", 0, None)]}  # need other packages
SCRIPT = Path(__file__).with_name("wandb_sdk_script.py")


def logged(mode: str, home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(SCRIPT), mode, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 or mode == "killed", done.stderr
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return logged("full", tmp_path_factory.mktemp("sdk"))


def test_what_was_logged_is_what_is_read(home: Path) -> None:
    check_all(gather_one(home), wandb.__version__)


def test_the_file_alone_tells_the_same_rows(home: Path, tmp_path: Path) -> None:
    alone = tmp_path / "run-run1.wandb"
    alone.write_bytes(only_database(home).read_bytes())
    with_folder, without = gather_one(home), gather_one(alone)
    for table in ("points", "texts", "histograms", "console"):
        assert repr(without.rows(table)) == repr(with_folder.rows(table))  # NaN is not NaN
    assert without.header == with_folder.header
    assert all(item.blob.is_missing for item in without.media)
    assert without.files["model.ckpt"].blob.is_missing


def test_a_killed_run_is_incomplete_and_has_what_was_written(tmp_path: Path) -> None:
    found: list[Gathered] = gather_all(logged("killed", tmp_path))
    (one,) = found
    assert not one.header.complete
    assert one.header.state == "unknown"
    values = one.values("loss")
    assert values == [1 / (step + 1) for step in range(len(values))]


def test_a_resumed_run_is_one_run_with_steps_that_go_on(tmp_path: Path) -> None:
    (found,) = gather_all(logged("resumed", tmp_path))
    rows = found.points("loss")
    assert [row["value"] for row in rows] == [0.0, 1.0, 2.0, 3.0, 100.0, 101.0, 102.0, 103.0]
    assert [row["step"] for row in rows] == list(range(2 * STEPS))
    assert found.codes() == {"rebased-steps", "file-name"}  # two folders, each with its files


def test_media_of_every_kind_have_their_bytes(tmp_path: Path) -> None:
    (found,) = gather_all(logged("rich", tmp_path))
    made = {
        key: [(m.media_type, m.index, m.caption) for m in found.media if m.key == key]
        for key in found.series
        if found.series[key].kind == "media"
    }
    assert {key: made.pop(key, kinds) for key, kinds in OPTIONAL.items()} == OPTIONAL
    assert made == {
        "audio": [("audio", 0, "heard")],
        "video": [("video", 0, "seen")],
        "videos": [("video", 0, None), ("video", 1, None)],
        "molecule": [("molecule", 0, None)],
        "object3D": [("object3d", 0, None)],
        "html": [("html", 0, None)],
    }
    for item in found.media:
        content = bytes_of(item.blob)
        metadata = item.metadata if isinstance(item.metadata, dict) else {}
        assert metadata.get("sha256") == hashlib.sha256(content).hexdigest(), item.key
    assert not found.codes()
    assert not [path for path in found.files if path.startswith("media/")]


def test_config_that_grows_in_parts_is_merged_as_the_client_merges_it(tmp_path: Path) -> None:
    (found,) = gather_all(logged("config", tmp_path))
    assert found.role("config") == {
        ("opt", "name"): "adam",
        ("opt", "lr"): 0.5,
        ("opt", "betas", "first"): 0.9,
        ("opt", "betas", "second"): 0.99,  # an empty mapping has nothing to merge
        ("was",): 7,
        ("plain", "now"): 1,
        ("none",): {},
    }
    own = found.role("environment")
    chart = ("_wandb", "visualize", "chart", "panel_config", "stringSettings", "title")
    assert own[chart] == "shown", "stated before the client stated the code's artifact"
    assert isinstance(own["_wandb", "code_path"], str)


def test_a_rewound_run_keeps_both_histories_and_says_so(tmp_path: Path) -> None:
    found = {one.run.key.run_id: one for one in gather_all(logged("rewound", tmp_path))}
    assert {name: one.header.forked_from for name, one in found.items()} == {
        "run1": None,
        "run1~2": Fork("run1", 2, "rewind"),
        "run1~3": Fork("run1~2", 3, "rewind"),
    }
    for one in found.values():
        assert one.run.forked_from == one.header.forked_from
    steps = {name: [row["step"] for row in one.points("loss")] for name, one in found.items()}
    assert steps == {"run1": [0, 1, 2, 3], "run1~2": [3, 4, 5, 6], "run1~3": [4, 5, 6, 7]}
    assert [one.codes() for one in found.values()] == [set(), {"rewound-run"}, {"rewound-run"}]
    (loss,) = found["run1~2"].losses
    assert "goes back to step 2 of run1" in loss.detail


def missing(losses: Iterable[Loss]) -> dict[str, int]:
    return {loss.where: loss.count for loss in losses if loss.code == "missing-bytes"}


def test_bytes_that_are_gone_are_told_once_and_no_more_when_they_are_back(
    home: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "source" / "run-run1.wandb"
    alone.parent.mkdir()
    content = only_database(home).read_bytes()
    alone.write_bytes(content)
    clean = gather_one(alone)
    gone = sum(item.blob.is_missing for item in clean.media)
    files = sum(file.blob.is_missing for file in clean.files.values())
    assert missing(clean.losses) == {"media": gone, "files": files}, "the artifacts are staged"
    assert {loss.fate for loss in clean.losses if loss.code == "missing-bytes"} == {Fate.KEPT}
    alone.write_bytes(content[: len(content) * 2 // 3])
    grown = pulled(alone, tmp_path / "grown")
    alone.write_bytes(content)
    for _ in range(2):
        grown = pulled(alone, tmp_path / "grown")
    (record,) = grown.records()
    assert missing(record.losses) == missing(clean.losses)
    assert not missing(gather_one(home).losses)


def test_staged_artifacts_that_were_cleaned_away_are_told(tmp_path: Path) -> None:
    logged("full", tmp_path)
    shutil.rmtree(tmp_path / "data")
    (found,) = gather_all(tmp_path)
    entries = [entry for artifact in found.artifacts for entry in artifact.entries]
    gone = sum(entry.blob.is_missing and entry.reference is None for entry in entries)
    assert gone
    assert missing(found.losses) == {"artifacts": gone}
