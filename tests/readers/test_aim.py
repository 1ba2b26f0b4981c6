"""Repositories of Aim, logged by Aim itself."""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from run_folders import CORPUS, Gathered, gather

from runferry import chunks, settings
from runferry.anywhere import AnyReader
from runferry.dialects.aim.process import end_all, interpreter
from runferry.errors import Damaged, MissingExtra, NotFound, SourceError
from runferry.ports import Location, ReadOptions
from runferry.python_apart import command_apart, environment_apart
from runferry.readers.aim import AimReader
from runferry.testing.content import snapshot
from runferry.testing.reader_contract import ReaderContract

SCRIPT = Path(__file__).with_name("aim_script.py")
LOOKED_UP = Path(__file__).with_name("aim_looked_up.py")
LIVE = Path(__file__).with_name("aim_live_script.py")
STEPS = 6


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository that Aim made, to be copied."""
    if importlib.util.find_spec("aim") is None:
        pytest.skip("aim is not installed")
    home = tmp_path_factory.mktemp("aim") / "work"
    (home / "repo").mkdir(parents=True)
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(home / "repo"), str(STEPS)]
    subprocess.run(
        command, check=True, capture_output=True, timeout=120, env=environment_apart(), cwd=home
    )
    return home


class TestAim(ReaderContract):
    reader = AimReader

    @pytest.fixture
    def source(self, tmp_path: Path, real: Path) -> Location:
        shutil.copytree(real, tmp_path / "work")
        return Location("aim", str(tmp_path / "work"))


def both(root: Path) -> tuple[Gathered, Gathered]:
    """The run that was closed, and the one that was not."""
    found = {run.run.project: run for run in gather(AimReader, root).values()}
    return found["exp"], found["other"]


def test_what_aim_logged_is_read(real: Path) -> None:
    found, cut = both(real)
    assert found.series("loss.subset=train") == [(n, 1 / (n + 1)) for n in range(STEPS)]
    assert found.series("loss.subset=train.epoch") == [(n, n // 2) for n in range(STEPS)]
    assert found.series("count") == [(n, 2**53 + n) for n in range(STEPS)]
    odd = found.series("odd")
    assert [step for step, _ in odd] == [n * 2 for n in range(STEPS)]
    assert [math.isnan(value) for _, value in odd] == [bool(n % 2) for n in range(STEPS)]
    assert odd[0][1] == math.inf
    assert found.texts("txt") == [(3, "hello")]
    assert found.series("txt.epoch") == [(3, 2)]
    assert all(time is not None for time in found.times("count"))
    assert cut.series("a") == [(n, n * 0.5) for n in range(STEPS)]


def test_steps_and_epochs_that_are_no_integers_are_kept(real: Path) -> None:
    found, _ = both(real)
    rows = [row for c in found.chunks if isinstance(c, chunks.Points)
            for row in c.batch.to_pylist()]  # fmt: skip
    steps = [(row["step"], row["step_frac"]) for row in rows if row["key"] == "part"]
    assert steps == [(-1, 500_000), (1, 500_000)]
    assert found.series("part.epoch") == [(1, 0.25)]


def test_numbers_of_mixed_types_are_the_rows_that_aim_itself_looks_up(real: Path) -> None:
    """A loss that begins at 0, an accuracy that reaches 1: Aim calls such a sequence a `number`."""
    found, _ = both(real)
    home = real / "repo" / ".aim"
    asked = _looked_up(home, found.run.key.run_id)["mixed"]
    assert [(step, value) for step, value, _, _ in asked] == list(found.series("mixed"))
    assert found.series("mixed.epoch") == [(n, epoch) for n, _, epoch, _ in asked]
    assert found.series("mixed")[-1] == (15, 2**53 + 1)
    kinds = [row["kind"] for row in found.rows(chunks.Points, "mixed")]
    assert kinds[:3] == ["int", "float64", "int"]


def test_numbers_of_an_unknown_type_keep_their_steps(real: Path) -> None:
    found, _ = both(real)
    assert stepped(found, "unknown") == [(n * 1.25, 0.5 + n) for n in range(STEPS)]


def test_a_step_with_more_than_six_places_is_told(tmp_path: Path) -> None:
    if importlib.util.find_spec("aim") is None:
        pytest.skip("aim is not installed")
    code = "import aim; aim.Run(repo='.').track(0.5, name='third', step=1 / 3)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    environment = environment_apart()
    subprocess.run(command, check=True, timeout=120, env=environment, cwd=tmp_path)
    (found,) = gather(AimReader, tmp_path).values()
    assert found.codes() == {"rounded-step": 1}


def test_notes_are_attributes_of_their_run(real: Path, tmp_path: Path) -> None:
    root = shutil.copytree(real, tmp_path / "work")
    with closing(sqlite3.connect(root / "repo" / ".aim" / "run_metadata.sqlite")) as database:
        query = "INSERT INTO note (content, run_id) SELECT ?, id FROM run WHERE name = 'my run'"
        database.execute(query, ("look again",))
        database.commit()
    found, cut = both(root)
    assert found.attributes("other")["aim", "notes"] == ["look again"]
    assert ("aim", "notes") not in cut.attributes("other")


def test_parameters_and_header_are_those_of_the_run(real: Path) -> None:
    found, cut = both(real)
    assert found.attributes("config") == {
        ("hparams", "lr"): 0.1,
        ("hparams", "layers"): [1, 2],
        ("hparams", "nested", "a", "b"): True,
        ("hparams", "none"): None,
        ("hparams", "e"): {},
    }
    run = found.content.header
    assert run is not None
    assert (run.name, run.notes, run.tags) == ("my run", "about it", ("t1",))
    assert (run.state, run.complete) == ("finished", True)
    assert run.created is not None
    assert run.ended is not None
    assert run.created <= run.ended
    assert cut.content.header is not None
    assert not cut.content.header.complete


def test_media_histograms_console_and_artifacts_are_read(real: Path) -> None:
    found, _ = both(real)
    items = [i for c in found.chunks if isinstance(c, chunks.Media) for i in c.items]
    assert [(i.index, i.caption) for i in items if i.key == "pictures"] == [(0, "black"), (1, None)]
    assert items[0].blob.open is not None
    with items[0].blob.open() as image:
        assert image.read(4) == b"\x89PNG"
    (bins,) = [c.batch.to_pylist()[0] for c in found.chunks if isinstance(c, chunks.Histograms)]
    assert bins["counts"] == [2.0] * 4
    assert bins["edges"] == [0.0, 1.75, 3.5, 5.25, 7.0]
    assert "printed by it\n" in [row["line"] for row in found.console()]
    (artifact,) = [c for c in found.chunks if isinstance(c, chunks.Artifact)]
    assert (artifact.name, artifact.entries[0].reference is None) == ("file.txt", False)
    assert found.codes() == {}


def test_histograms_come_in_batches_and_never_all_at_once(tmp_path: Path) -> None:
    if importlib.util.find_spec("aim") is None:
        pytest.skip("aim is not installed")
    logged = (
        "import aim, sys; run = aim.Run(repo=sys.argv[1], log_system_params=False, "
        "capture_terminal_logs=False, system_tracking_interval=None); [run.track("
        "aim.Distribution([1.0, float(n)], bin_count=4), name='bins', step=n) "
        "for n in range(int(sys.argv[2]))]; run.close()"
    )
    command = command_apart(logged, str(tmp_path), "2500")
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment_apart())
    (run,) = _runs(tmp_path)
    read = AimReader.open(Location("aim", str(tmp_path)), ReadOptions()).read(run)
    rows = [one.batch for one in read if isinstance(one, chunks.Histograms)]
    assert [batch.num_rows for batch in rows] == [1024, 1024, 452]
    assert [step for batch in rows for step in batch["step"].to_pylist()] == list(range(2500))


def test_a_repository_is_left_as_it_is_also_by_its_stamps(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path / "work")

    def stamps() -> dict[str, tuple[int, int, int]]:
        found = ((str(path), path.stat()) for path in (tmp_path / "work").rglob("*"))
        return {name: (s.st_mtime_ns, s.st_ctime_ns, s.st_nlink) for name, s in found}

    before = stamps(), snapshot(tmp_path)
    both(tmp_path / "work")
    assert (stamps(), snapshot(tmp_path)) == before


def test_a_run_that_is_being_written_is_read_as_an_exact_prefix(real: Path, tmp_path: Path) -> None:
    del real  # Aim is there
    (tmp_path / "repo").mkdir()
    command = [sys.executable, "-W", "ignore", str(LIVE), str(tmp_path / "repo")]
    environment = environment_apart()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writing:
        try:
            assert writing.stdout is not None
            assert writing.stdout.readline() == b"begun\n"
            lengths = []
            for _ in range(3):
                (found,) = gather(AimReader, tmp_path).values()
                rows = found.series("a")
                assert rows == [(n, n * 0.5) for n in range(len(rows))]
                assert not found.run.complete
                assert found.codes().keys() <= {"half-written"}
                lengths.append(len(rows))
        finally:
            writing.kill()
    assert lengths == sorted(lengths)
    assert lengths[0] > 0


def test_a_killed_run_says_what_aim_itself_looks_up(real: Path, tmp_path: Path) -> None:
    """Also that no epoch was stated: a series of epochs has those that were, and no others."""
    del real  # Aim is there
    home = tmp_path / "repo" / ".aim"
    home.parent.mkdir()
    _killed(home.parent)
    (found,) = gather(AimReader, home).values()
    asked = _looked_up(home, found.run.key.run_id)
    points = [chunk.batch for chunk in found.chunks if isinstance(chunk, chunks.Points)]
    keys = {key for batch in points for key in batch.column("key").to_pylist()}
    assert keys == {"a", "b", "b.epoch"}
    assert len(asked["a"]) > 500
    for name in ("a", "b"):
        assert stepped(found, name) == [(step, value) for step, value, _, _ in asked[name]]
        times = [round(time * 1e6) * 1000 for _, _, _, time in asked[name]]
        assert found.times(name) == times
    stated = [(step, epoch) for step, _, epoch, _ in asked["b"] if epoch is not None]
    assert stepped(found, "b.epoch") == stated


def stepped(found: Gathered, key: str) -> list[tuple[float, float]]:
    """Steps with their fractions, and values."""
    rows = found.rows(chunks.Points, key)
    return [(row["step"] + (row["step_frac"] or 0) / 1e6, row["value"]) for row in rows]


def test_a_run_without_rows_is_listed_and_told(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path / "work")
    home = tmp_path / "work" / "repo" / ".aim"
    found, _ = both(tmp_path / "work")
    shutil.rmtree(home / "meta" / "chunks" / found.run.key.run_id)
    found, other = both(tmp_path / "work")
    assert found.codes() == {"missing-rows": 1}
    assert other.codes() == {}


def test_a_run_that_the_database_does_not_know_is_read(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path / "work")
    with closing(sqlite3.connect(tmp_path / "work/repo/.aim/run_metadata.sqlite")) as database:
        database.execute("DELETE FROM run WHERE name = 'my run'")
        database.commit()
    found = {run.project: run for run in _runs(tmp_path / "work")}
    assert set(found) == {None, "other"}


def test_damaged_rows_are_an_error_that_names_the_repository(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path / "work")
    home = tmp_path / "work" / "repo" / ".aim"
    for manifest in (home / "meta" / "chunks").glob("*/MANIFEST-*"):
        manifest.write_bytes(b"nothing of the kind")
    reader = AimReader.open(Location("aim", str(home)), ReadOptions())
    for run in reader.runs():
        with pytest.raises(Damaged) as caught:
            list(reader.read(run))
        assert caught.value.hint


def test_any_finds_a_repository(real: Path) -> None:
    reader = AnyReader.open(Location("any", str(real)), ReadOptions())
    assert {run.key.tracker for run in reader.runs()} == {"aim"}


def test_a_python_without_aim_is_told_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _made(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    settings.install(settings.Settings(aim_environment="off"))
    try:
        reader = AimReader.open(Location("aim", str(home)), ReadOptions())
        (run,) = reader.runs()
        with pytest.raises(MissingExtra) as caught:
            list(reader.read(run))
    finally:
        settings.install(None)
    assert "RUNFERRY_AIM_PYTHON" in str(caught.value.hint)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_repository_is_read_where_aim_is_not_installed(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The packages come from the index, as they will for a user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "aim" else find_spec(name)
    )
    settings.install(settings.Settings())
    end_all()
    try:
        with caplog.at_level(logging.WARNING, "runferry"):
            found, _ = both(real)
    finally:
        settings.install(None)
        end_all()
        shutil.rmtree(tmp_path / "cache")
    assert found.series("count") == [(n, 2**53 + n) for n in range(STEPS)]
    (told,) = caplog.messages
    assert told.startswith("making an environment of its own for Aim")


def test_the_python_that_is_named_is_asked(tmp_path: Path) -> None:
    settings.install(settings.Settings(aim_python=tmp_path / "none"))
    try:
        assert interpreter()[0] == str(tmp_path / "none")
        reader = AimReader.open(Location("aim", str(_made(tmp_path))), ReadOptions())
        (run,) = reader.runs()
        with pytest.raises(SourceError) as caught:
            list(reader.read(run))
        assert str(tmp_path / "none") in str(caught.value)
    finally:
        settings.install(None)


def test_a_named_python_needs_nothing_but_aim(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even runferry: only the process's file and the one beside it, wherever it looks."""
    end_all()
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    settings.install(settings.Settings(aim_python=Path(sys.executable)))
    try:
        found, _ = both(real)
    finally:
        settings.install(None)
    assert found.series("count") == [(n, 2**53 + n) for n in range(STEPS)]


def test_a_file_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotFound):
        AimReader.open(Location("aim", str(tmp_path / "file")), ReadOptions())


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus; set RUNFERRY_CORPUS")
def test_repositories_of_the_corpus_are_read() -> None:
    homes = sorted(path.parent for path in (CORPUS / "aim").rglob("run_metadata.sqlite"))
    assert homes
    for home in homes:
        assert AimReader.recognises(home)
        with closing(
            sqlite3.connect(f"file:{home}/run_metadata.sqlite?immutable=1", uri=True)
        ) as d:
            (rows,) = d.execute("SELECT COUNT(*) FROM run").fetchone()
        assert len(_runs(home)) == rows


def _runs(root: Path) -> list[chunks.Run]:
    return list(AimReader.open(Location("aim", str(root)), ReadOptions()).runs())


def _killed(repository: Path) -> None:
    """A run that was killed while it logged."""
    command = [sys.executable, "-W", "ignore", str(LIVE), str(repository)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment_apart()) as writing:
        try:
            assert writing.stdout is not None
            assert writing.stdout.readline() == b"begun\n"
        finally:
            writing.kill()


def _looked_up(home: Path, run_hash: str) -> dict[str, list[list[Any]]]:
    command = [sys.executable, "-W", "ignore", str(LOOKED_UP)]
    folders = [str(home / part / "chunks" / run_hash) for part in ("meta", "seqs")]
    told = subprocess.run(
        [*command, *folders, run_hash], check=True, capture_output=True, timeout=120,
        env=environment_apart(),
    )  # fmt: skip
    found: dict[str, list[list[Any]]] = json.loads(told.stdout)
    return found


def _made(folder: Path) -> Path:
    """A repository that has one run with rows, as far as one can see from outside."""
    home = folder / "repo" / ".aim"
    (home / "meta" / "chunks" / "abc").mkdir(parents=True)
    (home / "meta" / "chunks" / "abc" / "CURRENT").write_text("MANIFEST-000001\n")
    with closing(sqlite3.connect(home / "run_metadata.sqlite")) as database:
        database.execute("CREATE TABLE other (x INTEGER)")
        database.commit()
    return home
