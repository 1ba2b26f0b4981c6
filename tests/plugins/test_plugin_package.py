"""A package of somebody else: installed, it is a tracker like others, and keeps the same laws."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "plugin"
RUNS = ROOT / "examples" / "wandb"


@dataclass(frozen=True, slots=True)
class Installed:
    """A folder of packages, seen by the processes started here and by no other."""

    packages: Path
    folder: Path

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        """What `python -m …` prints."""
        done = self.ended(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code in (0, 3) else done.stderr

    def ended(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """What became of `python -m …`, in a folder far from the repository."""
        return subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(self.packages), *_ours()])},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )


def _ours() -> list[str]:
    """Where runferry is, but not its tests."""
    return [path for path in sys.path if path and Path(path).resolve() != ROOT]


def _installed(source: Path, folder: Path) -> Installed:
    site, work = folder / "site", folder / "work"
    work.mkdir()
    copied = shutil.copytree(source, folder / "source")  # a build leaves things beside it
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps",
         "--no-index", "--target", site, copied],
        check=True,
        timeout=120,
    )  # fmt: skip
    return Installed(site, work)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return _installed(PACKAGE, tmp_path_factory.mktemp("plugin"))


def test_its_name_stands_among_the_others(plugin: Installed) -> None:
    told = json.loads(plugin.run("runferry", "formats", "--json"))
    assert {"runline", "wandb"} <= set(told["readers"])
    assert {"runline", "wandb"} <= set(told["writers"])
    assert " runline: " in plugin.run("runferry", "completion", "bash")


def test_runs_are_moved_into_it_and_back(plugin: Installed) -> None:
    told = plugin.run("runferry", "convert", RUNS, "runline:./there", "--json", code=3)
    report = json.loads(told)
    assert report["push"]["counts"] == {"new": 2}
    assert report["verify"]["clean"]  # nothing is lost but what its limits say
    listed = json.loads(plugin.run("runferry", "ls", "./there", "--json"))  # it is recognised
    assert listed["where"] == "runline:./there"
    assert len(listed["runs"]) == 2
    plugin.run("runferry", "convert", "runline:./there", "archive:./back", "--json")
    points = "SELECT count(*) AS n FROM points WHERE value IS NOT NULL"
    found = [plugin.run("runferry", "sql", where, points) for where in (".runferry", "back")]
    assert found[0] == found[1]


def test_it_keeps_the_laws_of_the_contract(plugin: Installed) -> None:
    shutil.copytree(PACKAGE / "tests", plugin.folder / "laws")
    told = plugin.run("pytest", "-q", "-rs", "-p", "no:cacheprovider", "laws")
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None
    assert int(passed[1]) >= 40, told


def _broken(folder: Path, module: str, lines: str) -> Installed:
    """A package that offers a reader which is none: what an installer would leave of it."""
    site, work = folder / "site", folder / "work"
    work.mkdir()
    told = site / f"{module}-1.dist-info"
    told.mkdir(parents=True)
    (site / f"{module}.py").write_text(lines, encoding="utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n"
    (told / "METADATA").write_text(metadata, encoding="utf-8")
    points = f"[runferry.readers]\nodd = {module}:Odd\n"
    (told / "entry_points.txt").write_text(points, encoding="utf-8")
    return Installed(site, work)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("import a_package_that_is_not_there\n", "does not load (ModuleNotFoundError: "),
        ("class Odd:\n    name = 'odd'\n", "is no reader: it lacks close, gives, open, read"),
    ],
)
def test_one_that_does_not_work_is_named_with_its_package(
    lines: str, says: str, tmp_path: Path
) -> None:
    broken = _broken(tmp_path, "ferry_broken", lines)
    _told_in(broken.run("runferry", "ls", "odd:./x", code=2), says)


def _told_in(text: str, says: str) -> None:
    assert text.count(f"error: `odd` of the package ferry_broken {says}") == 1
    assert "hint: pip install -U ferry_broken, or pip uninstall ferry_broken" in text
    assert "Traceback" not in text


def test_where_runs_are_looked_for_one_that_does_not_load_leaves_the_others_at_work(
    tmp_path: Path,
) -> None:
    broken = _broken(tmp_path, "ferry_broken", "import a_package_that_is_not_there\n")
    says = "does not load (ModuleNotFoundError: "
    shutil.copytree(RUNS, broken.folder / "runs")
    for verb, *more in (["ls"], ["inspect"], ["plan", "tensorboard:copy"], ["pull", "kept"]):
        done = broken.ended("runferry", verb, "runs", *more)
        assert done.returncode == 4, done.stderr
        assert "gentle-tide" in done.stdout
        _told_in(done.stderr, says)
    done = broken.ended("runferry", "convert", "runs", "again", "--json")
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 4
    (broken.folder / "empty").mkdir()
    done = broken.ended("runferry", "ls", "empty")
    assert done.returncode == 1
    _told_in(done.stderr, says)
    assert broken.ended("runferry", "ls", "wandb:runs").returncode == 0  # it was not asked


def test_formats_says_what_the_others_hold_where_one_does_not_load(tmp_path: Path) -> None:
    broken = _broken(tmp_path, "ferry_broken", "import a_package_that_is_not_there\n")
    for more in ([], ["--markdown"], ["--json"]):
        done = broken.ended("runferry", "formats", *more)
        assert done.returncode == 4
        assert "wandb" in done.stdout
        assert re.search(r'^odd|["`]odd["`]', done.stdout, re.MULTILINE) is None
        _told_in(done.stderr, "does not load (ModuleNotFoundError: ")


def test_one_that_fails_at_what_lies_there_leaves_the_others_at_work(tmp_path: Path) -> None:
    broken = _broken(tmp_path, "ferry_broken", _FAILING)
    says = "cannot tell whether runs is its own (KeyError: 'no such layout')"
    shutil.copytree(RUNS, broken.folder / "runs")
    done = broken.ended("runferry", "ls", "runs")
    assert done.returncode == 4, done.stderr
    assert "gentle-tide" in done.stdout
    _told_in(done.stderr, says)
    (file,) = (broken.folder / "runs").rglob("run-8kq2v1xd.wandb")
    done = broken.ended("runferry", "ls", file)
    assert done.returncode == 4, done.stderr
    assert "gentle-tide" in done.stdout
    _told_in(done.stderr, f"cannot tell whether {file} is its own")
    assert broken.ended("runferry", "ls", "wandb:runs").returncode == 0  # it was not asked


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("OPEN", "cannot open odd:runs (KeyError: 'no such layout')"),
        ("LIST", "cannot list its runs (KeyError: 'no such layout')"),
        ("KEEP", "cannot tell what it keeps in runs (KeyError: 'no such layout')"),
        ("LOOK", "cannot look for its runs in runs (KeyError: 'no such layout')"),
    ],
)
def test_one_that_fails_later_leaves_the_others_and_what_it_gave_before(
    place: str, says: str, tmp_path: Path
) -> None:
    failing = 'raise KeyError("no such layout")'
    broken = _broken(tmp_path, "ferry_broken", _LATER.replace(f"pass  # {place}", failing))
    shutil.copytree(RUNS, broken.folder / "runs")
    (broken.folder / "runs/odd.csv").write_text("a,b\n1,2\n")
    for verb, *more in (["ls"], ["pull", "kept"]):
        done = broken.ended("runferry", verb, "runs", *more)
        assert done.returncode == 4, done.stderr
        assert "gentle-tide" in done.stdout
        assert ("the odd one" in done.stdout) == (place != "OPEN"), done.stdout
        _told_in(done.stderr, says)
    done = broken.ended("runferry", "ls", "odd:runs")
    is_asked = place in ("OPEN", "LIST")  # the others are of a search among several
    assert done.returncode == (2 if is_asked else 0), done.stderr
    if is_asked:
        _told_in(done.stderr, says)


_FAILING = """
class Odd:
    name, gives = "odd", frozenset()

    @classmethod
    def recognises(cls, path):
        raise KeyError("no such layout")

    @classmethod
    def open(cls, where, options):
        return cls()

    def runs(self):
        yield from ()

    def read(self, run, after=None):
        yield from ()

    def close(self):
        pass
"""

_LATER = """
from runferry.chunks import Header
from runferry.model import Run, RunKey
from runferry.readers.run_folders.folder_reader import FolderReader

class Odd(FolderReader):
    name, gives, what = "odd", frozenset(), "anything"

    @classmethod
    def recognises(cls, path):
        return True

    @classmethod
    def open(cls, where, options):
        pass  # OPEN
        return cls(where.path, options)

    @classmethod
    def keeps(cls, folder):
        pass  # KEEP
        return ()

    @classmethod
    def folders(cls, root):
        pass  # LOOK
        return iter(())

    def listed(self):
        return {RunKey("odd", "", "odd-1"): _Run}

    def runs(self):
        yield Run(RunKey("odd", "", "odd-1"), name="the odd one")
        pass  # LIST

    def read(self, run, after=None):
        yield Header(run)

class _Run:
    sources = ()
"""
