"""Two ways to call the command line: in this process, or in a new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runferry import settings


@dataclass(frozen=True)
class Answer:
    """What a call printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


class Caller:
    """Calls `runferry` in this process, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *args: str | Path, **environ: str) -> Answer:
        from runferry.cli.verbs import app

        settings.install(None)
        result = CliRunner().invoke(
            app, [str(arg) for arg in args], prog_name="runferry", env=dict(environ)
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "runferry", *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}


def in_new_process(*args: str | Path, timeout: float = 60, **environ: str) -> Answer:
    done = subprocess.run(
        command(*args),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        env=environment(**environ),
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def widest(text: str) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for line in text.splitlines()), default=0)
