"""What lies where in a folder of plain files.

runferry.json              the mark of the folder: its form and version
runs.<form>                one line a run, for people; made anew from the runs' own folders
runs/<name>-<8 hex>/       one run; it counts when its run.json is there, which comes last
.runferry/<uid>/<attempt>/ a run while it is written, and `claim`: who is writing it
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, Literal

from runferry.errors import UnknownVersion
from runferry.paths import regular

FormName = Literal["csv", "jsonl", "parquet"]

FORMAT: Final = "runferry-plain"
VERSION: Final = 1

MARK: Final = "runferry.json"
RUNS: Final = "runs"
HIDDEN: Final = ".runferry"
RUN_FILE: Final = "run.json"

ATTRIBUTES: Final = "attributes.jsonl"
SERIES: Final = "series.jsonl"
FILES: Final = "files.jsonl"
ARTIFACTS: Final = "artifacts.jsonl"
DOCUMENTS: Final = "documents.jsonl"
LISTINGS: Final = (ATTRIBUTES, SERIES, FILES, ARTIFACTS, DOCUMENTS)

_UID: Final = re.compile(r"[0-9a-f]{32}")


def is_uid(word: str) -> bool:
    """Whether this may be the name of a folder of ours."""
    return _UID.fullmatch(word) is not None


def mark_text(form: str) -> str:
    """The content of the mark."""
    return json.dumps({"format": FORMAT, "version": VERSION, "form": form}, indent=2) + "\n"


def form_of(root: Path) -> str | None:
    """The form that a folder's mark names; None where there is no mark of ours.

    Raises UnknownVersion for a later one.
    """
    if regular(root / MARK) is None:
        return None
    try:
        said = json.loads((root / MARK).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        return None
    if said.get("version") != VERSION:
        raise UnknownVersion(
            f"plain files of version {said.get('version')}; this runferry knows {VERSION}",
            where=str(root),
            hint="pip install -U runferry",
        )
    return str(said.get("form"))
