"""What a tracker's page says at a glance is what its reader and its writer declare."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.docs.kept_tables import WORDS, fate_fields, named, with_tables

from runferry import registry

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if named(page)]
OF_NO_TRACKER = {"archive", "any"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_tables_of_today(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if os.environ.get("RUNFERRY_DOCS") == "write":
        page.write_text(with_tables(text), encoding="utf-8")
    assert text == with_tables(text), "RUNFERRY_DOCS=write python -m pytest tests/docs"


def test_each_reader_and_writer_has_a_table() -> None:
    told = [name for page in PAGES for name in named(page)]
    assert {*told} == {*registry.reader_names(), *registry.writer_names()} - OF_NO_TRACKER


def test_each_fate_of_limits_has_words() -> None:
    assert fate_fields() == WORDS.keys()
