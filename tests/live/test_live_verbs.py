"""The verbs of live mirroring: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from training import layout, rows, settled, train

from runferry.python_apart import environment_apart

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
SCHEMAS = json.loads(
    (Path(__file__).parents[2] / "docs" / "cli.schema.json").read_text(encoding="utf-8")
)


def _called(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "runferry", *arguments],
        cwd=folder,
        env=environment_apart(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_status_and_resume_tell_what_there_is(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import runferry
        runferry.sync_tensorboard(to="archive:./mirrored")
        from tensorboardX import SummaryWriter
        with SummaryWriter("runs/a") as writer:
            for step in range(10):
                writer.add_scalar("loss", step, step)
        """,
    )
    assert settled(tmp_path).state == "done"
    told = _called(tmp_path, "status", "--json")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    jsonschema.validate(document, {**SCHEMAS, "$ref": "#/$defs/status"})
    assert (document["state"], document["captured"]) == ("done", 11)
    shown = _called(tmp_path, "status", "--watch")
    assert shown.stdout.splitlines()[0] == "done"
    assert "archive:./mirrored" in shown.stdout

    journal = str(layout(tmp_path).root)
    again = _called(tmp_path, "resume", journal, "--to", "jsonl:./lines", "--json")
    assert again.returncode == 0, again.stderr
    jsonschema.validate(json.loads(again.stdout), {**SCHEMAS, "$ref": "#/$defs/status"})
    assert rows(f"jsonl:{tmp_path / 'lines'}")["loss"] == [(n, float(n)) for n in range(10)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status"], "no session"),
        (["resume", "nowhere"], "no session"),
        (["run", "--", "true"], "--to is missing"),
        (["run", "--to", "mlfow:x", "--", "true"], "mlfow"),
        (["run", "--to", "archive:./a", "--", "no-such-command"], "cannot be run"),
    ],
)
def test_a_wrong_call_is_told_with_a_hint(tmp_path: Path, arguments: list[str], told: str) -> None:
    answer = _called(tmp_path, *arguments)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert "hint:" in answer.stderr
