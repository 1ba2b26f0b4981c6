"""Runs of trackio, logged by trackio itself."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from run_folders import Gathered, gather_one
from tests.blobs import bytes_of
from trackio_databases import database

from runferry import chunks
from runferry.anywhere import AnyReader
from runferry.archive.store import Archive
from runferry.errors import SourceChanged
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.trackio import TrackioReader
from runferry.testing.reader_contract import ReaderContract
from runferry.transfer.pull import pull

SCRIPT = Path(__file__).with_name("trackio_script.py")
DATABASE, USING = "proj.db", "proj-user.db"


def logged(folder: Path, steps: int, first: int = 0, project: str = "proj") -> None:
    """Steps more of a run, by trackio."""
    pytest.importorskip("trackio", reason="trackio is not installed")
    command = [sys.executable, "-W", "ignore", str(SCRIPT), project, str(steps), str(first)]
    environment = environment_apart() | {"TRACKIO_DIR": str(folder), "HF_HUB_OFFLINE": "1"}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that trackio made, to be copied."""
    home = tmp_path_factory.mktemp("real")
    logged(home, 4)
    return home


class TestTrackio(ReaderContract):
    reader = TrackioReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        database(tmp_path / "t" / "new.db", 7)
        database(tmp_path / "t" / "old.db", 7, has_ids=False)
        return Location("trackio", str(tmp_path / "t"))

    def grow(self, source: Location) -> None:
        database(source.path / "new.db", 5)

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        return Location("trackio", str(database(folder / "big.db", rows // 2)))


def test_what_trackio_logged_is_read(real: Path) -> None:
    found = gather_one(TrackioReader, real / DATABASE)
    assert found.series("loss") == [(n * 2, 1 / (n + 1)) for n in range(4)]
    assert found.series("count") == [(n * 2, 2**60 + 1) for n in range(4)]
    assert str(found.series("odd")) == "[(0, inf), (2, nan), (4, inf), (6, nan)]"
    assert found.series("flag") == [(0, False), (2, True), (4, False), (6, True)]
    assert found.series("nothing") == [(n * 2, None) for n in range(4)]
    assert found.series("nested.a.b") == [(n * 2, n) for n in range(4)]
    assert found.series("__time") == [(n * 2, 1.5) for n in range(4)]
    assert found.series("gpu") == [(None, 0.5)]
    assert found.texts("word") == [(n * 2, f"w{n}") for n in range(4)]
    assert [json.loads(text) for _, text in found.texts("list")] == [[1, "two"]] * 4
    assert "too slow" in found.texts("alerts")[0][1]
    assert all(time is not None for time in found.times("loss"))
    assert {series.stream for key, series in found.content.series.items() if key == "gpu"} == {
        "system"
    }


def test_media_histograms_and_tables_are_read_with_their_bytes(real: Path) -> None:
    found = gather_one(TrackioReader, real / DATABASE)
    items = [i for c in found.chunks if isinstance(c, chunks.Media) for i in c.items]
    by_key = {item.key: item for item in items}
    assert by_key["image"].caption == "black"
    assert by_key["image"].blob.open is not None
    with by_key["image"].blob.open() as image:
        assert image.read(4) == b"\x89PNG"
    assert by_key["table"].blob.open is not None
    with by_key["table"].blob.open() as table:
        assert json.load(table)["_value"] == [{"a": 1}, {"a": 2}]
    (bins,) = [c.batch.to_pylist() for c in found.chunks if isinstance(c, chunks.Histograms)]
    assert (bins[0]["edges"], bins[0]["counts"]) == ([0.0, 0.5, 1.0], [1.0, 2.0])


def test_saved_files_come_with_the_first_run_of_their_project(real: Path) -> None:
    found = gather_one(TrackioReader, real / DATABASE)
    saved = [c for c in found.chunks if isinstance(c, chunks.File) and c.path.startswith("media")]
    assert [(file.path, bytes_of(file.blob)) for file in saved] == [
        ("media/proj/files/weights.bin", b"saved")
    ]
    other = gather_one(TrackioReader, real / USING)
    assert not [c for c in other.chunks if isinstance(c, chunks.File)]


def test_artifacts_are_of_the_runs_that_made_or_used_them_also_in_other_projects(
    real: Path,
) -> None:
    made = artifacts(gather_one(TrackioReader, real / DATABASE))
    assert [(one.name, one.relation, one.version) for one in made] == [("set", "produced", "v0")]
    assert (made[0].description, made[0].metadata) == ("about it", {"rows": 2})
    found = gather_one(TrackioReader, real / USING)
    (used,) = artifacts(found)
    assert (used.name, used.relation, used.version) == ("proj/set", "used", "v0")
    assert [bytes_of(entry.blob) for entry in used.entries] == [b"saved"]
    assert (used.digest, used.aliases) == (made[0].digest, made[0].aliases)
    assert found.codes() == {}


def test_a_used_artifact_whose_project_is_not_here_is_named_and_told(
    real: Path, tmp_path: Path
) -> None:
    shutil.copytree(real, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob(f"{DATABASE}*"):
        path.unlink()
    found = gather_one(TrackioReader, tmp_path / USING)
    (used,) = artifacts(found)
    assert (used.name, used.type, used.version) == ("proj/set", "dataset", "v0")
    assert found.codes() == {"missing-artifact": 1}


def test_what_each_read_meets_again_is_told_once_and_taken_back_when_it_is_there(
    real: Path, tmp_path: Path
) -> None:
    """An artifact that is not here, and then its members that are not, and then all of it."""
    here, away = tmp_path / "here", tmp_path / "away"
    shutil.copytree(real, here)
    away.mkdir()
    for name in (*(path.name for path in here.glob(f"{DATABASE}*")), "artifacts"):
        shutil.move(here / name, away / name)
    archive = Archive.open(tmp_path / "archive", create=True)

    def pulled() -> tuple[str, dict[str, int]]:
        report = pull(Location("trackio", str(here / USING)), archive, reserve_bytes=0)
        (outcome,) = report.outcomes
        return outcome.status, {loss.code: loss.count for loss in outcome.losses}

    assert pulled() == ("new", {"missing-artifact": 1})
    assert pulled() == ("unchanged", {"missing-artifact": 1})
    for path in away.glob(f"{DATABASE}*"):
        shutil.copy(path, here)
    assert pulled() == ("grown", {"missing-bytes": 1})
    assert pulled() == ("unchanged", {"missing-bytes": 1})
    shutil.copytree(away / "artifacts", here / "artifacts")
    assert pulled() == ("grown", {})
    assert pulled() == ("unchanged", {})


def artifacts(found: Gathered) -> list[chunks.Artifact]:
    return [chunk for chunk in found.chunks if isinstance(chunk, chunks.Artifact)]


def test_config_and_header_are_those_of_the_run(real: Path) -> None:
    found = gather_one(TrackioReader, real / DATABASE)
    config = found.attributes("config")
    assert config["lr",] == 0.1
    assert config["nested", "a", "b"] == 1
    assert config["empty",] == {}
    assert (found.run.name, found.run.project, found.run.group) == ("first", "proj", "g")
    assert found.run.key.scope == ""
    assert found.run.created is not None
    assert found.attributes("other")["_Created",] == found.run.created.isoformat()


def test_a_run_that_trackio_resumes_is_read_on(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path, dirs_exist_ok=True)
    before = gather_one(TrackioReader, tmp_path / DATABASE)
    logged(tmp_path, 2, first=4)
    after = gather_one(TrackioReader, tmp_path / DATABASE, before.cursor())
    assert after.series("loss") == [(8, 1 / 5), (10, 1 / 6)]
    assert not [c for c in after.chunks if isinstance(c, chunks.Media)]


def test_what_is_only_in_the_write_ahead_log_is_read_and_nothing_is_written(tmp_path: Path) -> None:
    path = database(tmp_path / "t" / "p.db", 3)
    writing = sqlite3.connect(path)
    writing.execute("PRAGMA journal_mode = WAL")
    writing.execute(
        "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) "
        "VALUES (?, '2024-01-03T00:00:00+00:00', 'r', 9, '{\"a\": 1.5}')",
        ("0" * 31 + "1",),
    )
    writing.commit()
    names = sorted(path.parent.iterdir())
    assert gather_one(TrackioReader, path).series("a")[-1] == (9, 1.5)
    assert sorted(path.parent.iterdir()) == names
    writing.close()


def test_rows_that_are_no_json_are_kept_as_they_are_and_told(tmp_path: Path) -> None:
    path = database(tmp_path / "p.db", 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE metrics SET metrics = '{\"a\": 1' WHERE step = 0")
        connection.commit()
    found = gather_one(TrackioReader, path)
    assert found.series("a") == [(1, 1 / 7)]
    assert found.codes() == {"unreadable-row": 1}
    assert [type(c).__name__ for c in found.chunks].count("Raw") == 1


def test_bytes_that_are_no_text_keep_their_row_as_it_is(tmp_path: Path) -> None:
    path = database(tmp_path / "p.db", 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE metrics SET metrics = X'7B22E9223A317D' WHERE step = 0")
        connection.commit()
    found = gather_one(TrackioReader, path)
    assert found.codes() == {"unreadable-row": 1}
    (raw,) = (chunk for chunk in found.chunks if isinstance(chunk, chunks.Raw))
    assert raw.payload


@pytest.mark.parametrize(("column", "value"), [("step", "soon"), ("timestamp", "today")])
def test_a_step_or_time_that_is_none_is_told(tmp_path: Path, column: str, value: str) -> None:
    path = database(tmp_path / "p.db", 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE metrics SET {column} = ? WHERE step = 0", (value,))
        connection.commit()
    found = gather_one(TrackioReader, path)
    assert len(found.series("a")) == 2
    assert found.codes() == {f"odd-{'time' if column == 'timestamp' else column}": 1}


def configured(path: Path, config: str) -> Path:
    """A run with this text as its config."""
    database(path, 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE configs (id INTEGER PRIMARY KEY, run_id TEXT,"
                           " run_name TEXT, config TEXT, created_at TEXT)")  # fmt: skip
        row = ("0" * 31 + "1", "r", config, "2024-01-02T03:04:05+00:00")
        connection.execute("INSERT INTO configs VALUES (1, ?, ?, ?, ?)", row)
        connection.commit()
    return path


@pytest.mark.parametrize("config", ["[1]", "{", "null"])
def test_a_config_that_is_no_mapping_is_told(tmp_path: Path, config: str) -> None:
    path = configured(tmp_path / "p.db", config)
    found = gather_one(TrackioReader, path)
    assert found.codes() == {"unreadable-config": 1}
    assert gather_one(TrackioReader, path, found.cursor()).codes() == {}


def test_a_number_that_no_double_holds_is_told_once_of_a_config(tmp_path: Path) -> None:
    path = configured(tmp_path / "p.db", '{"a": 1e999}')
    found = gather_one(TrackioReader, path)
    assert found.attributes("config") == {("a",): "1e999"}
    assert found.codes() == {"number-beyond-double": 1}
    assert gather_one(TrackioReader, path, found.cursor()).codes() == {}


def test_words_for_nan_are_numbers_in_a_config_too(tmp_path: Path) -> None:
    told = {"n": "NaN", "in": {"p": "Infinity", "m": "-Infinity"}, "w": "nan", "_own": "NaN"}
    found = gather_one(TrackioReader, configured(tmp_path / "p.db", json.dumps(told)))
    config = found.attributes("config")
    assert math.isnan(config.pop(("n",)))
    assert config == {("in", "p"): math.inf, ("in", "m"): -math.inf, ("w",): "nan"}
    assert math.isnan(found.attributes("other")["_own",])


@pytest.mark.parametrize("manifest", ["{}", '[{"path": "a"}]', "["])
def test_a_manifest_with_what_is_no_file_is_told(tmp_path: Path, manifest: str) -> None:
    path = database(tmp_path / "p.db", 2)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE artifacts (id, name, type, description);"
            "CREATE TABLE artifact_versions (id, artifact_id, version, manifest, metadata,"
            " manifest_digest);"
            "CREATE TABLE run_artifact_links (id, artifact_version_id, run_id, run_name,"
            " direction);"
            "INSERT INTO artifacts VALUES (1, 'a', 'model', NULL);"
            f"INSERT INTO artifact_versions VALUES (1, 1, 0, '{manifest}', NULL, 'd');"
            f"INSERT INTO run_artifact_links VALUES (1, 1, '{'0' * 31}1', 'r', 'output');"
        )
    assert gather_one(TrackioReader, path).codes() == {"unreadable-artifact": 1}


def test_rows_that_are_gone_are_no_continuation(tmp_path: Path) -> None:
    path = database(tmp_path / "p.db", 4)
    cursor = gather_one(TrackioReader, path).cursor()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM metrics WHERE step = 1")
        connection.commit()
    with pytest.raises(SourceChanged):
        gather_one(TrackioReader, path, cursor)


def test_histograms_come_in_batches_and_never_all_at_once(tmp_path: Path) -> None:
    path = database(tmp_path / "p.db", 2500)
    bins = json.dumps({"h": {"_type": "trackio.histogram", "bins": [0, 1, 2], "values": [3, 4]}})
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE metrics SET metrics = ?", (bins,))
        connection.commit()
    found = gather_one(TrackioReader, path)
    rows = [one.batch for one in found.chunks if isinstance(one, chunks.Histograms)]
    assert [batch.num_rows for batch in rows] == [1024, 1024, 452]
    assert [step for batch in rows for step in batch["step"].to_pylist()] == list(range(2500))


def test_runs_of_trackio_before_it_had_ids_are_known_by_their_names(tmp_path: Path) -> None:
    found = gather_one(TrackioReader, database(tmp_path / "p.db", 2, has_ids=False, run="mine"))
    assert (found.run.key.scope, found.run.key.run_id) == ("p", "mine")
    assert found.series("b") == [(0, 0), (1, 1)]


def test_a_project_is_found_by_its_name_without_the_ending(tmp_path: Path) -> None:
    database(tmp_path / "p.db", 2)
    database(tmp_path / "q.db", 2)
    reader = TrackioReader.open(Location("trackio", str(tmp_path / "p")), ReadOptions())
    assert [run.project for run in reader.runs()] == ["p"]


def test_a_key_that_had_numbers_before_it_had_media_is_stated_once_and_first(
    tmp_path: Path,
) -> None:
    path = database(tmp_path / "p.db", 2)
    told = {"a": {"_type": "trackio.image", "file_path": "gone.png", "caption": None}}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE metrics SET metrics = ? WHERE step = 1", (json.dumps(told),))
        connection.commit()
    found = gather_one(TrackioReader, path)
    kinds = [type(chunk).__name__ for chunk in found.chunks]
    assert kinds.index("SeriesFacts") < kinds.index("Media")
    assert found.content.series["a"].kind == "scalar"
    assert found.codes() == {"missing-bytes": 1}


def test_any_finds_projects_and_leaves_what_lies_beside_them_alone(
    real: Path, tmp_path: Path
) -> None:
    shutil.copytree(real, tmp_path / "t")
    reader = AnyReader.open(Location("any", str(tmp_path)), ReadOptions())
    assert [run.key.tracker for run in reader.runs()] == ["trackio"] * 2


def test_words_for_nan_are_numbers_and_no_other_words(tmp_path: Path) -> None:
    path = database(tmp_path / "p.db", 1)
    told: dict[str, Any] = {"n": "NaN", "p": "Infinity", "m": "-Infinity", "w": "nan"}
    told["in"] = {"n": "NaN", "list": ["NaN"]}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE metrics SET metrics = ?", (json.dumps(told).encode(),))
        connection.commit()
    found = gather_one(TrackioReader, path)
    assert math.isnan(found.series("n")[0][1])
    assert (found.series("p"), found.series("m")) == ([(0, math.inf)], [(0, -math.inf)])
    assert found.texts("w") == [(0, "nan")]
    assert math.isnan(found.series("in.n")[0][1])
    assert found.texts("in.list") == [(0, '["NaN"]')]
