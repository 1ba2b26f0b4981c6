"""A vendor's command says what it does, and ends when it is told to, whatever it is at."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runferry import settings
from runferry.errors import Declined
from runferry.python_apart import command_apart
from runferry.writers.vendor_command import VendorCommand, environment_without

SLEEPS = "import time; print('at it', flush=True); time.sleep(60)"


def command(code: str, folder: Path) -> VendorCommand:
    return VendorCommand("vendor", command_apart(code), environment_without(()), folder)


def test_its_last_lines_are_kept_without_secrets(tmp_path: Path) -> None:
    code = "for n in range(20): print(f'line {n}', f'https://me:hidden@host/{n}')"
    ended = command(code, tmp_path).run("there")
    assert ended.code == 0
    assert len(ended.said) == 12
    assert ended.said[-1].startswith("line 19 https://")
    assert "hidden" not in ended.words


def test_the_keys_that_it_was_given_are_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = "import os; print('logged in with', os.environ['VENDOR_API_KEY'])"
    asked = command(code, tmp_path)
    keys = {"OLDER_TOKEN": "0123hidden", "VENDOR_API_KEY": "0123hidden4567"}
    given = {**asked.environment, **keys}
    with caplog.at_level("INFO"):
        ended = replace(asked, environment=given).run("there")
    assert ended.said == ("logged in with …",)
    assert "logged in with" in caplog.text
    assert "hidden" not in caplog.text
    assert "4567" not in caplog.text


def test_of_one_that_says_nothing_the_exit_code_is_told(tmp_path: Path) -> None:
    assert command("raise SystemExit(3)", tmp_path).run("there").words == "exit code 3"


def test_of_a_traceback_the_last_line_is_told(tmp_path: Path) -> None:
    code = """
print("begun", flush=True)
try:
    {}["key"]
except KeyError as error:
    raise ValueError("that is why") from error
"""
    ended = command(code, tmp_path).run("there")
    assert ended.words == "ValueError: that is why"
    assert ended.said == ("begun", "KeyError: 'key'", "ValueError: that is why")


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Declined, match="vendor took 2 seconds: at it"):
        replace(command(SLEEPS, tmp_path), most_seconds=2.0).run("there")
    assert time.monotonic() - began < 30


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs /proc")
def test_one_that_does_nothing_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "current", lambda: replace(settings.Settings(), patience=2.0))
    began = time.monotonic()
    with pytest.raises(Declined, match=r"vendor did nothing for \d+ seconds: at it"):
        command(SLEEPS, tmp_path).run("there")
    assert time.monotonic() - began < 30


def test_variables_that_mean_another_run_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_RUN_ID", "other")
    found = environment_without({"VENDOR_RUN_ID"})
    assert "VENDOR_RUN_ID" not in found
    assert found["PATH"] == os.environ["PATH"]
