"""Neptune in this process: `runferry.testing.neptune_backend`, behind a slow line.

Neptune's service is closed and cannot be run here. What is real: the vendor's client (1.14) with
its threads, its queues on the disk and its batches. What is simulated: the server. Each method that
the hosted backend answers by a request takes one round trip here; operations take one a batch, and
each upload one more for every package or part that the hosted backend would send; the bytes of
files, of packed sets and of operations as JSON pass the line. The six requests with which a client
begins (two tokens and settings, descriptions of the API) are taken once a process, as it caches
them.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

from neptune.common.storage.datastream import compress_to_tar_gz_in_memory
from neptune.common.storage.storage_utils import AttributeUploadConfiguration, split_upload_files
from neptune.internal.backends.api_model import LeaderboardEntry
from neptune.internal.backends.hosted_file_operations import get_unique_upload_entries
from neptune.internal.container_type import ContainerType
from neptune.internal.id_formats import UniqueId
from neptune.internal.operation import UploadFile, UploadFileSet
from neptune_line import Line

from runferry.testing.neptune_backend import NeptuneBackend, NeptuneServer

PART = 5 << 20  # bytes: of a part of an upload, and of a package of files
BEGINNING = 6  # requests
ROW_BYTES = 60  # of a value of a series in JSON
TABLE_PAGE = 100
ONE_REQUEST = (
    "get_project", "create_run", "get_metadata_container", "get_attributes", "get_file_attribute",
    "get_float_attribute", "get_int_attribute", "get_bool_attribute", "get_string_attribute",
    "get_datetime_attribute", "get_string_set_attribute", "get_float_series_attribute",
    "get_string_series_attribute", "fetch_atom_attribute_values",
)  # fmt: skip


class SlowServer(NeptuneServer):
    """The stand-in behind a line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.line = Line()
        self.is_begun = False

    def begin(self) -> None:
        """What a client asks first, once a process."""
        with self.lock:
            if not self.is_begun:
                self.is_begun = True
                self.line.request(count=BEGINNING)

    def backend(self) -> SlowBackend:
        return SlowBackend(self)

    def listed(self) -> list[str]:
        self.begin()
        self.line.request()
        return super().listed()

    def create(self, **options: Any) -> None:
        self.begin()
        self.line.request()
        super().create(**options)

    def keep(self, path: Path) -> Path:
        """A link, since the disk is the client's."""
        kept = self.folder / uuid.uuid4().hex
        try:
            os.link(path, kept)
        except OSError:  # another file system
            return super().keep(path)
        return kept


def _after_request(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def asked(self: SlowBackend, *given: Any, **named: Any) -> Any:
        self._server.line.request()
        return method(self, *given, **named)

    return asked


class SlowBackend(NeptuneBackend):
    """A connection over the line."""

    _server: SlowServer

    def __init__(self, server: SlowServer) -> None:
        super().__init__(server)
        server.begin()

    def execute_operations(
        self,
        container_id: UniqueId,
        container_type: ContainerType,
        operations: Any,
        operation_storage: Any,
    ) -> Any:
        others = []
        for one in operations:
            if isinstance(one, UploadFile | UploadFileSet):
                self._send(one, operation_storage)
            else:
                others.append(one.to_dict())
        if others:
            self._server.line.request(up=len(json.dumps(others)))
        return super().execute_operations(
            container_id, container_type, operations, operation_storage
        )

    def _send(self, op: Any, storage: Any) -> None:
        """As the hosted backend sends: files in packages of 5 MiB, a larger one in parts."""
        if isinstance(op, UploadFile):
            self._send_file(Path(op.get_absolute_path(storage)))
            return
        if op.reset:
            self._server.line.request()
        entries = get_unique_upload_entries(op.file_globs)
        for package in split_upload_files(entries, AttributeUploadConfiguration(PART)):
            if package.len > 1:
                packed = compress_to_tar_gz_in_memory(package.items)
                self._server.line.request(up=len(packed))
            elif package.len:
                self._send_file(Path(package.items[0].source))

    def _send_file(self, path: Path) -> None:
        size = path.stat().st_size
        if size <= PART:
            self._server.line.request(up=len(path.read_bytes()))
            return
        self._server.line.request()
        with path.open("rb") as file:
            while part := file.read(PART):
                self._server.line.request(up=len(part))
        self._server.line.request()

    def download_file(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        super().download_file(container, kind, path, destination)
        self._server.line.request(down=Path(destination).stat().st_size)

    def download_file_set(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        super().download_file_set(container, kind, path, destination)
        self._server.line.request()  # the server packs it first
        self._server.line.request(down=Path(destination).stat().st_size)

    def _page(self, *asked: Any) -> tuple[int, list[Any]]:
        total, page = super()._page(*asked)
        self._server.line.request(down=ROW_BYTES * len(page))
        return total, page

    def search_leaderboard_entries(self, *asked: Any, **named: Any) -> Iterator[LeaderboardEntry]:
        found = list(super().search_leaderboard_entries(*asked, **named))
        self._server.line.request(count=max(math.ceil(len(found) / TABLE_PAGE), 1))
        yield from found


for _name in ONE_REQUEST:
    setattr(SlowBackend, _name, _after_request(getattr(SlowBackend, _name)))
