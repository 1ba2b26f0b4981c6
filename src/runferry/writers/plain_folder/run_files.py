"""The bytes of one run as files where a tracker looks for them, linked to those of our store."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from runferry.dialects.plain_folder.names import Places, safe_part, safe_suffix
from runferry.durable import sync, sync_tree


class RunFiles:
    """Files of one run, in a folder beside its place until `publish`.

    They are links to the files of our own store, which lies on the same disk; copies where the
    system has no links.
    """

    def __init__(self, staged: Path, project: Path, run: str, *, is_private: bool = False) -> None:
        """`staged` holds the bytes; `run` is a sanitised name, which no path of the data is.

        Files that nobody else looks for (`is_private`) are in their place at once.
        """
        self._staged = staged
        self._project = project
        self._run = run
        self._draft = project / (run if is_private else f".{run}.{secrets.token_hex(6)}")
        self._folders = Places()
        self._named: dict[str, tuple[str, Places]] = {}

    def folder(self, attribute: str) -> str:
        """The folder of an attribute's files, as `file_value.path` names it."""
        return f"{self._run}/{self._place(attribute)[0]}"

    def put(self, attribute: str, name: str, staged: str) -> str:
        """Add a file to an attribute's; its path, as `file_value.path` names it."""
        folder, places = self._place(attribute)
        place = f"{folder}/{places.place(name)}"
        self._link(staged, place)
        return f"{self._run}/{place}"

    def put_step(self, attribute: str, step: int, staged: str) -> str:
        """Add a file of a series."""
        return self.put(attribute, f"step_{step}{safe_suffix(staged.rsplit('/', 1)[-1])}", staged)

    def put_single(self, attribute: str, staged: str) -> str:
        """The file that an attribute is."""
        suffix = safe_suffix(staged.rsplit("/", 1)[-1])
        place = self._folders.place(f"{attribute}{suffix}")
        self._link(staged, place)
        return f"{self._run}/{place}"

    def put_text(self, attribute: str, name: str, text: str) -> None:
        """Add a file that is not staged."""
        folder, places = self._place(attribute)
        path = self._draft.joinpath(*f"{folder}/{places.place(name)}".split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")  # its sum is of this text

    def _place(self, attribute: str) -> tuple[str, Places]:
        known = self._named.get(attribute)
        if known is None:
            tame = "/".join(safe_part(part) for part in attribute.split("/"))
            known = self._named[attribute] = (self._folders.place(tame), Places())
        return known

    def _link(self, staged: str, place: str) -> None:
        put_link(self._staged.joinpath(*staged.split("/")), self._draft.joinpath(*place.split("/")))

    def publish(self) -> None:
        """Put the files in their place, and away with those that were there."""
        place = self._project / self._run
        old = self._project / f"{self._draft.name}.old"
        if place.exists():
            place.rename(old)
        if self._draft.exists():
            sync_tree(self._draft)
            self._draft.rename(place)
        if self._project.exists():
            sync([self._project])
        shutil.rmtree(old, ignore_errors=True)

    def remove_scratch(self) -> None:
        """Take away what was not published, also by processes that were killed."""
        for path in self._project.glob(f".{self._run}.*"):
            shutil.rmtree(path, ignore_errors=True)


def put_link(source: Path, target: Path) -> None:
    """The same bytes at another place: a link, or a copy where the system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
