"""From the absolute paths that a session states to the files that lie in it now."""

from __future__ import annotations

import re
from typing import Final

from runferry.dialects.clearml.names import DATA, OFFLINE
from runferry.model import Blob
from runferry.readers.clearml.contents import Contents

_WITHIN: Final = re.compile(rf".*[/\\]{OFFLINE}[^/\\]*[/\\]((?:data|models)[/\\].*)", re.DOTALL)
_ELSEWHERE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class Places:
    """Rebases paths on the folder in which the session was written, and notes what was found."""

    def __init__(self, contents: Contents, written_in: str) -> None:
        """`written_in`: the session's `offline_folder`, empty where nothing tells it."""
        self._contents = contents
        self._written_in = written_in.replace("\\", "/").rstrip("/")
        self.found: set[str] = set()

    def artifact(self, uri: str, media_type: str | None) -> tuple[str, Blob, str | None]:
        """See `task_facts.Located`."""
        last = uri.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or uri
        name = self._name(uri)
        if name is None:
            return last, Blob(media_type=media_type), uri
        return last, self._blob(name, media_type), None

    def sample(self, key: str | None, url: str | None, media_type: str | None) -> Blob:
        """The bytes of a debug sample, by its key below `data`, else by its URL."""
        if key:
            found = self._blob(f"{DATA}/{key}", media_type)
            if not found.is_missing:
                return found
        name = self._name(url) if url else None
        return Blob(media_type=media_type) if name is None else self._blob(name, media_type)

    def _blob(self, name: str, media_type: str | None) -> Blob:
        found = self._contents.blob(name, media_type)
        if not found.is_missing:
            self.found.add(name)
        return found

    def _name(self, uri: str) -> str | None:
        """The path below the session; None for what lies elsewhere."""
        plain = uri.removeprefix("file://").replace("\\", "/")
        if self._written_in and plain.startswith(f"{self._written_in}/"):
            return plain[len(self._written_in) + 1 :]
        within = _WITHIN.fullmatch(uri)
        if within is not None and _ELSEWHERE.match(uri) is None:
            return within[1].replace("\\", "/")
        return None
