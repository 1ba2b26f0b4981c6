"""The reader of Keras' CSVLogger: its contract, and what it makes of the files.

The files are written as `keras/src/callbacks/csv_logger.py` writes them (csv.DictWriter with the
excel dialect, lists as `"[1, 2]"` with quotes of their own, NA for what was not logged).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from plain_tables import all_held, csv_file, held, one_held, opened

from runferry.errors import NotFound
from runferry.ports import Location
from runferry.readers.keras import KerasReader
from runferry.testing.reader_contract import ReaderContract


def log(
    path: Path, rows: Sequence[Mapping[str, object]], separator: str = ",", mode: str = "w"
) -> Path:
    names = ["epoch", *sorted({name for row in rows for name in row})]
    path.parent.mkdir(parents=True, exist_ok=True)
    begins = 0 if mode == "w" else path.read_text().count("\n") - 1
    with path.open(mode, newline="") as stream:
        writer = csv.DictWriter(stream, names, delimiter=separator)
        if mode == "w":
            writer.writeheader()
        for epoch, row in enumerate(rows, begins):
            cells = {name: _handled(row.get(name, "NA")) for name in names[1:]}
            writer.writerow({"epoch": epoch, **cells})
    return path


def _handled(value: object) -> object:
    return f'"[{", ".join(map(str, value))}]"' if isinstance(value, list) else value


def curve(epochs: int) -> list[dict[str, object]]:
    return [{"loss": 1 / (epoch + 1), "lr": [0.1, epoch]} for epoch in range(epochs)]


class TestKeras(ReaderContract):
    reader = KerasReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "logs"
        log(home / "a" / "training.log", curve(7))
        log(home / "b" / "log.csv", curve(3), separator=";")
        cut = log(home / "c" / "history.csv", curve(3))
        cut.write_bytes(cut.read_bytes()[:-4])
        return Location("keras", str(home))

    def grow(self, source: Location) -> None:
        log(source.path / "a" / "training.log", curve(5), mode="a")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        names = [f"metric_{number}" for number in range(50)]
        wide = [dict.fromkeys(names, 0.1 * epoch) for epoch in range(rows // 50)]
        log(folder / "training.log", wide)
        return Location("keras", str(folder))


def test_epochs_are_steps_and_lists_are_texts(tmp_path: Path) -> None:
    found = one_held(KerasReader, log(tmp_path / "training.log", curve(2)))
    assert found.steps("loss") == [0, 1]
    assert [row["text"] for row in found.texts["lr"]] == ['"[0.1, 0]"', '"[0.1, 1]"']
    assert "epoch" not in found.series
    assert not found.losses


def test_what_was_not_logged_in_an_epoch_is_no_value(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"loss": 1.0, "val_loss": 2.0}, {"loss": 0.5}]
    found = one_held(KerasReader, log(tmp_path / "training.log", rows))
    assert found.steps("val_loss") == [0]
    assert "val_loss" not in found.texts


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", ":"])
def test_any_separator_is_found(tmp_path: Path, separator: str) -> None:
    found = one_held(KerasReader, log(tmp_path / "training.log", curve(2), separator))
    assert found.values("loss") == [1.0, 0.5]


def test_files_are_found_by_content_not_by_name(tmp_path: Path) -> None:
    log(tmp_path / "any.log", curve(1))
    csv_file(tmp_path / "other.csv", [["name", "loss"], ["x", 1]])
    csv_file(tmp_path / "lightning" / "metrics.csv", [["epoch", "step", "loss"], [0, 1, 2]])
    csv_file(tmp_path / "export.csv", [["epoch", "r - loss", "r - loss__MAX"], [0, 1, 2]])
    csv_file(tmp_path / "progress.csv", [["epoch", "loss"], [0, 1]])
    assert [found.run.name for found in all_held(KerasReader, tmp_path)] == ["any.log"]
    assert KerasReader.recognises(tmp_path)
    (tmp_path / "any.log").unlink()
    assert not KerasReader.recognises(tmp_path)


def test_yolos_results_are_read_with_their_padded_names(tmp_path: Path) -> None:
    names = ["epoch", "train/box_loss", "metrics/mAP_0.5"]
    text = ",".join(f"{name:>20}" for name in names) + "\n"
    text += "".join(",".join(f"{value:20.5g}" for value in (n, 0.5, 0.25)) + "\n" for n in range(2))
    path = tmp_path / "runs" / "exp" / "results.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = one_held(KerasReader, path)
    assert found.steps("train/box_loss") == [0, 1]
    assert found.values("metrics/mAP_0.5") == [0.25, 0.25]
    assert found.codes() == {"padded-name": 3}


def test_an_appended_header_is_no_row(tmp_path: Path) -> None:
    path = log(tmp_path / "training.log", curve(2))
    path.write_bytes(path.read_bytes() * 2)
    found = one_held(KerasReader, path)
    assert found.steps("loss") == [0, 1, 0, 1]
    assert found.codes() == {"repeated-header": 1}


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "other.csv", [["name", "loss"], ["x", 1]])
    with pytest.raises(NotFound) as caught:
        opened(KerasReader, path)
    assert "CSVLogger" in caught.value.hint


def test_a_header_without_a_row_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no whole row"):
        opened(KerasReader, csv_file(tmp_path / "training.log", [["epoch", "loss"]]))


def test_the_run_stays_the_same_while_its_file_grows(tmp_path: Path) -> None:
    path = log(tmp_path / "training.log", curve(2))
    before = one_held(KerasReader, path)
    log(path, curve(1), mode="a")
    after = one_held(KerasReader, path)
    assert before.run.key == after.run.key
    reader = opened(KerasReader, path)
    assert held(reader, after.run, before.cursor()).steps("loss") == [2]
