"""`SHA256SUMS` of an exact copy: its files as they were written, in the form of `sha256sum -c`.

Nobody edits a copy that lies beside what others read: a file that is not as it was is damaged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.layout import RUN_FILE
from runferry.errors import Damaged
from runferry.paths import inside

SUMS: Final = "SHA256SUMS"
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")


def sums_text(sums: Mapping[str, str]) -> str:
    """The content of the file, from digests by name below the folder; safe names have no line
    breaks."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def read_sums(folder: Path) -> dict[str, str]:
    """The inverse of `sums_text`. Raises Damaged, also where there is none."""
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise _no_sums(path, str(error)) from error
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match is not None}
    if len(sums) < len(lines) or RUN_FILE not in sums:
        raise _no_sums(path, "lines are cut or missing")
    return sums


def _no_sums(path: Path, why: str) -> Damaged:
    return Damaged(f"no sums of a copy's files ({why})", where=str(path), offset=None)


def changed_in(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """The files that are gone, or not as they were written."""
    return [name for name, digest in sums.items() if _digest_at(inside(folder, name)) != digest]


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The digests of files that are there."""
    found = ((name, _digest_at(inside(folder, name))) for name in names)
    return {name: digest for name, digest in found if digest is not None}


def _digest_at(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
