from __future__ import annotations

from pathlib import Path

import pytest

from runferry.archive.store import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.open(tmp_path / "archive", create=True)
