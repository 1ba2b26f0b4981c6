"""What stands behind `trackio:`, and what lies where in trackio's folder (trackio 0.43).

    <folder>/<project>.db                            all rows of a project
    <folder>/media/<project>/<run>/<step>/           what its rows name as `file_path`
    <folder>/artifacts/<project>/blobs/sha256/<2>/   members of artifacts by their digests
    <folder>/runferry/<project>/                     ours: exact runs as plain files

Ours counts as long as the rows that were made of a run are there as they were written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.errors import BadLocation

TRACKER: Final = "trackio"
DATABASE: Final = ".db"
MEDIA: Final = "media"
ARTIFACTS: Final = "artifacts"
STORE: Final = "runferry"
STORE_MARK: Final = "trackio"
"""What `runferry.json` of the store says that it is: no source by itself."""

FOLDER_VARIABLE: Final = "TRACKIO_DIR"
_REGISTRY: Final = "registry-"
_SIDECARS: Final = (
    "_system", "_configs", "_traces", "_artifacts", "_artifact_versions", "_artifact_aliases",
    "_run_artifact_links", "_external_run_artifact_links",
)  # fmt: skip
"""Ends of names that trackio gives to Parquet files beside a project."""


def own_folder() -> Path:
    """Where trackio keeps its projects, as it finds out itself."""
    stated = os.environ.get(FOLDER_VARIABLE)
    if stated:
        return Path(stated)
    home = os.environ.get("HF_HOME")
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return (Path(home) if home else Path(cache, "huggingface")).expanduser() / "trackio"


def plain_name(project: str) -> str:
    """A project's name as trackio's files have it."""
    kept = "".join(one for one in project if one.isalnum() or one in "-_")
    return kept or "default"


@dataclass(frozen=True, slots=True)
class Place:
    """A project in one of trackio's folders."""

    folder: Path
    project: str

    @classmethod
    def of(cls, where: str) -> Place:
        """`PROJECT` of the user's own folder, or `PATH/PROJECT`. Raises BadLocation."""
        head, _, name = where.rstrip("/").replace(os.sep, "/").rpartition("/")
        is_path = bool(head) or where.startswith(("/", ".", "~"))
        name = name.removesuffix(DATABASE)
        _check(name, where)
        folder = Path(head or "/").expanduser() if is_path else own_folder()
        return cls(folder, name)

    @property
    def database(self) -> Path:
        """Of all its runs."""
        return self.folder / f"{self.project}{DATABASE}"

    @property
    def store(self) -> Path:
        """Where exact runs lie."""
        return self.folder / STORE / self.project


def _check(name: str, where: str) -> None:
    hint = "runferry push ARCHIVE trackio:./trackio/PROJECT"
    if name in ("", ".", "..", "~"):
        raise BadLocation("no project is named", where=f"trackio:{where}", hint=hint)
    if plain_name(name) != name:
        what = f"trackio would call the file of this project {plain_name(name)}{DATABASE}"
        raise BadLocation(what, where=f"trackio:{where}", hint=f"name it {plain_name(name)}")
    if name.startswith(_REGISTRY) or name.endswith(_SIDECARS):
        what = f"trackio keeps names like {name} for its own files"
        raise BadLocation(what, where=f"trackio:{where}", hint=hint)
