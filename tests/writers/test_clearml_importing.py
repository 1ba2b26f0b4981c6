"""The vendor's client in a process of its own: it is there for a run, and soon gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runferry.dialects.clearml.account import Account
from runferry.writers.clearml.importing import by_vendor

_ASKS = """
import sys
import clearml
print("found", *(name for name in ("lark", "rfc3987_syntax", "trio") if sys.modules.get(name)), ".")
"""


def test_the_client_is_imported_without_what_it_has_no_use_for(tmp_path: Path) -> None:
    pytest.importorskip("clearml", reason="clearml is not installed")
    here = "http://127.0.0.1:9"
    found = by_vendor(
        _ASKS,
        tmp_path,
        Account(here, here, here),
        tmp_path,
        size_bytes=0,
        did="tell",
        tells=re.compile("found (.*)"),
    )
    assert found == ["."]
