"""Artifacts of which only places are known: tracked there anew, by the client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from runferry.dialects.neptune.client import RemoteRun
from runferry.losses import Fate, Loss

_FILE: Final = "file://"
_BUCKET: Final = "s3://"
_PATTERN: Final = "*"
"""The client takes it for a pattern wherever it stands, and refuses patterns."""
_AGAIN: Final = "tracked anew where they lie: the artifact's hash may change"
_BESIDE: Final = "places of files beside bytes of others; kept in the bundle"
_HIDDEN: Final = "not where they were, so that they cannot be tracked; kept in the bundle"


class Tracked:
    """The tracked artifacts of one run."""

    def __init__(self) -> None:
        self._losses: list[Loss] = []
        self._closed: set[str] = set()  # buckets that told nothing, which takes seconds to find out

    def send(
        self, remote: RemoteRun, attribute: str, references: Iterable[tuple[str, str]]
    ) -> bool:
        """Track the files; `references` are their paths in the artifact, and where they lie.

        The client hashes files of this disk, and asks S3 for the hashes of others. Files that are
        not there are told as losses: a server takes an artifact without them for an empty one.
        Returns whether the attribute will be there.
        """
        tracked = hidden = 0
        for path, reference in references:
            if not self._is_there(reference):
                hidden += 1
                continue
            folder = str(PurePosixPath(path).parent)
            remote[attribute].track_files(reference, destination=None if folder == "." else folder)
            tracked += 1
        for code, count, detail in (
            ("artifact-hash", tracked, _AGAIN),
            ("not-shown", hidden, _HIDDEN),
        ):
            if count:
                self._losses.append(Loss(code, Fate.REENCODED, attribute, count, detail))
        return tracked > 0

    def leave(self, attribute: str, count: int) -> None:
        """So many places of files, beside bytes of others, are not shown."""
        if count:
            self._losses.append(Loss("not-shown", Fate.REENCODED, attribute, count, _BESIDE))

    def losses(self) -> Iterator[Loss]:
        """What became of them."""
        yield from self._losses

    def _is_there(self, reference: str) -> bool:
        if _PATTERN in reference:
            return False
        if reference.startswith(_FILE):
            return Path(reference.removeprefix(_FILE)).is_file()
        return reference.startswith(_BUCKET) and self._is_in_bucket(reference)

    def _is_in_bucket(self, reference: str) -> bool:
        """Whether S3 says so. It is asked here, since the thread of the client that asks it only
        logs that there are no credentials, and dies of any other no."""
        from botocore.exceptions import BotoCoreError, ClientError
        from neptune.exceptions import (
            NeptuneRemoteStorageAccessException,
            NeptuneRemoteStorageCredentialsException,
        )
        from neptune.internal.artifacts.drivers import S3ArtifactDriver

        bucket = reference.removeprefix(_BUCKET).partition("/")[0]
        if bucket in self._closed:
            return False
        try:
            return bool(S3ArtifactDriver.get_tracked_files(reference))
        except (
            BotoCoreError,
            ClientError,
            NeptuneRemoteStorageAccessException,
            NeptuneRemoteStorageCredentialsException,
        ):
            self._closed.add(bucket)
            return False
