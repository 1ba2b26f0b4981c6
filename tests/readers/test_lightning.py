"""The reader of Lightning's CSVLogger: its contract, and what it makes of the files.

`Experiment` writes as `lightning/fabric/loggers/csv_logs.py` does: csv.DictWriter, the keys of all
rows as header, appended to while no key is new, written anew when one is.
"""

from __future__ import annotations

import csv
import os
import pickle
from pathlib import Path

import pytest
from plain_tables import all_held, held, one_held, opened

from runferry.archive.store import Archive
from runferry.errors import NotFound, SourceChanged
from runferry.losses import Fate
from runferry.ports import Location, PortableReader
from runferry.readers.lightning import LightningReader
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract
from runferry.transfer.pull import pull


class Experiment:
    """`_ExperimentWriter` of Lightning's."""

    def __init__(self, folder: Path, hparams: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "metrics.csv"
        self.rows: list[dict[str, object]] = []
        self.keys: list[str] = []
        self.written = 0
        if hparams is not None:
            (folder / "hparams.yaml").write_text(hparams)

    def log(self, step: int, **metrics: object) -> None:
        self.rows.append({**metrics, "step": step})

    def save(self) -> Path:
        new = sorted({key for row in self.rows for key in row} - set(self.keys))
        self.keys = sorted([*self.keys, *new])
        begins = 0 if new else self.written
        with self.path.open("w" if new else "a", newline="") as stream:
            writer = csv.DictWriter(stream, self.keys)
            if new:
                writer.writeheader()
            writer.writerows(self.rows[begins:])
        self.written = len(self.rows)
        return self.path


def trained(folder: Path, steps: int, hparams: str | None = "lr: 0.1\n") -> Experiment:
    experiment = Experiment(folder, hparams)
    for step in range(steps):
        experiment.log(step, epoch=step // 10, loss=1 / (step + 1))
        if step % 10 == 9:
            experiment.log(step, epoch=step // 10, val_loss=2 / (step + 1))
    experiment.save()
    return experiment


class TestLightning(ReaderContract):
    reader = LightningReader
    young: Experiment

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "lightning_logs"
        self.young = trained(home / "version_0", 25)
        trained(home / "version_1", 12, "model: !!python/object:models.Net\n  depth: 3\n")
        (home / "version_2").mkdir()
        (home / "version_2" / "hparams.yaml").write_text("{}\n")
        return Location("lightning", str(home))

    def grow(self, source: Location) -> None:
        self.young.log(25, epoch=2, loss=0.5)
        self.young.save()

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        experiment = Experiment(folder / "version_0")
        for step in range(rows // 50):
            experiment.log(step, **{f"m{number}": 0.1 * step for number in range(50)})
        experiment.save()
        return Location("lightning", str(folder))


def test_a_blank_is_not_logged_and_the_epoch_stays_a_series(tmp_path: Path) -> None:
    trained(tmp_path / "version_0", 12)
    found = one_held(LightningReader, tmp_path)
    assert found.steps("loss") == list(range(12))
    assert found.steps("val_loss") == [9]
    assert found.values("epoch") == [0] * 10 + [0] + [1] * 2
    assert "step" not in found.series
    assert found.run.key.run_id.startswith("version_0@")
    assert not found.run.complete


def test_a_new_metric_is_read_anew_and_the_run_stays_one(tmp_path: Path) -> None:
    experiment = trained(tmp_path / "version_0", 5)
    before = one_held(LightningReader, tmp_path)
    experiment.log(5, epoch=0, accuracy=0.75)
    experiment.save()
    reader = opened(LightningReader, tmp_path)
    (run,) = reader.runs()
    assert run.key == before.run.key
    with pytest.raises(SourceChanged):
        held(reader, run, before.cursor())
    assert held(reader, run).values("accuracy") == [0.75]


def test_a_header_that_changed_since_runs_were_listed_is_never_read_by_the_old_one(
    tmp_path: Path,
) -> None:
    experiment = trained(tmp_path / "version_0", 5)
    reader = opened(LightningReader, tmp_path)
    (run,) = reader.runs()
    experiment.log(5, epoch=0, accuracy=0.75)
    experiment.save()
    with pytest.raises(SourceChanged, match="header") as caught:
        held(reader, run)
    assert "pull again" in caught.value.hint


def test_a_run_can_be_read_by_another_process(tmp_path: Path) -> None:
    trained(tmp_path / "version_0", 5)
    reader = opened(LightningReader, tmp_path)
    assert isinstance(reader, PortableReader)
    (run,) = reader.runs()
    apart = pickle.loads(pickle.dumps(reader.alone(run)))
    assert Content.of(apart.read(run)).comparable() == Content.of(reader.read(run)).comparable()


def test_a_pull_takes_over_the_file_that_was_written_anew(tmp_path: Path) -> None:
    experiment = trained(tmp_path / "logs" / "version_0", 5)
    archive = Archive.open(tmp_path / "archive", create=True)
    where = Location("lightning", str(tmp_path / "logs"))
    assert not pull(where, archive, reserve_bytes=0).failures
    experiment.log(5, epoch=0, accuracy=0.75)
    experiment.save()
    assert not pull(where, archive, reserve_bytes=0).failures
    (record,) = archive.records()
    rows = {series.key: series.counts.points for series in archive.series(record) if series.counts}
    assert rows == {"epoch": 6, "loss": 5, "accuracy": 1}


def test_a_run_stays_one_from_its_configuration_to_its_last_row(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "archive", create=True)
    where = Location("lightning", str(tmp_path / "logs"))
    experiment = Experiment(tmp_path / "logs" / "version_0", "lr: 0.1\n")
    for step in range(3):
        assert not pull(where, archive, reserve_bytes=0).failures
        experiment.log(step, loss=0.5)
        experiment.save()
    assert not pull(where, archive, reserve_bytes=0).failures
    (record,) = archive.records()
    assert [series.counts.points for series in archive.series(record) if series.counts] == [3]
    assert not [loss for loss in record.losses if loss.code == "same-key"]


def test_versions_of_one_configuration_are_runs_of_their_own(tmp_path: Path) -> None:
    for number in range(3):
        trained(tmp_path / f"version_{number}", number)
    trained(tmp_path / "other" / "version_0", 2)
    keys = [run.key for run in opened(LightningReader, tmp_path).runs()]
    assert len(keys) == len(set(keys)) == 4
    assert not [key for key in keys if "~" in key.run_id]


def test_without_a_configuration_the_first_row_tells_runs_apart(tmp_path: Path) -> None:
    experiment = trained(tmp_path / "version_0", 3, hparams=None)
    (before,) = opened(LightningReader, tmp_path).runs()
    experiment.log(3, epoch=0, accuracy=0.5)
    experiment.save()
    (after,) = opened(LightningReader, tmp_path).runs()
    assert after.key == before.key
    (tmp_path / "version_0" / "metrics.csv").write_text("loss,step\n")
    with pytest.raises(NotFound):
        list(opened(LightningReader, tmp_path).runs())


def test_hyperparameters_are_config_and_tags_are_never_acted_on(tmp_path: Path) -> None:
    hparams = "lr: 0.1\nmodel:\n  size: [1, 2]\n  act: !!python/object/apply:os.system ['false']\n"
    trained(tmp_path / "version_0", 3, hparams)
    found = one_held(LightningReader, tmp_path)
    assert found.attributes[("config", ("lr",))] == 0.1
    assert found.attributes[("config", ("model", "size"))] == [1, 2]
    assert found.attributes[("config", ("model", "act"))] == ["false"]
    assert found.codes()["yaml-tag"] == 1


def test_a_version_without_rows_is_a_run_with_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "version_0").mkdir()
    (tmp_path / "version_0" / "hparams.yaml").write_text("lr: 0.5\n")
    found = one_held(LightningReader, tmp_path)
    assert found.attributes == {("config", ("lr",)): 0.5}
    assert not found.losses


def test_what_tensorboard_logged_is_left_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "version_0").mkdir()
    (tmp_path / "version_0" / "hparams.yaml").write_text("lr: 0.5\n")
    assert LightningReader.recognises(tmp_path)
    (tmp_path / "version_0" / "events.out.tfevents.1.host.1.0").write_bytes(b"")
    assert not LightningReader.recognises(tmp_path)


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    (tmp_path / "version_0").mkdir()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (tmp_path / "version_0" / "metrics.csv").write_text(pointer)
    (loss,) = one_held(LightningReader, tmp_path).losses
    assert (loss.code, loss.fate) == ("git-lfs-pointer", Fate.DROPPED)


def test_metrics_csv_of_somebody_else_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("name,loss\nx,1\n")
    assert not LightningReader.recognises(tmp_path)
    assert not LightningReader.recognises(tmp_path / "metrics.csv")


def test_one_file_can_be_named(tmp_path: Path) -> None:
    path = trained(tmp_path / "version_7", 3).path
    (found,) = all_held(LightningReader, path)
    assert found.run.name == "version_7"
    assert found.steps("loss") == [0, 1, 2]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "version_0"
    folder.mkdir()
    os.mkfifo(folder / "metrics.csv")
    assert not LightningReader.recognises(tmp_path)
