"""The contract catches what it is there for: each seeded fault fails the laws named with it.

A law fails by its own judgement, an assertion; a law that merely crashes has caught nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import pytest
import seeded_faults

FAULTS = {
    name: suite.caught_by
    for name, suite in vars(seeded_faults).items()
    if name.startswith("Test") and suite.caught_by
}
UNBROKEN = [name for name in vars(seeded_faults) if name.startswith("TestUnbroken")]


@pytest.fixture(scope="module")
def broken_laws(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The laws that each suite broke, from one run of them all in a process of its own."""
    folder = tmp_path_factory.mktemp("faults")
    report = folder / "report.xml"
    quiet = ["-q", "--tb=no", "-p", "no:cacheprovider", "-o", "addopts="]
    chosen = [f"{suite}::{law}" for suite, laws in FAULTS.items() for law in laws] + UNBROKEN
    laws = [f"{seeded_faults.__file__}::{law}" for law in chosen]
    command = [sys.executable, "-m", "pytest", *laws, *quiet]
    places = [f"--junitxml={report}", f"--basetemp={folder / 'tmp'}", "-c", os.devnull]
    ended = subprocess.run([*command, *places], capture_output=True, text=True)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    broken: dict[str, set[str]] = defaultdict(set)
    for case in ElementTree.parse(report).iter("testcase"):
        suite = case.attrib["classname"].rpartition(".")[2]
        failure = case.find("failure")
        if failure is not None:
            said = failure.attrib["message"]
            assert said.startswith(("AssertionError", "assert ")), (
                f"{suite}: {case.attrib['name']}: {said}"
            )
        broken[suite].update({case.attrib["name"]} if failure is not None else ())
        assert case.find("error") is None, f"{suite}: {case.attrib['name']} did not even start"
    return broken


def test_there_is_a_fault_of_every_kind() -> None:
    assert len(FAULTS) >= 10
    assert Path(seeded_faults.__file__).is_file()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_caught(fault: str, broken_laws: dict[str, set[str]]) -> None:
    assert broken_laws[fault] == FAULTS[fault]


@pytest.mark.parametrize("suite", UNBROKEN)
def test_the_unbroken_keep_every_law(suite: str, broken_laws: dict[str, set[str]]) -> None:
    assert suite in broken_laws
    assert not broken_laws[suite]
