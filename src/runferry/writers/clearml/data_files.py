"""Bytes of a run where ClearML's importer looks for them, as links to those of our own copy."""

from __future__ import annotations

from pathlib import Path

from runferry.dialects.clearml.names import DATA
from runferry.dialects.plain_folder.names import Places, safe_part, safe_suffix
from runferry.writers.plain_folder.run_files import put_link


class DataFiles:
    """`data/<project>/<name>.<id>/…` of one session. Gives keys: paths below `data`, with `/`."""

    def __init__(self, session: Path, staged: Path, project: str, name: str, task_id: str) -> None:
        folders = "/".join(safe_part(part) for part in project.split("/") if part)
        self._prefix = f"{folders or '_'}/{safe_part(name)}.{task_id}"
        self._data = session / DATA
        self._staged = staged
        self._places = Places()

    def artifact(self, key: str, staged: str) -> str:
        """The file of an artifact."""
        name = safe_part(staged.rsplit("/", 1)[-1])
        return self._linked(staged, f"artifacts/{safe_part(key.replace('/', '.'))}/{name}")

    def sample(self, title: tuple[str, str], step: int, staged: str) -> str:
        """The file of a debug sample."""
        metric, variant = (safe_part(word.replace("/", ".")) for word in title)
        suffix = safe_suffix(staged.rsplit("/", 1)[-1])
        wished = f"metrics/{metric}/{variant}/{metric}_{variant}_{step:08d}{suffix}"
        return self._linked(staged, wished)

    def added(self, key: str, content: Path) -> str:
        """A file that is no part of our own copy."""
        wished = f"artifacts/{safe_part(key)}/{safe_part(content.name)}"
        place = self._place(wished)
        content.rename(self._path(place))
        return place

    def _linked(self, staged: str, wished: str) -> str:
        place = self._place(wished)
        put_link(self._staged.joinpath(*staged.split("/")), self._path(place))
        return place

    def _place(self, wished: str) -> str:
        return f"{self._prefix}/{self._places.place(wished)}"

    def _path(self, place: str) -> Path:
        path = self._data.joinpath(*place.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
