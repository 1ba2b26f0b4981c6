"""`SHA256SUMS` of an exact copy: its files as they were written, in the form of `sha256sum -c`.

Nobody edits a copy that lies beside what others read: a file that is not as it was is damaged.
The line of `run.json` comes last: a list that has it has lost none at its end.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.forms import SCHEMAS
from runferry.dialects.plain_folder.layout import LISTINGS, RUN_FILE
from runferry.errors import Damaged
from runferry.paths import files_below, inside, regular

SUMS: Final = "SHA256SUMS"
WRITE_ANEW: Final = "runferry push ARCHIVE DESTINATION --restart"
"""What mends a copy."""
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")


def sums_text(sums: Mapping[str, str]) -> str:
    """The content of the file, from digests by name below the folder, `run.json` among them; safe
    names have no line breaks."""
    names = sorted(sums.keys() - {RUN_FILE})
    return "".join(f"{sums[name]}  {name}\n" for name in (*names, RUN_FILE))


def write_sums(folder: Path, text: str) -> None:
    """Put the file there, with ends of lines that `sha256sum` takes on every system."""
    (folder / SUMS).write_text(text, encoding="utf-8", newline="\n")


def has_sums(folder: Path) -> bool:
    """Whether a copy can be read exactly as far as that goes: earlier versions wrote no sums."""
    return regular(folder / SUMS) is not None


def read_sums(folder: Path) -> dict[str, str]:
    """The inverse of `sums_text`. Raises Damaged, also where there is none."""
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise _no_sums(path, f"it has no {SUMS}, as one of an earlier runferry") from error
    except UnicodeDecodeError as error:
        raise _no_sums(path, f"{SUMS} is no text") from error
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match is not None}
    if len(sums) < len(lines) or not sums or next(reversed(sums)) != RUN_FILE:
        raise _no_sums(path, f"lines of {SUMS} are cut or missing")
    return sums


def _no_sums(path: Path, why: str) -> Damaged:
    return Damaged(why, where=str(path), hint=WRITE_ANEW, offset=None)


def changed_in(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """The files that are gone, or not as they were written."""
    return [name for name, digest in sums.items() if _digest_at(inside(folder, name)) != digest]


def unsummed_in(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """Files that would be read of a copy, and have no sum: somebody put them there."""
    found = (name for name, entry in files_below(folder) if entry is not None)
    return [name for name in found if name not in sums and ("/" in name or _is_read(name))]


def _is_read(name: str) -> bool:
    return name in LISTINGS or name.partition(".")[0] in SCHEMAS  # whatever form a table has


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The digests of files that are there."""
    found = ((name, _digest_at(inside(folder, name))) for name in names)
    return {name: digest for name, digest in found if digest is not None}


def _digest_at(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
