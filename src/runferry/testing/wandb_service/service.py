"""The service as a thing that a test holds: started, filled, broken, asked what it got."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from runferry.errors import Unreachable
from runferry.testing.wandb_service import history, multipart, routes, times
from runferry.testing.wandb_service.account import Account
from runferry.testing.wandb_service.artifact_content import ArtifactsContent
from runferry.testing.wandb_service.faults import Faults, Requests
from runferry.testing.wandb_service.graphql import schema
from runferry.testing.wandb_service.http_server import Server
from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.run_content import three_parts
from runferry.testing.wandb_service.signed import Signer
from runferry.testing.wandb_service.store import Record, Store
from runferry.writers.work_folder import WorkFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


class WandbService(ArtifactsContent):
    """A loopback server of W&B's API, with one account and its key.

    As a context manager it runs in threads of this process. `folder` keeps what it holds; without
    one it is gone in the end. Runs are named by paths `ENTITY/PROJECT/RUN`.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        account: Account | None = None,
        faults: Faults | None = None,
        port: int = 0,
        exports_when_finished: bool = False,
    ) -> None:
        schema()  # what is missing is told here, not to a client
        self.account = account or Account()
        self.faults = faults or Faults()
        self.requests = Requests()
        self.failures: list[Exception] = []
        """What went wrong in the stand-in itself, where no fault was asked for."""
        self.exports_when_finished = exports_when_finished
        self._port = port
        self._server: Server | None = None
        self._revival: threading.Timer | None = None
        self._temporary = None if folder else WorkFolder.made("wandb-service")
        self.store = Store(folder or (self._temporary.path if self._temporary else Path()))
        self.signer = Signer(lambda: self.url)
        for name in (self.account.username, *self.account.teams, self.account.registry_entity):
            self._put_entity(name)

    def _put_entity(self, name: str) -> None:
        if not self.has_entity(name):
            is_team = name != self.account.username
            kind = "organization" if name == self.account.registry_entity else "team"
            self.store.insert(
                "entities", name=name, is_team=is_team, entity_type=kind if is_team else "user"
            )

    @property
    def default_entity(self) -> str:
        """The entity that is meant where none is named."""
        return self.account.teams[0] if self.account.teams else self.account.username

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self, home: Path) -> dict[str, str]:
        """Variables under which the vendor's tools talk to this service, and to nothing else."""
        return {
            "HOME": str(home),
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": self.account.key,
            "WANDB_CACHE_DIR": str(home / "cache"),
            "WANDB_CONFIG_DIR": str(home / "config"),
            "WANDB_DATA_DIR": str(home / "data"),
            "WANDB_DIR": str(home),
            "WANDB_ARTIFACT_DIR": str(home / "artifacts"),
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_DISABLE_SENTRY": "true",
            "WANDB_SILENT": "true",
        }

    # --- its life

    def start(self) -> Self:
        """Listen. The port is chosen the first time, and kept. Raises Unreachable."""
        respond = partial(routes.respond, self)
        try:
            self._server = Server(self._port, self.faults, respond)
        except OSError as error:
            raise Unreachable(
                f"cannot listen on port {self._port}: {error.strerror}",
                hint="leave --port out, and a free one is chosen",
            ) from error
        self._port = self._server.server_address[1]
        serving = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="wandb-service", daemon=True
        )
        serving.start()
        return self

    def stop(self) -> None:
        """Stop listening, and reset what is open, as a process that died does."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.end_connections()
            self._server = None

    def die_for(self, seconds: float) -> None:
        """Stop, and come back after so long; may be a trouble's `do`."""
        self.stop()
        self._revival = threading.Timer(seconds, self.start)
        self._revival.daemon = True
        self._revival.start()

    @contextmanager
    def dead(self) -> Iterator[None]:
        """Refuse connections for as long as this lasts."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and let go of the folder."""
        if self._revival is not None:
            self._revival.cancel()
            self._revival.join()
        self.stop()
        self.store.close()
        if self._temporary is not None:
            self._temporary.remove()

    # --- what resolvers and routes ask of it

    def signed(self, blob: str, shown_as: str, *, method: str = "GET") -> str:
        """A signed URL for bytes of the store."""
        return self.signer.url(blob, shown_as, method=method, seconds=self.faults.url_seconds)

    def failed(self, error: Exception) -> None:
        """An error of the stand-in itself: told, and kept for the test to see."""
        self.failures.append(error)
        logging.getLogger(__name__).error("the stand-in failed", exc_info=error)

    def was_uploaded(self, blob: str, md5: str, size: int) -> None:
        """Bytes came for a blob: a file of a run is listed from now on."""
        self.store.execute(
            "UPDATE files SET is_uploaded = 1, md5 = ?, size_bytes = ?, updated_at = ?"
            " WHERE blob = ?",
            md5,
            size,
            times.now(),
            blob,
        )

    def join_parts(self, blob: str, numbers: list[int]) -> str:
        """Put an upload in parts together; the base64 of its MD5."""
        return multipart.join(self.store, blob, numbers)

    def export(self, path: str, *, keep_live: int = 0) -> None:
        """Export the live history of a run, but for its last rows."""
        history.export(self.store, self.run(path), keep_live=keep_live)

    def delete_run(self, path: str) -> None:
        """The run is gone, as if deleted in the web app."""
        self._delete(self.run(path))

    def _delete(self, run: Record) -> None:
        with self.store.together():
            for table in ("history", "exports", "events", "console", "files", "used_artifacts"):
                self.store.execute(f"DELETE FROM {table} WHERE run = ?", run["id"])
            self.store.execute("DELETE FROM runs WHERE id = ?", run["id"])
            self.store.execute(
                "INSERT OR IGNORE INTO deleted_runs VALUES (?, ?)", run["project"], run["name"]
            )

    def run(self, path: str) -> Record:
        """The row of a run. Raises Missing."""
        entity, project, name = three_parts(path)
        found = self.store.row(
            "SELECT runs.* FROM runs JOIN projects ON projects.id = runs.project"
            " WHERE entity_name = ? AND projects.name = ? AND runs.name = ?",
            entity,
            project,
            name,
        )
        if found is None:
            raise Missing(f"run {path!r} not found")
        return found
