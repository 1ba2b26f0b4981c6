"""How Neptune and its exporter spell things: attribute paths, projects, files of an export.

Names of files are those of neptune-exporter (`utils.py`, `storage/parquet_writer.py` at 8d3f44a).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

from runferry.model import KeyPath, Role, RunKey, Stream

TRACKER: Final = "neptune"
MODELS: Final = "neptune-models"
"""The source of models and model versions; their keys are of the tracker `neptune` too."""

ConsoleStream = Literal["stdout", "stderr"]
Container = Literal["run", "model", "model_version", "project"]
CONTAINERS: Final[tuple[Container, ...]] = ("run", "model", "model_version", "project")
SCOPES: Final[dict[Container, str]] = {"model": "models", "model_version": "model_versions"}
"""Folders of an export that hold other containers than runs."""

PART: Final = re.compile(r"(.+-[0-9a-f]{16})_part_(\d{1,9})\.parquet(\.tmp)?")
"""A part of one run: (sanitised run id), (number), whether it was left over."""
OLD_PART: Final = re.compile(r"part_(\d{1,9})\.parquet(\.tmp)?")
"""A part of all runs of a project, as the exporter wrote them before November 2025."""

_CONSOLE: Final = re.compile(r"(?:monitoring(?:/[^/]+)?|runtime)/(stdout|stderr)")


def san(text: str) -> str:
    """A project's or run's name as a file name of an export."""
    plain = "".join(c if c.isalnum() or c in "_-" else "_" for c in text)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{plain}-{digest}"


def part_name(run_id: str, number: int) -> str:
    """The file of one part of a run."""
    return f"{san(run_id)}_part_{number}.parquet"


def path_of(text: str) -> KeyPath:
    """An attribute's path; the inverse of `text_of`."""
    return tuple(text.split("/"))


def text_of(path: KeyPath) -> str:
    """An attribute's path as Neptune spells it."""
    return "/".join(path)


def key_of(project: str, container_id: str) -> RunKey:
    """The key of a run or model: `project` is `WORKSPACE/NAME`, empty where nobody knows it."""
    return RunKey(TRACKER, project, container_id)


def parts_of(project: str) -> tuple[str | None, str | None]:
    """A qualified project name as workspace and name."""
    workspace, slash, name = project.rpartition("/")
    return (workspace or None, name or None) if slash else (None, project or None)


def role_of(path: KeyPath) -> Role:
    """What an attribute is; Neptune itself tells only `sys` from the rest."""
    match path[0]:
        case "sys":
            return "other"
        case "monitoring" | "runtime" | "source_code":
            return "environment" if len(path) > 1 else "config"
    return "config"


def stream_of(path: KeyPath) -> Stream:
    """Whether the client's monitoring logged a series, or the user."""
    return "system" if path[0] in ("monitoring", "runtime") and len(path) > 1 else "user"


def console_of(path: KeyPath) -> ConsoleStream | None:
    """The console stream that clients log as this string series, if it is one."""
    found = _CONSOLE.fullmatch(text_of(path))
    return None if found is None else stream_named(found[1])


def lacks_ends(path: KeyPath) -> bool:
    """Whether lines of the console have lost their ends: only neptune-scale takes them away."""
    return path[0] == "runtime"


def stream_named(name: str) -> ConsoleStream:
    """The stream of this name; whatever is not the one is the other."""
    return "stderr" if name == "stderr" else "stdout"
