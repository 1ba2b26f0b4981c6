"""Where everything stands inside an archive folder, and which names may stand there.

Only hexadecimal ids and names of our own become paths; a name from the data never does.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from runferry.errors import Corrupt
from runferry.model import DataKind, Uid

FORMAT_NAME = "runferry-archive"
FORMAT_VERSION = 2  # in 1 other hashes made the digests of runs

MANIFEST = "archive.json"
LEDGER = "ledger.sqlite"
UPGRADE = "upgrade"
"""Commit records of the next version, while an upgrade is under way."""

HOME = ".runferry"
"""The folder that is an archive where nobody names one."""
BESIDE = frozenset({"live", "archive"})
"""What may stand in it before: sessions of mirrored runs, and the archive that they go into."""

ROW_TABLES = ("points", "texts", "histograms", "media", "console", "raw")
"""Grow by segments: what came later never changes what came before."""

SNAPSHOT_TABLES = ("series", "files", "artifacts", "documents")
"""Stated as a whole by each commit: a later row replaces an earlier one of the same name."""

KIND_OF: dict[str, DataKind] = {
    "points": "scalar",
    "texts": "text",
    "histograms": "histogram",
    "media": "media",
}
"""The kind of a series that has its rows in this table."""

TABLE_OF: dict[DataKind, str] = {kind: table for table, kind in KIND_OF.items()}

_UID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TABLE = "|".join(ROW_TABLES + SNAPSHOT_TABLES)
_SEGMENT = re.compile(rf"data/run=([0-9a-f]{{32}})/({_TABLE})-([0-9]+)-([0-9a-f]+)\.parquet")


def checked_uid(uid: str, where: str = "") -> Uid:
    """The uid, if it is one. Raises Corrupt: anything else must never become a path."""
    if _UID.fullmatch(uid) is None:
        raise Corrupt(f"{uid[:80]!r} is no run uid (32 hex digits)", where=where)
    return Uid(uid)


def checked_segment(path: str, uid: Uid, where: str = "") -> str:
    """The path of a segment of this run. Raises Corrupt for any other."""
    found = _SEGMENT.fullmatch(path)
    if found is None or found[1] != uid:
        raise Corrupt(f"{path[:120]!r} is no segment of run {uid}", where=where)
    return path


def commit_path(root: Path, uid: Uid) -> Path:
    """The commit record of a run."""
    return root / "commits" / uid[:2] / f"{uid}.json"


def run_folder(root: Path, uid: Uid) -> Path:
    """The folder of a run's segments."""
    return root / "data" / f"run={uid}"


def segment_path(uid: Uid, table: str, number: int, attempt: str) -> str:
    """A segment's path below the archive, with `/`."""
    return f"data/run={uid}/{table}-{number}-{attempt}.parquet"


def blob_path(root: Path, sha256: str) -> Path:
    """Where the bytes with this hash stand. Raises Corrupt for what is no SHA-256."""
    if _SHA256.fullmatch(sha256) is None:
        raise Corrupt(f"{sha256[:80]!r} is no SHA-256", where=str(root))
    return root / f"blobs/sha256/{sha256[:2]}/{sha256}"  # one join: a run may have thousands


def new_attempt() -> str:
    """An id that no other attempt to write a run has."""
    return secrets.token_hex(6)
