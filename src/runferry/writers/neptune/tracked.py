"""Artifacts of which only places are known: tracked there anew, by the client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from runferry.dialects.neptune.client import RemoteRun
from runferry.losses import Fate, Loss

_FILE: Final = "file://"
_BUCKET: Final = "s3://"
_AGAIN: Final = "tracked anew where they lie: the artifact's hash may change"
_HIDDEN: Final = "not where they were, so that they cannot be tracked; kept in the bundle"


class Tracked:
    """The tracked artifacts of one run."""

    def __init__(self) -> None:
        self._losses: list[Loss] = []

    def send(
        self, remote: RemoteRun, attribute: str, references: Iterable[tuple[str, str]]
    ) -> None:
        """Track the files; `references` are their paths in the artifact, and where they lie.

        The client hashes files of this disk, and asks S3 for the hashes of others. Files that are
        not there are told as losses: a server takes an artifact without them for an empty one.
        """
        from neptune.common.exceptions import NeptuneException

        tracked = hidden = 0
        for path, reference in references:
            folder = str(PurePosixPath(path).parent)
            try:
                if not _is_there(reference):
                    hidden += 1
                    continue
                remote[attribute].track_files(
                    reference, destination=None if folder == "." else folder
                )
                tracked += 1
            except (NeptuneException, ValueError):  # it has no driver for this place
                hidden += 1
        for code, count, detail in (
            ("artifact-hash", tracked, _AGAIN),
            ("not-shown", hidden, _HIDDEN),
        ):
            if count:
                self._losses.append(Loss(code, Fate.REENCODED, attribute, count, detail))

    def losses(self) -> Iterator[Loss]:
        """What became of them."""
        yield from self._losses


def _is_there(reference: str) -> bool:
    """Of a bucket only the client can tell."""
    if reference.startswith(_FILE):
        return Path(reference.removeprefix(_FILE)).is_file()
    return reference.startswith(_BUCKET)
