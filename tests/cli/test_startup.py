"""`runferry --help` costs next to nothing, because it imports next to nothing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.cli.calling import Caller, command, environment

ROOT = Path(__file__).parents[2]
HEAVY = ("pyarrow", "duckdb", "httpx", "rich", "mlflow", "wandb", "numpy", "pandas", "yaml", "ssl")


@pytest.mark.parametrize("args", [["--help"], ["convert", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    script = (
        "import sys, runferry.cli\n"
        f"sys.argv = ['runferry', *{args!r}]\n"
        "try: runferry.cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "there = {name.partition('.')[0] for name, module in sys.modules.items() if module}\n"
        "print(*sorted(there), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert not set(done.stderr.split()) & set(HEAVY)


def test_pandas_stays_out_of_a_command_and_in_reach_of_others() -> None:
    """pyarrow and Neptune's client would import it in passing; a plugin may want it."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    script = (
        "import sys\n"
        "from runferry.thrift import spare_work; spare_work()\n"
        "import runferry.tables, pyarrow\n"
        "pyarrow.array([1.0])\n"
        "from runferry.dialects.neptune.client import client\n"
        "from runferry.errors import MissingExtra\n"
        "try: client()\n"
        "except MissingExtra: pass\n"
        "assert 'pandas' not in sys.modules\n"
        "import pandas; assert len(pandas.DataFrame({'a': [1]})) == 1\n"
        "assert pyarrow.table({'a': [1]}).to_pandas().a.tolist() == [1]"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), check=True)


def test_help_takes_little_processor_time() -> None:
    """Twice what the package costs that reads the arguments; bench/ has the seconds."""
    resource = pytest.importorskip("resource")

    def spent(called: list[str]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(called, stdout=subprocess.DEVNULL, env=environment(), check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return float(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    least = [sys.executable, "-c", "import typer"]
    both = [(spent(command("--help")), spent(least)) for _ in range(5)]
    assert min(ours for ours, _ in both) < 3 * min(bare for _, bare in both)


def test_every_verb_is_listed_and_has_help_that_fits(runferry: Caller) -> None:
    listed = runferry("--help").out
    verbs = "convert pull push plan verify report ls inspect plot records formats settings"
    verbs += " completion compact vacuum upgrade sql run follow status resume"
    for verb in verbs.split():
        assert f"\n  {verb} " in listed
        told = runferry(verb, "--help")
        assert told.code == 0
        assert all(len(line) <= 80 for line in told.out.splitlines())
        for option in ("--json", "--verbose", "--quiet", "--log-file", "--color"):
            assert option in told.out
    shown = listed.split("Commands:\n")[1].split("\n\n")[0]
    assert [line.split()[0] for line in shown.splitlines()] == [*verbs.split(), "swanlab"]
    told = runferry("swanlab", "convert", "--help")
    assert all(len(line) <= 80 for line in told.out.splitlines())
    assert "..." not in shown


def test_the_version_is_stated_once_and_told_everywhere(runferry: Caller) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    assert project["version"] == cargo["version"]
    assert runferry("--version").out == f"runferry {project['version']}\n"


def test_an_unknown_verb_or_option_is_a_usage_error(runferry: Caller) -> None:
    assert runferry("covert").code == 2
    assert runferry("ls", "--jsn", ".").code == 2
    assert runferry("ls").code == 2
