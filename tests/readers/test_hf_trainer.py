"""States of Hugging Face's Trainer: one history in many copies is one run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from run_folders import gather, gather_one, trainer_rows, trainer_state

from runferry.errors import SourceChanged
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.readers.hf_trainer import HfTrainerReader
from runferry.testing.reader_contract import ReaderContract


def checkpoint(home: Path, steps: int, text: str | None = None) -> Path:
    folder = home / f"checkpoint-{steps}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trainer_state.json").write_text(text or trainer_state(trainer_rows(steps)))
    (folder / "model.safetensors").write_bytes(bytes([steps % 256]))
    return folder


class TestHfTrainer(ReaderContract):
    reader = HfTrainerReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "runs"
        checkpoint(home / "first", 3)
        checkpoint(home / "first", 5)
        (home / "first" / "training_args.bin").write_bytes(pickle.dumps({"a": 1}))
        (home / "second").mkdir()
        rows = [
            *trainer_rows(4),
            {"note": "text", "step": 9, "list": [1], "big": 2**70},
            {"step": 10},
        ]
        (home / "second" / "trainer_state.json").write_text(trainer_state(rows))
        checkpoint(home / "odd", 7, trainer_state(trainer_rows(2))[:-300])
        return Location("hf_trainer", str(home))

    def grow(self, source: Location) -> None:
        checkpoint(source.path / "first", 9)
        (source.path / "first" / "later.txt").write_text("1")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        folder.mkdir()
        (folder / "trainer_state.json").write_text(trainer_state(trainer_rows(rows // 4)))
        return Location("hf_trainer", str(folder))


def test_rows_have_their_step_and_keep_every_value(tmp_path: Path) -> None:
    rows = [
        {"epoch": 0.5, "loss": float("nan"), "step": 10},
        {"epoch": 1, "eval_loss": float("-inf"), "big": 2**60 + 1, "step": 20},
        {"step": 20, "train_runtime": 3.5, "nested": {"a": {"b": 1}, "c": {}}},
        {"loss": None, "step": 2.5},
        {"step": "soon", "ok": True},
        {"step": 30},
    ]
    (tmp_path / "trainer_state.json").write_text(trainer_state(rows))
    found = gather_one(HfTrainerReader, tmp_path)
    assert str(found.series("loss")) == "[(10, nan), (2, None)]"
    assert found.series("epoch") == [(10, 0.5), (20, 1)]
    assert found.series("eval_loss") == [(20, float("-inf"))]
    assert found.series("big") == [(20, 2**60 + 1)]
    assert found.series("nested.a.b") == [(20, 1)]
    assert found.texts("nested.c") == [(20, "{}")]
    assert found.series("ok") == [(None, True)]
    assert found.texts("step") == [(None, "soon")]
    assert found.series("step") == [(30, 30)]
    assert found.times("epoch") == [None, None]
    assert found.losses == []


def test_what_stands_around_the_rows_is_attributes(tmp_path: Path) -> None:
    (tmp_path / "trainer_state.json").write_text(trainer_state([], best_metric=0.5, odd=[1, {}]))
    found = gather_one(HfTrainerReader, tmp_path)
    assert found.attributes("config")["max_steps",] == 1000
    assert found.attributes("summary")["best_metric",] == 0.5
    other = found.attributes("other")
    assert other["odd",] == [1, {}]
    assert other["stateful_callbacks", "TrainerControl", "attributes"] == {}
    assert other["total_flos",] == 5.184393336533811e16


def test_checkpoints_of_one_history_are_one_run_and_the_newest_state_is_read(
    tmp_path: Path,
) -> None:
    for steps in (2, 10, 4):
        checkpoint(tmp_path / "run", steps)
    found = gather_one(HfTrainerReader, tmp_path)
    assert [step for step, _ in found.series("loss")] == list(range(10))
    notes = [(loss.code, loss.fate, loss.where) for loss in found.losses]
    assert notes == [
        ("earlier-state", Fate.KEPT, "checkpoint-4/trainer_state.json"),
        ("earlier-state", Fate.KEPT, "checkpoint-2/trainer_state.json"),
    ]
    assert found.content.files.keys() == {
        "checkpoint-2/model.safetensors",
        "checkpoint-2/trainer_state.json",
        "checkpoint-4/model.safetensors",
        "checkpoint-4/trainer_state.json",
        "checkpoint-10/model.safetensors",
    }


def test_the_state_of_the_folder_itself_stands_before_a_checkpoint_of_the_same_step(
    tmp_path: Path,
) -> None:
    checkpoint(tmp_path, 3)
    rows = [*trainer_rows(3), {"step": 3, "train_loss": 0.5}]
    (tmp_path / "trainer_state.json").write_text(trainer_state(rows, global_step=3))
    found = gather_one(HfTrainerReader, tmp_path)
    assert found.series("train_loss") == [(3, 0.5)]


def test_a_checkpoint_with_another_beginning_is_a_run_of_its_own(tmp_path: Path) -> None:
    checkpoint(tmp_path / "run", 5)
    checkpoint(tmp_path / "run", 4, trainer_state(trainer_rows(4, first=1)))
    found = gather(HfTrainerReader, tmp_path)
    assert {name: len(one.series("loss")) for name, one in found.items()} == {
        "run": 5,
        "checkpoint-4": 4,
    }
    assert "checkpoint-4/model.safetensors" not in found["run"].content.files
    assert "checkpoint-4/model.safetensors" in found["checkpoint-4"].content.files


def test_all_files_below_a_run_are_its_own_but_those_of_runs_in_there(tmp_path: Path) -> None:
    checkpoint(tmp_path, 5)
    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-3" / "model.safetensors").write_bytes(b"3")
    (tmp_path / "processor" / "deep").mkdir(parents=True)
    (tmp_path / "processor" / "deep" / "vocab.txt").write_text("a")
    checkpoint(tmp_path / "other" / "run", 2, trainer_state(trainer_rows(2, first=1)))
    (tmp_path / "other" / "run" / "notes.txt").write_text("its own")
    found = {len(one.series("loss")): one for one in gather(HfTrainerReader, tmp_path).values()}
    assert found[5].content.files.keys() == {
        "checkpoint-3/model.safetensors",
        "checkpoint-5/model.safetensors",
        "processor/deep/vocab.txt",
    }
    assert "notes.txt" in found[2].content.files


def test_a_history_that_parts_from_the_newest_is_told_and_kept_as_a_file(tmp_path: Path) -> None:
    rows = trainer_rows(4)
    rows[2]["loss"] = 99
    checkpoint(tmp_path, 4, trainer_state(rows))
    checkpoint(tmp_path, 5)
    found = gather_one(HfTrainerReader, tmp_path)
    (loss,) = found.losses
    assert (loss.code, loss.fate) == ("other-history", Fate.REENCODED)
    assert "checkpoint-4/trainer_state.json" in found.content.files


def test_a_history_that_no_longer_begins_as_before_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "run", 5)
    cursor = gather_one(HfTrainerReader, tmp_path).cursor()
    rows = trainer_rows(8)
    rows[3]["loss"] = 99
    checkpoint(tmp_path / "run", 8, trainer_state(rows))
    with pytest.raises(SourceChanged, match="no longer the beginning"):
        gather_one(HfTrainerReader, tmp_path, cursor)
    checkpoint(tmp_path / "run", 8, trainer_state(trainer_rows(3), global_step=8))
    with pytest.raises(SourceChanged):
        gather_one(HfTrainerReader, tmp_path, cursor)


def test_cut_anywhere_it_gives_the_rows_before_and_says_where(tmp_path: Path) -> None:
    text = trainer_state(trainer_rows(6))
    path = tmp_path / "trainer_state.json"
    whole = json.loads(text)["log_history"]
    for length in range(0, len(text), 37):
        path.write_text(text[:length])
        found = gather_one(HfTrainerReader, tmp_path)
        losses = [row["loss"] for row in whole]
        values = [value for _, value in found.series("loss")]
        assert values == losses[: len(values)]
        if length < len(text.rstrip()):
            (loss,) = found.losses
            assert (loss.code, loss.fate) == ("cut-json", Fate.DROPPED)
            assert loss.where.startswith("trainer_state.json@")


def test_a_history_keeps_its_key_while_another_lies_beside_it(tmp_path: Path) -> None:
    """Training was begun anew in a folder that has checkpoints of an earlier one."""
    home = tmp_path / "out"
    checkpoint(home, 10)
    (earlier,) = (run.key for run in opened(home).runs())
    keys = set()
    for steps in (4, 6, 12):
        anew = [{"step": 0, "loss": 9.0}, *trainer_rows(steps)]
        checkpoint(home, steps, trainer_state(anew))
        found = {run.key for run in opened(home).runs()}
        assert earlier in found
        keys |= found - {earlier}
    assert len(keys) == 1


def opened(home: Path) -> HfTrainerReader:
    return HfTrainerReader.open(Location("hf_trainer", str(home)), ReadOptions())
