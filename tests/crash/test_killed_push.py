"""kill -9 at any moment of a push: no run twice, none complete that is not, a rerun ends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ferries import kill_points, pull_all, push_all, sail

from runferry.model import RunKey, Uid
from runferry.ports import Location, Reader, ReadOptions, Writer
from runferry.readers.mlflow import MlflowReader
from runferry.readers.tensorboard import TensorboardReader
from runferry.testing.content import Content
from runferry.testing.recording import Sample
from runferry.testing.reference import ReferenceReader, StrictWriter, record
from runferry.testing.samples import as_run, attributes, curve, media
from runferry.writers.mlflow import MlflowWriter
from runferry.writers.tensorboard import TensorboardWriter

SEED = 2025
SAMPLES = (curve(200, batch=50), curve(100, seed=1), attributes(), media())

Contents = dict[Uid, dict[str, Any]]


class Harbour:
    """One kind of destination, always at the same place, for it may hold paths of its own."""

    def __init__(
        self, folder: Path, where: str, writer: type[Writer], reader: type[Reader]
    ) -> None:
        self.folder, self.where = folder, where
        tracker, _, place = where.partition(":")
        self._place, self._writer, self._reader = Location(tracker, place), writer, reader

    def prepare(self) -> None:
        """Make an empty destination: MLflow's own code lays out its tables, and is slow."""
        self.folder.mkdir()
        self._writer.open(self._place).close()

    def contents(self) -> Contents:
        """What a stranger sees, by mark; each mark once."""
        reader = self._reader.open(self._place, ReadOptions())
        found: Contents = {}
        for run in reader.runs():
            content = Content.of(reader.read(run))
            header = content.header or run  # half a run may not have one yet
            content.header = replace(header, key=RunKey("", "", ""), source_url=None)
            assert run.origin_uid is not None, "a run without a mark"
            assert run.origin_uid not in found, f"twice there: {run.name}"
            found[run.origin_uid] = content.comparable()
        reader.close()
        return found

    def sealed(self, samples: Iterable[Sample] = SAMPLES) -> set[Uid]:
        """The runs that look complete."""
        writer, seen = self._writer.open(self._place), set()
        for sample in samples:
            remote = writer.find(sample.run.uid)
            progress = None if remote is None else writer.stored(remote)
            if progress is not None and progress.is_sealed:
                seen.add(sample.run.uid)
        writer.close()
        return seen


def mlflow_harbour(root: Path) -> Harbour:
    folder = root / "store"
    return Harbour(folder, f"mlflow:sqlite:///{folder / 'runs.db'}", MlflowWriter, MlflowReader)


def tensorboard_harbour(root: Path) -> Harbour:
    folder = root / "logdir"
    return Harbour(folder, f"tensorboard:{folder}", TensorboardWriter, TensorboardReader)


def reference_harbour(root: Path) -> Harbour:
    return Harbour(root / "log", f"strict:{root / 'log'}", StrictWriter, ReferenceReader)


@pytest.mark.parametrize(
    ("harbour_at", "kills"),
    [(mlflow_harbour, 30), (tensorboard_harbour, 25), (reference_harbour, 15)],
    ids=["mlflow", "tensorboard", "log"],
)
def test_push_killed_anywhere_then_rerun_equals_one_clean_push(
    harbour_at: Callable[[Path], Harbour], kills: int, tmp_path: Path
) -> None:
    harbour = harbour_at(tmp_path)
    harbour.prepare()
    pulled, archive = tmp_path / "pulled", tmp_path / "archive"
    empty = shutil.copytree(harbour.folder, tmp_path / "empty")
    pull_all(str(record(SAMPLES, tmp_path / "source").path), str(pulled))

    def begin() -> None:
        shutil.rmtree(harbour.folder, ignore_errors=True)
        shutil.rmtree(archive, ignore_errors=True)
        shutil.copytree(pulled, archive)
        shutil.copytree(empty, harbour.folder)

    begin()
    effects = sail(push_all, archive, harbour.where)
    assert effects is not None
    clean = harbour.contents()
    assert len(clean) == len(SAMPLES)
    for point in kill_points(effects, kills, SEED):
        begin()
        sail(push_all, archive, harbour.where, **point)
        complete, seen = harbour.sealed(), harbour.contents()
        assert all(seen[uid] == clean[uid] for uid in complete), f"half a run, {point}"
        assert sail(push_all, archive, harbour.where) is not None
        assert harbour.contents() == clean, f"seed {SEED}, {point}"


@pytest.mark.parametrize(
    ("harbour_at", "kills"),
    [(mlflow_harbour, 15), (tensorboard_harbour, 15), (reference_harbour, 25)],
    ids=["mlflow", "tensorboard", "log"],
)
def test_growth_killed_anywhere_then_grown_again_equals_one_clean_push(
    harbour_at: Callable[[Path], Harbour], kills: int, tmp_path: Path
) -> None:
    """What was complete looks as it was, or like a run on its way: never as if half were all."""
    harbour = harbour_at(tmp_path)
    harbour.prepare()
    whole = curve(120, batch=30)
    pulled, archive = tmp_path / "pulled", tmp_path / "archive"
    for name, cut in (("young", 4), ("grown", 7), ("whole", len(whole.chunks))):
        source = record([Sample(whole.run, whole.chunks[:cut])], tmp_path / f"source-{name}")
        pull_all(str(source.path), str(pulled))
        shutil.copytree(pulled, tmp_path / name)
        if name == "young":
            assert sail(push_all, pulled, harbour.where) is not None
            begun = shutil.copytree(harbour.folder, tmp_path / "begun")

    def begin(name: str) -> None:
        """The archive goes on, with the ledger that it has."""
        ledger = archive / "ledger.sqlite"
        kept = ledger.read_bytes() if name == "whole" and ledger.exists() else None
        shutil.rmtree(archive, ignore_errors=True)
        shutil.copytree(tmp_path / name, archive)
        shutil.copy(pulled / "ledger.sqlite", archive)
        if kept is not None:
            ledger.write_bytes(kept)
        if name == "grown":
            shutil.rmtree(harbour.folder)
            shutil.copytree(begun, harbour.folder)

    (old,) = harbour.contents().values()
    begin("grown")
    effects = sail(push_all, archive, harbour.where)
    assert effects is not None
    (grown,) = harbour.contents().values()
    begin("whole")
    assert sail(push_all, archive, harbour.where) is not None
    (clean,) = harbour.contents().values()
    for point in kill_points(effects, kills, SEED):
        begin("grown")
        sail(push_all, archive, harbour.where, **point)
        (seen,) = harbour.contents().values()
        if harbour.sealed([whole]):
            assert seen in (old, grown), f"half of the growth, {point}"
        if harbour_at is mlflow_harbour:  # whose reader tells what is on its way
            assert seen["rows"] in (old["rows"], grown["rows"]), f"half of the growth, {point}"
        begin("whole")
        assert sail(push_all, archive, harbour.where) is not None
        assert list(harbour.contents().values()) == [clean], f"seed {SEED}, {point}"


def test_a_replacement_killed_anywhere_then_rerun_equals_one_clean_push(tmp_path: Path) -> None:
    """What was complete stays whole until the new one is, and nothing of it stays then."""
    harbour = tensorboard_harbour(tmp_path)
    harbour.prepare()
    empty = shutil.copytree(harbour.folder, tmp_path / "empty")
    archive, ledger = tmp_path / "archive", "ledger.sqlite"
    for name, sample in (("old", media()), ("anew", curve(60, batch=20))):
        sample = as_run(sample, "again")
        source = record([sample], tmp_path / f"source-{name}")
        pull_all(str(source.path), str(tmp_path / name))

    def begin(name: str, ledger_of: Path | None, folder: Path) -> None:
        """An archive with the ledger of another, and what lies at the destination."""
        for place, content in ((archive, tmp_path / name), (harbour.folder, folder)):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(content, place)
        if ledger_of is not None:
            shutil.copy(ledger_of, archive / ledger)

    begin("anew", None, empty)
    assert sail(push_all, archive, harbour.where) is not None
    (new,) = harbour.contents().values()
    begin("old", None, empty)
    assert sail(push_all, archive, harbour.where) is not None
    (old,) = harbour.contents().values()
    known, begun = shutil.copy(archive / ledger, tmp_path), tmp_path / "begun"
    shutil.copytree(harbour.folder, begun)
    begin("anew", known, begun)
    effects = sail(push_all, archive, harbour.where)
    assert effects is not None
    assert list(harbour.contents().values()) == [new]
    files = _files(harbour.folder)
    for point in kill_points(effects, 25, SEED):
        begin("anew", known, begun)
        sail(push_all, archive, harbour.where, **point)
        (seen,) = harbour.contents().values()
        assert seen in (old, new), f"half of each, {point}"
        assert sail(push_all, archive, harbour.where) is not None
        assert list(harbour.contents().values()) == [new], f"seed {SEED}, {point}"
        assert _files(harbour.folder) == files, f"left behind, seed {SEED}, {point}"


def _files(folder: Path) -> dict[str, bytes]:
    """What lies there; names of event files tell the run."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
