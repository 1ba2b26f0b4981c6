"""Names and numbers of SwanLab's files (swanlab 0.10.3, `swanlab.proto`), and where its runs lie.

run-<YYYYMMDD_HHMMSS>-<id>/
    run-<id>.swanlab       version 2: protobuf records; `backup.swanlab` has version 1: JSON
    files/                 config.yaml, swanlab-metadata.json, requirements.txt, conda.yaml, …
    media/<type>/<name>    bytes of media
    logs/<n>/<k>.log       before `backup.swanlab`: JSON lines, a folder for each key
"""

from __future__ import annotations

from typing import Final

from runferry.model import MediaType, RunState

TRACKER: Final = "swanlab"
SUFFIX: Final = ".swanlab"
BACKUP: Final = "backup.swanlab"
DATABASE: Final = "runs.swanlab"
"""What the dashboard of old versions knows, in SQLite: no run by itself."""
FILES: Final = "files"
MEDIA: Final = "media"
LOGS: Final = "logs"
CONSOLE: Final = "console"
CONFIG: Final = "config.yaml"
METADATA: Final = "swanlab-metadata.json"
REQUIREMENTS: Final = ("requirements.txt", "conda.yaml")
SYSTEM_PREFIX: Final = "__swanlab__."
"""What keys of the machine's own series begin with."""

# types of records, by their numbers in `Record`
START: Final = 10
FINISH: Final = 11
COLUMN: Final = 12
SCALAR_RECORD: Final = 13
MEDIA_RECORD: Final = 14
LOG: Final = 16
SAVE: Final = 20

START_NUM: Final = -1
FINISH_NUM: Final = -2
SAVE_NUMS: Final = {1: -3, 2: -4, 3: -5, 4: -6}
"""The numbers of records that are there once, by type of file."""

SCALAR: Final = 1
TEXT: Final = 4
COLUMN_TYPES: Final[dict[int, tuple[str, MediaType | None]]] = {
    1: ("scalar", None),
    2: ("image", "image"),
    3: ("audio", "audio"),
    4: ("text", None),
    5: ("video", "video"),
    6: ("echarts", "plot"),
    7: ("object3d", "object3d"),
    8: ("molecule", "molecule"),
    9: ("html", "html"),
}
"""Types of columns: the folder of their media, and what they are."""
CUSTOM_CLASS: Final = 1
SYSTEM_CLASS: Final = 2

STATES: Final[tuple[tuple[str, RunState], ...]] = (
    ("RUNNING", "running"),
    ("FINISHED", "finished"),
    ("CRASHED", "failed"),
    ("ABORTED", "killed"),
)
"""By the number in a finish record: SwanLab's word, and ours."""

OWN_WORKSPACE: Final = "@"
"""In a location: that of the account, which nobody has to name."""

STORE: Final = "runferry"
STORE_MARK: Final = "swanlab"
"""Our own store of exact runs beside what SwanLab reads, and what its mark says."""


def is_log_name(name: str) -> bool:
    """Whether this is what the file of a run is called."""
    return name == BACKUP or (name.startswith("run-") and name.endswith(SUFFIX))
