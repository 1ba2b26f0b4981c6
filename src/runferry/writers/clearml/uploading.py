"""Bringing files to where ClearML keeps them, by the vendor's own function, in a process apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.account import Account
from runferry.writers.clearml.importing import by_vendor

_CODE: Final = """
import json, sys
from clearml import StorageManager
for local, url in json.load(open(sys.argv[1], encoding="utf-8")):
    if not StorageManager.upload_file(local, url):
        sys.exit(f"{url} was not uploaded")
"""
_LISTED: Final = "uploads.json"


def upload(urls: Mapping[Path, str], account: Account, home: Path) -> None:
    """Upload files to their URLs; what is there already is replaced.

    Raises Declined, and what `by_vendor` raises.
    """
    listed = home / _LISTED
    pairs = [(str(path), url) for path, url in urls.items()]
    listed.write_text(json.dumps(pairs), encoding="utf-8")
    size_bytes = sum(path.stat().st_size for path in urls)
    by_vendor(_CODE, listed, account, home, size_bytes=size_bytes, did="upload the files")
