"""Every command of the documentation does what its page says.

`RUNFERRY_DOCS=write python -m pytest tests/docs` puts what is printed now into the pages.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.docs.doc_blocks import RUN, Block, Note, parts_of
from tests.docs.doc_outputs import same
from tests.docs.doc_stories import ROOT, Story

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
WRITING = os.environ.get("RUNFERRY_DOCS") == "write"


def has_commands(page: Path) -> bool:
    return any(isinstance(part, Block) and part.language in RUN for part in parts_of(page))


def not_run() -> list[tuple[str, str]]:
    """The blocks that no test runs, and why."""
    found, reason = [], ""
    for page in PAGES:
        for part in parts_of(page):
            if isinstance(part, Note):
                reason = part.value if part.word == "not run" else reason
            else:
                if reason:
                    found.append((part.where, reason))
                reason = ""
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="the pages speak to a POSIX shell")
@pytest.mark.parametrize(
    "page", list(filter(has_commands, PAGES)), ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_the_commands_of_a_page_print_what_it_says(page: Path, tmp_path: Path) -> None:
    with Story(page, tmp_path, writing=WRITING) as story:
        story.tell()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_is_typed_stands_in_a_block_that_is_run(page: Path) -> None:
    for part in parts_of(page):
        if isinstance(part, Block) and part.is_session:
            assert part.language == "console", part.where


def test_the_blocks_that_are_not_run_are_few_and_have_reasons() -> None:
    told = not_run()
    print(*(f"{where}: {reason}" for where, reason in told), sep="\n")
    assert all(len(reason.split()) > 3 for _, reason in told)
    commands = [
        part
        for page in PAGES
        for part in parts_of(page)
        if isinstance(part, Block) and part.language in RUN
    ]
    assert len(told) < len(commands) / 3


def test_no_page_shows_the_machine_on_which_it_was_written() -> None:
    import getpass
    import socket

    home = str(Path.home())
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for secret in (f"{home}/", str(ROOT), f"{getpass.getuser()}@", socket.gethostname()):
            assert len(secret) < 6 or secret not in text, (page, secret)


def test_outputs_are_compared_but_for_what_changes() -> None:
    stated = ["2 runs (2 new), 519 rows, 294 B", "at 2026-01-02 03:04", "…", "uid 0a8caaad29fc…7f"]
    printed = [
        "2 runs (2 new), 519 rows, 300 B",
        "at   2026-11-22 13:59",
        "x",
        "uid ffffaa11…9",
        "",
    ]
    assert same(stated, printed)
    assert not same(stated, [printed[0].replace("519", "518"), *printed[1:]])
    assert not same(stated[:2], printed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_fence_of_a_page_is_seen(page: Path) -> None:
    """One that is indented, or of tildes, would hide its commands from the test."""
    lines = page.read_text(encoding="utf-8").splitlines()
    inside = {
        number
        for part in parts_of(page)
        if isinstance(part, Block)
        for number in range(part.line - 1, part.line + len(part.lines) + 1)
    }
    missed = [
        number + 1
        for number, line in enumerate(lines)
        if line.lstrip(" >").startswith(("```", "~~~")) and number not in inside
    ]
    assert not missed, f"{page.name}: lines {missed}"


def test_commands_stand_in_blocks_that_are_run() -> None:
    """A block without a language is a picture of something, but for the list of all verbs."""
    started = ("runferry ", "pip ", "python ", "mlflow ", "wandb ", "tensorboard ")
    pictures = {
        part.where
        for page in PAGES
        for part in parts_of(page)
        if isinstance(part, Block) and part.language not in RUN
        if any(line.startswith(started) for line in part.lines)
    }
    assert {where.split(":")[0] for where in pictures} == {"cli.md"}  # tests/test_docs.py holds it
    assert len(pictures) == 1
