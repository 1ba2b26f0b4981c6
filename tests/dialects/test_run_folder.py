"""The configuration beside a run: what Lightning and Hydra write there, as attributes."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from runferry.dialects.run_folder import config_beside
from runferry.losses import Fate


def hydra(folder: Path, config: str) -> None:
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(config)
    (folder / ".hydra" / "hydra.yaml").write_text("hydra:\n  job:\n    name: train\n  x: ${y}\n")
    (folder / ".hydra" / "overrides.yaml").write_text("- lr=0.1\n- model=big\n")


def test_both_are_attributes_by_path_and_role(tmp_path: Path) -> None:
    hydra(tmp_path, "lr: 1e-1\nmodel:\n  width: 8\n  opt: {}\npath: ${hydra:run.dir}\n")
    (tmp_path / "hparams.yaml").write_text(yaml.dump({"batch": 4, "model/depth": 2}))
    beside = config_beside(tmp_path)
    assert {(item.role, item.path): item.value for item in beside.attributes} == {
        ("config", ("batch",)): 4,
        ("config", ("model/depth",)): 2,
        ("config", ("lr",)): 0.1,
        ("config", ("model", "width")): 8,
        ("config", ("model", "opt")): {},
        ("config", ("path",)): "${hydra:run.dir}",
        ("other", ("hydra", "job", "name")): "train",
        ("other", ("hydra", "x")): "${y}",
        ("other", (".hydra/overrides.yaml",)): ["lr=0.1", "model=big"],
    }
    assert beside.losses == []
    assert len(beside.files) == 4


def test_a_folder_without_any_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "hparams.yaml").write_text("{}\n")
    beside = config_beside(tmp_path)
    assert (beside.attributes, beside.losses) == ([], [])


def test_where_the_two_disagree_both_are_kept(tmp_path: Path) -> None:
    hydra(tmp_path, "lr: 0.1\nsame: 1\n")
    (tmp_path / "hparams.yaml").write_text("lr: 0.2\nsame: 1\n")
    beside = config_beside(tmp_path)
    told = {(item.role, item.path): item.value for item in beside.attributes}
    assert told["config", ("lr",)] == 0.2
    assert told["other", (".hydra/config.yaml", "lr")] == 0.1
    (loss,) = beside.losses
    assert (loss.code, loss.fate, loss.count) == ("stated-twice", Fate.RENAMED, 1)


def test_tags_of_lightning_are_kept_beside_their_values(tmp_path: Path) -> None:
    (tmp_path / "hparams.yaml").write_text(
        yaml.dump({"args": argparse.Namespace(lr=1), "t": (1, 2)})
    )
    beside = config_beside(tmp_path)
    told = {(item.role, item.path): item.value for item in beside.attributes}
    assert told["config", ("args", "lr")] == 1
    assert told["config", ("t",)] == [1, 2]
    tag = told["other", ("yaml tags", "hparams.yaml", "args")]
    assert tag == "tag:yaml.org,2002:python/object:argparse.Namespace"
    assert [(loss.fate, loss.count) for loss in beside.losses] == [(Fate.REENCODED, 2)]


def test_what_cannot_be_read_is_a_loss_with_its_file(tmp_path: Path) -> None:
    run = tmp_path / "run"
    hydra(run, "a: [1,")
    (tmp_path / "secret.yaml").write_text("password: x\n")
    (run / "hparams.yaml").symlink_to(tmp_path / "secret.yaml")
    (run / ".hydra" / "overrides.yaml").write_bytes(b"- \xff\xfe\n")
    beside = config_beside(run)
    assert "x" not in [item.value for item in beside.attributes]
    assert [(loss.code, loss.where) for loss in beside.losses] == [
        ("unreadable-file", "hparams.yaml"),
        ("unreadable-file", ".hydra/config.yaml"),
        ("bad-utf8", ".hydra/overrides.yaml"),
    ]


def test_a_key_tag_and_a_file_in_utf_16_are_told_for_what_they_are(tmp_path: Path) -> None:
    hydra(tmp_path, "!mine a: !yours 1\nb: {<<: {c: 1}, c: 2}\n")
    (tmp_path / "hparams.yaml").write_text("lr: 1\n", encoding="utf-16")
    beside = config_beside(tmp_path)
    told = {(loss.code, loss.fate, loss.count) for loss in beside.losses}
    assert told == {
        ("unreadable-file", Fate.DROPPED, 1),
        ("yaml-tag", Fate.REENCODED, 2),
        ("overridden-value", Fate.DROPPED, 1),
    }
    assert "UTF-16" in beside.losses[0].detail
    kept = {item.path[0] for item in beside.attributes if item.value in ("!mine", "!yours")}
    assert kept == {"yaml tags", "yaml key tags"}
