"""Archives of Comet beside others: names in them are no places, and an odd one hides no other."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from comet_experiments import ENDED, experiment, metric, packed
from run_folders import Gathered, gather_one

from runferry import chunks
from runferry.anywhere import AnyReader
from runferry.errors import NotFound, SourceError
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.readers.comet import CometReader


def test_names_in_an_archive_are_no_places(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    upload = {
        "payload": {
            "upload_type": "asset",
            "file_path": "../secret",
            "additional_params": {"fileName": "../../out", "step": None},
        },
        "type": "file_upload",
    }
    found = gather_one(CometReader, experiment(tmp_path / "x", [upload], **ENDED))
    (file,) = [c for c in found.chunks if isinstance(c, chunks.File)]
    assert file.blob.is_missing
    assert found.codes() == {"missing-bytes": 1}


def test_a_flipped_byte_is_told(tmp_path: Path) -> None:
    home = experiment(tmp_path / "x", [metric("a", n / 7, n) for n in range(5000)], **ENDED)
    path = packed(home, tmp_path / "one.zip")
    shutil.rmtree(home)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    found = gather_one(CometReader, path)
    assert "damaged-bytes" in found.codes()
    points = found.series("a")
    assert points[:100] == [(n, n / 7) for n in range(100)]
    assert {loss.fate for loss in found.losses} <= {Fate.DROPPED, Fate.REENCODED}


@pytest.mark.parametrize("place", ["version", "name", "first bytes"])
def test_an_odd_zip_hides_no_experiment_beside_it(tmp_path: Path, place: str) -> None:
    """One of a later form, one with a name that is no UTF-8, an experiment that is damaged."""
    home = experiment(tmp_path / "made", [metric("a", n / 7, n) for n in range(50)], **ENDED)
    content = bytearray(packed(home, tmp_path / "a.zip").read_bytes())
    (home / "experiment.json").write_text(json.dumps({"offline_id": "b" * 32}))
    packed(home, tmp_path / "b.zip")
    shutil.rmtree(home)
    listed = content.find(b"PK\x01\x02")
    if place == "version":
        content[listed + 6] = 99
    elif place == "name":
        content[listed + 9] |= 8
        content[listed + 46] = 0xFF
    else:
        begins = content.rfind(b"messages.json", 0, listed) + len("messages.json")
        content[begins : begins + 40] = b"\xff" * 40
    (tmp_path / "a.zip").write_bytes(content)
    reader = CometReader.open(Location("comet", str(tmp_path)), ReadOptions())
    runs = {run.key.run_id: run for run in reader.runs()}
    assert set(runs) == {"a" * 32, "b" * 32}
    assert any(isinstance(chunk, chunks.Points) for chunk in reader.read(runs["b" * 32]))
    lost = [one.loss.code for one in reader.read(runs["a" * 32]) if isinstance(one, chunks.Lost)]
    assert lost == ["damaged-bytes" if place == "first bytes" else "cut-archive"]


@pytest.mark.usefixtures("modes_hold")
def test_a_closed_zip_hides_no_experiment_beside_it(tmp_path: Path) -> None:
    home = experiment(tmp_path / "made", [metric("a", 1.0, 0)], **ENDED)
    closed = packed(home, tmp_path / f"{'c' * 32}.zip")
    packed(home, tmp_path / "open.zip")
    packed(home, tmp_path / "whose.zip").chmod(0)
    shutil.rmtree(home)
    closed.chmod(0)
    reader = CometReader.open(Location("comet", str(tmp_path)), ReadOptions())
    runs = {run.key.run_id: run for run in reader.runs()}
    assert set(runs) == {"a" * 32, "c" * 32}
    with pytest.raises(SourceError, match="Permission denied") as caught:
        list(reader.read(runs["c" * 32]))
    assert caught.value.hint


def test_any_finds_archives_and_folders(tmp_path: Path) -> None:
    home = experiment(tmp_path / "deep" / "x", [metric("a", 1.0, 0)])
    packed(experiment(tmp_path / "y", [metric("a", 1.0, 0)], **ENDED), tmp_path / "one.zip")
    shutil.rmtree(tmp_path / "y")
    reader = AnyReader.open(Location("any", str(tmp_path)), ReadOptions())
    assert [run.key.tracker for run in reader.runs()] == ["comet", "comet"]
    assert home.is_dir()


def test_what_is_no_experiment_is_not_taken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("messages.json", "{}")
    (tmp_path / "text.zip").write_text("PK")
    assert not CometReader.recognises(tmp_path)
    with pytest.raises(NotFound):
        CometReader.open(Location("comet", str(tmp_path / "other.zip")), ReadOptions())


def test_a_closed_archive_is_an_error_with_a_hint(tmp_path: Path) -> None:
    home = experiment(tmp_path / "x", [metric("a", 1.0, 0)], **ENDED)
    reader = CometReader.open(Location("comet", str(home)), ReadOptions())
    (run,) = reader.runs()
    (home / "messages.json").rename(home / "moved")
    with pytest.raises(SourceError) as caught:
        Gathered(run, reader.read(run))
    assert caught.value.hint
