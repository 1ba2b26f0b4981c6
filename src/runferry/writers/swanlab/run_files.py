"""The bytes of a run in SwanLab's folder: links to our own store, which lies on the same disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runferry.dialects.plain_folder.names import Places, safe_suffix
from runferry.dialects.swanlab.names import (
    COLUMN_TYPES,
    CONFIG,
    FILES,
    MEDIA,
    METADATA,
    SAVE,
    SAVE_NUMS,
)
from runferry.model import Attribute, Run
from runferry.writers.plain_folder.run_files import put_link
from runferry.writers.swanlab import attributes as spelled
from runferry.writers.swanlab import messages

if TYPE_CHECKING:
    from runferry._native import SwanlabLog

_CUSTOM, _CONFIG, _METADATA, _REQUIREMENTS, _CONDA = 0, 1, 2, 3, 4
_OWN: Final = {"requirements.txt": _REQUIREMENTS, "conda.yaml": _CONDA}
_PIECE: Final = 1 << 20


class RunFiles:
    """Files and media of one run, and the records that name them."""

    def __init__(
        self, home: Path, staged: Path, final: Path, log: SwanlabLog, below: str = ""
    ) -> None:
        """`home` becomes `final` when the run is complete; `staged` has the bytes. Files of the
        run stand `below` a folder, where others are there already."""
        self._home = home
        self._staged = staged
        self._final = final.absolute()
        self._log = log
        self._below = below
        self._places = Places()
        self._media: set[str] = set()
        for name in (CONFIG, METADATA):
            self._places.place(name)
        (home / FILES).mkdir()

    def put_own(
        self, run: Run, attributes: Iterable[Attribute], originals: Mapping[str, str]
    ) -> None:
        """The configuration and what is known of the machine."""
        items = tuple(attributes)
        for name, text, save_type in (
            (CONFIG, spelled.config_text(run, items, originals), _CONFIG),
            (METADATA, spelled.metadata_text(run, items), _METADATA),
        ):
            self.put_text(name, text, save_type)

    def put_config(self, text: str) -> None:
        """The configuration alone."""
        self.put_text(CONFIG, text, _CONFIG)

    def put_text(self, name: str, text: str, save_type: int) -> None:
        """A file that SwanLab itself knows."""
        (self._home / FILES / name).write_text(text, encoding="utf-8")
        self._record(name.partition(".")[0].rpartition("-")[2], name, save_type)

    def put_file(self, path: str, staged: str) -> None:
        """A file of the run. SwanLab has one requirements.txt and one conda.yaml."""
        below = path.removeprefix(f"{FILES}/")
        place = self._places.place(f"{self._below}{below}")
        self._link(staged, f"{FILES}/{place}")
        save_type = _OWN.get(place, _CUSTOM)
        self._record(place if save_type == _CUSTOM else place.partition(".")[0], place, save_type)

    def put_medium(
        self,
        column_type: int,
        step: int,
        staged: str,
        caption: str | None,
        suffix: str | None = None,
    ) -> tuple[bytes, int]:
        """A medium as an item of a record, and its size; named as the client names its own."""
        source = self._staged.joinpath(*staged.split("/"))
        sha256, size = hashlib.sha256(), 0
        with source.open("rb") as stream:
            while piece := stream.read(_PIECE):
                sha256.update(piece)
                size += len(piece)
        digest = sha256.hexdigest()
        name = _medium_name(step, digest, suffix or safe_suffix(source.name))
        place = f"{MEDIA}/{COLUMN_TYPES[column_type][0]}/{name}"
        if place not in self._media:
            self._media.add(place)
            self._link(staged, place)
        return messages.item(name, digest, size, caption, None), size

    def put_made(
        self, column_type: int, step: int, content: bytes, caption: str | None, suffix: str
    ) -> tuple[bytes, int]:
        """The same for bytes that were made of a medium."""
        digest = hashlib.sha256(content).hexdigest()
        name = _medium_name(step, digest, suffix)
        place = f"{MEDIA}/{COLUMN_TYPES[column_type][0]}/{name}"
        if place not in self._media:
            self._media.add(place)
            path = self._home.joinpath(*place.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return messages.item(name, digest, len(content), caption, None), len(content)

    def _record(self, name: str, place: str, save_type: int) -> None:
        source = self._final / FILES / place
        message = messages.save(name, source.as_posix(), save_type)
        self._log.record(SAVE, message, num=SAVE_NUMS.get(save_type))

    def _link(self, staged: str, place: str) -> None:
        put_link(self._staged.joinpath(*staged.split("/")), self._home.joinpath(*place.split("/")))


def _medium_name(step: int, digest: str, suffix: str) -> str:
    return f"{max(step, 0):03d}-{digest[:8]}{suffix}"
