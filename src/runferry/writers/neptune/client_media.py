"""Media through the vendor's client: pictures as a series, everything else as files by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from runferry.dialects.neptune.client import RemoteRun
from runferry.dialects.plain_folder.names import safe_suffix
from runferry.writers.neptune.client_rows import RisingSteps
from runferry.writers.neptune.layout import Layout
from runferry.writers.plain_folder.staged import Staged

_PICTURES: Final = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tiff"}
_LARGEST_PICTURE: Final = 32 << 20
"""The client logs nothing of a larger one (neptune 1.14, `internal/utils/limits.py`)."""


class ClientMedia:
    """The media of one run."""

    def __init__(
        self,
        staged: Staged,
        layout: Layout,
        rising: RisingSteps,
        upload: Callable[[str, str], Path],
    ) -> None:
        """`upload` gives the place of a file that an attribute (its first argument) will be."""
        self._staged = staged
        self._layout = layout
        self._rising = rising
        self._upload = upload
        self.hidden: Counter[str] = Counter()  # histograms, which the client has no type for

    def send(self, remote: RemoteRun) -> set[str]:
        """The attributes that now are there."""
        sent: set[str] = set()
        columns = ["key", "step", "seq", "time", "media_type", "file"]
        for batch in self._staged.batches("media"):
            there = batch.filter(batch.column("file").is_valid())
            for row in there.select(columns).to_pylist():
                sent.add(self._send(remote, row))
        for batch in self._staged.batches("histograms"):
            for found in batch.column("key").value_counts().to_pylist():
                self.hidden[found["values"]] += found["counts"]
        return sent

    def _send(self, remote: RemoteRun, row: dict[str, Any]) -> str:
        path = self._staged.home.joinpath(*row["file"].split("/"))
        step = row["seq"] if row["step"] is None else row["step"]
        is_picture = row["media_type"] == "image" and safe_suffix(path.name).lower() in _PICTURES
        if is_picture and path.stat().st_size <= _LARGEST_PICTURE:
            attribute = self._layout.series_path(row["key"], "media")
            if self._rising.takes(attribute, step) and self._log(remote, attribute, path, row):
                return attribute
        attribute = self._layout.file_path(row["key"], step)
        remote[attribute].upload(str(self._upload(attribute, row["file"])))
        return attribute

    def _log(self, remote: RemoteRun, attribute: str, path: Path, row: dict[str, Any]) -> bool:
        """Whether the client took it for a picture."""
        from neptune.exceptions import OperationNotSupported
        from neptune.types import File

        step = row["seq"] if row["step"] is None else row["step"]
        seconds = self._rising.seconds(row["time"])
        try:
            remote[attribute].extend([File(str(path))], steps=[step], timestamps=[seconds])
        except OperationNotSupported:
            return False
        return True
