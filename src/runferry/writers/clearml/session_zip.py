"""The zip beside a session, as ClearML's client makes it when a task is closed."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TypeAlias

from runferry.dialects.clearml.own_copy import OWN
from runferry.paths import files_below

Content: TypeAlias = bytes | memoryview
_TEXTS: Final = (".json", ".jsonl", ".txt", ".csv", ".html", ".md", ".yaml", ".log")
_LEVEL: Final = 1  # what is repeated in every event is gone by then


class SessionZip:
    """The session without our own copy of it, which the importer has no use for."""

    def __init__(self, session: Path, target: Path) -> None:
        self._session = session
        self._target = target
        self._archive = zipfile.ZipFile(target, "w", allowZip64=True)
        self._written: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    @contextmanager
    def growing(self, name: str) -> Iterator[Callable[[Content], None]]:
        """A file of the session that is packed while it is written; what is called gets its bytes.

        Packing takes about as long as writing them, and zlib lets other threads work meanwhile.
        """
        self._written.add(name)
        about = zipfile.ZipInfo(name, time.localtime()[:6])
        about.compress_type = zipfile.ZIP_DEFLATED
        about._compresslevel = _LEVEL  # type: ignore[attr-defined]  # public since Python 3.13
        about.external_attr = 0o644 << 16
        with (
            self._archive.open(about, "w", force_zip64=True) as member,
            ThreadPoolExecutor(1, "zip") as packer,
        ):
            waiting: Future[int] | None = None

            def pack(content: Content) -> None:
                nonlocal waiting
                if waiting is not None:
                    waiting.result()
                waiting = packer.submit(member.write, content)

            yield pack
            if waiting is not None:
                waiting.result()

    def add_others(self) -> int:
        """All that was not packed yet; the size of the whole."""
        names = (name for name, entry in files_below(self._session) if entry is not None)
        others = (name for name in names if not name.startswith(f"{OWN}/"))
        _add(self._archive, self._session, (name for name in others if name not in self._written))
        self._archive.close()
        return self._target.stat().st_size


def write_bundle(session: Path, target: Path) -> int:
    """Our own copy alone; its size."""
    home = session / OWN
    return zipped(home, (name for name, entry in files_below(home) if entry is not None), target)


def zipped(home: Path, names: Iterable[str], target: Path) -> int:
    """Files of a folder as a zip; what is packed already stays as it is."""
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        _add(archive, home, names)
    return target.stat().st_size


def _add(archive: zipfile.ZipFile, home: Path, names: Iterable[str]) -> None:
    for name in names:
        is_text = name.endswith(_TEXTS)
        form = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
        path = home.joinpath(*name.split("/"))
        archive.write(path, name, compress_type=form, compresslevel=_LEVEL if is_text else None)
