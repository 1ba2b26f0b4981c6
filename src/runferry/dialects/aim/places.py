"""What lies where in a repository of Aim's (aim 3.29), and where ours lies in it.

    .aim/run_metadata.sqlite            names, experiments, tags, notes
    .aim/{meta,seqs}/chunks/<hash>/     a RocksDB each: parameters, and sequences
    .aim/runferry/                      ours: exact runs as plain files

Ours counts as long as the two databases that were made of a run are as they were written.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from runferry.errors import BadLocation

TRACKER: Final = "aim"
HOME: Final = ".aim"
DATABASE: Final = "run_metadata.sqlite"
PARTS: Final = ("meta", "seqs")
STORE: Final = "runferry"
STORE_MARK: Final = "aim"
"""What `runferry.json` of the store says that it is: no source by itself."""
MARK: Final = "runferry"
"""The parameter of a run of ours that names its uid."""
SYSTEM: Final = "__system__"
"""What names of the machine's own sequences begin with."""
SYSTEM_PARAMETERS: Final = "__system_params"
LOGS: Final = "logs"
"""The sequence of what a terminal showed."""
_HASH: Final = re.compile(r"[0-9A-Za-z_\-]{1,128}")


def is_hash(word: str) -> bool:
    """Whether a run can be called so: it is the name of its folders."""
    return _HASH.fullmatch(word) is not None


def chunk_at(home: Path, part: str, run_hash: str) -> Path:
    """Where the RocksDB of a run is to lie."""
    return home / part / "chunks" / run_hash


def root_of(where: str) -> Path:
    """The folder that has, or is to have, a repository; `.aim` itself means the one above.

    Raises BadLocation for a tracking server.
    """
    if where.startswith(("//", "aim://", "ssh://", "http://", "https://")):
        raise BadLocation(
            "Aim's tracking server is not written to",
            where=f"{TRACKER}:{where}",
            hint="name the folder of the repository, on the machine that has it: aim:PATH",
        )
    path = Path(where or ".").expanduser()
    return path.parent if path.name == HOME else path
