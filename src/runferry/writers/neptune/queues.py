"""Where the client keeps what it is sending, while it is being sent."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from runferry.writers.work_folder import WorkFolder


class SharedQueues:
    """One folder for all writers of this process that talk to a server.

    The client names a queue by the run and at random, so they do not meet there. It takes the
    folder from the environment: with one for all, runs can be opened at the same time. What is
    left in it was not sent, and is sent anew by the next push: it goes with the last writer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._folder: WorkFolder | None = None

    def enter(self) -> Path:
        """The folder, which is there until `leave` was called as often."""
        with self._lock:
            if self._folder is None:
                self._folder = WorkFolder.made("neptune")
            self._users += 1
            return self._folder.path

    def leave(self) -> None:
        """It is not needed any more."""
        with self._lock:
            self._users -= 1
            if not self._users and self._folder is not None:
                folder, self._folder = self._folder, None  # also where it cannot be removed
                folder.remove()


SHARED_QUEUES: Final = SharedQueues()
