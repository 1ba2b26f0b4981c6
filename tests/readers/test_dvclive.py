"""DVCLive's folders: a table a metric, and what lies beside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_folders import gather_one, metric_file

from runferry.chunks import Media, Raw
from runferry.errors import SourceChanged
from runferry.ports import Location
from runferry.readers.dvclive import DvcliveReader
from runferry.testing.reader_contract import ReaderContract


def live(home: Path, steps: int) -> Path:
    """What `Live` leaves after so many steps."""
    metric_file(home, "loss", [(step, 1 / (step + 1)) for step in range(steps)])
    rows = [(1_700_000_000_000 + step, step, step * 0.5) for step in range(steps)]
    metric_file(home, "train/acc", rows, timed=True)
    metric_file(home, "system/cpu/usage (%)", rows, timed=True)
    for step in range(steps):
        image = home / "plots" / "images" / "sample" / f"{step}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(bytes([step]))
    (home / "plots" / "images" / "last.png").write_bytes(b"png")
    (home / "plots" / "sklearn").mkdir()
    (home / "plots" / "sklearn" / "roc.json").write_text('[{"fpr": 0.0, "tpr": 1.0}]')
    (home / "artifacts").mkdir()
    (home / "artifacts" / "model.pt").write_bytes(b"w")
    summary = {"loss": 1 / steps, "train": {"acc": 0.5}, "step": steps - 1, "none": {}}
    (home / "metrics.json").write_text(json.dumps(summary, indent=4) + "\n")
    (home / "params.yaml").write_text("lr: 1e-05\nmode: on\nnet:\n  layers: [1, 2]\n  extra: {}\n")
    (home / "report.html").write_text("<html>")
    return home


class TestDvclive(ReaderContract):
    reader = DvcliveReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        live(tmp_path / "all" / "one" / "dvclive", 5)
        live(tmp_path / "all" / "two" / "dvclive", 1)
        return Location("dvclive", str(tmp_path / "all"))

    def grow(self, source: Location) -> None:
        home = source.path / "one" / "dvclive"
        metric_file(home, "loss", [(step, 0.1) for step in range(5, 9)])
        metric_file(home, "a_new_one", [(8, 1), (8, 2), (9, "text")])
        (home / "plots" / "images" / "sample" / "5.png").write_bytes(b"5")
        (home / "plots" / "images" / "last.png").write_bytes(b"another")
        (home / "metrics.json").write_text('{"loss": 0.1, "step": 9}\n')

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        for name in ("loss", "acc"):
            metric_file(folder, name, [(step, step / 7) for step in range(rows // 2)])
        return Location("dvclive", str(folder))


def test_each_table_is_a_series_whose_path_are_its_folders(tmp_path: Path) -> None:
    found = gather_one(DvcliveReader, live(tmp_path / "exp" / "dvclive", 3))
    assert found.run.name == "exp"
    assert found.series("loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert found.series("train.acc") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert found.times("loss") == [None] * 3
    assert found.times("train.acc") == [(1_700_000_000_000 + n) * 1_000_000 for n in range(3)]
    paths = {(one.stream, one.path) for one in found.content.series.values()}
    assert ("user", ("train", "acc")) in paths
    assert ("system", ("cpu", "usage (%)")) in paths


def test_values_of_one_step_share_their_row(tmp_path: Path) -> None:
    found = gather_one(DvcliveReader, live(tmp_path / "dvclive", 3))
    from runferry.chunks import Points

    rows = {key: [row["seq"] for row in found.rows(Points, key)] for key in ("loss", "train.acc")}
    assert rows["loss"] == rows["train.acc"]


def test_summary_and_parameters_are_typed_attributes(tmp_path: Path) -> None:
    found = gather_one(DvcliveReader, live(tmp_path / "dvclive", 4))
    assert found.attributes("config") == {
        ("lr",): 1e-05,
        ("mode",): "on",
        ("net", "layers"): [1, 2],
        ("net", "extra"): {},
    }
    assert found.attributes("summary") == {
        ("loss",): 0.25,
        ("train", "acc"): 0.5,
        ("step",): 3,
        ("none",): {},
    }
    assert found.losses == []


def test_images_of_steps_are_media_and_all_else_is_files(tmp_path: Path) -> None:
    found = gather_one(DvcliveReader, live(tmp_path / "dvclive", 2))
    items = [item for chunk in found.chunks if isinstance(chunk, Media) for item in chunk.items]
    assert [(item.key, item.at.step, item.path) for item in items] == [
        ("images.sample", 0, "plots/images/sample/0.png"),
        ("images.sample", 1, "plots/images/sample/1.png"),
    ]
    assert found.content.files.keys() == {
        "artifacts/model.pt",
        "metrics.json",
        "params.yaml",
        "plots/images/last.png",
        "plots/sklearn/roc.json",
        "report.html",
    }


def test_an_image_that_leads_out_of_the_folder_is_told(tmp_path: Path) -> None:
    home = live(tmp_path / "dvclive", 1)
    (tmp_path / "secret.png").write_bytes(b"s")
    (home / "plots" / "images" / "sample" / "7.png").symlink_to(tmp_path / "secret.png")
    found = gather_one(DvcliveReader, home)
    assert [(loss.code, loss.where) for loss in found.losses] == [
        ("linked-file", "plots/images/sample/7.png")
    ]


def test_the_tables_of_older_clients_are_found(tmp_path: Path) -> None:
    scalars = tmp_path / "dvclive" / "scalars"
    scalars.mkdir(parents=True)
    (scalars / "acc.tsv").write_text("timestamp\tstep\tacc\n1651005963170\t6\t0.176\n")
    found = gather_one(DvcliveReader, tmp_path)
    assert found.series("acc") == [(6, 0.176)]
    assert found.times("acc") == [1651005963170 * 1_000_000]


def test_a_table_that_was_written_anew_is_refused(tmp_path: Path) -> None:
    home = live(tmp_path / "dvclive", 5)
    cursor = gather_one(DvcliveReader, tmp_path).cursor()
    path = home / "plots" / "metrics" / "loss.tsv"
    path.write_text(path.read_text().replace("0.5", "0.4"))
    with pytest.raises(SourceChanged):
        gather_one(DvcliveReader, tmp_path, cursor)


def test_ragged_rows_strange_cells_and_a_cut_line_are_told_with_their_place(tmp_path: Path) -> None:
    path = metric_file(tmp_path / "dvclive", "loss", [(0, 0.5)])
    with path.open("ab") as table:
        table.write(b"1\n2\t3\t4\nx\tnan\n3\t\n4\ta\xffb\n5\t99999999999999999999\n\n6\t1e400\n7")
    found = gather_one(DvcliveReader, tmp_path)
    assert str(found.series("loss")) == "[(0, 0.5), (None, nan)]"
    assert found.texts("loss") == [(4, "a�b"), (5, "99999999999999999999"), (6, "1e400")]
    raw = [chunk.payload for chunk in found.chunks if isinstance(chunk, Raw)]
    assert raw == [b"1\n", b"2\t3\t4\n"]
    assert [(loss.code, loss.fate.name, loss.where) for loss in found.losses] == [
        ("odd-row", "REENCODED", "plots/metrics/loss.tsv:3"),
        ("odd-row", "REENCODED", "plots/metrics/loss.tsv:4"),
        ("bad-step", "DROPPED", "plots/metrics/loss.tsv:5"),
        ("bad-text", "ROUNDED", "plots/metrics/loss.tsv:7"),
        ("cut-tail", "KEPT", f"plots/metrics/loss.tsv@{path.stat().st_size - 1}"),
    ]
    with path.open("ab") as table:
        table.write(b"\t0.5")
    assert gather_one(DvcliveReader, tmp_path).losses[-1].code == "unended-line"


def test_what_is_no_table_or_no_step_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "strange" / "scalars" / "folder.tsv").mkdir(parents=True)
    (tmp_path / "strange" / "scalars" / "gone.tsv").symlink_to("nowhere")
    assert not DvcliveReader.recognises(tmp_path / "strange")
    home = live(tmp_path / "run", 1)
    (home / "plots" / "images" / "sample" / "123456789012345678.png").write_bytes(b"png")
    found = gather_one(DvcliveReader, home)
    assert "plots/images/sample/123456789012345678.png" in found.content.files
