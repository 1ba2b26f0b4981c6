"""Uploading a run folder by the vendor's own command, `wandb sync`."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runferry import settings
from runferry.dialects.wandb.account import Account
from runferry.errors import Declined, MissingExtra
from runferry.http.waits import wait
from runferry.python_apart import environment_apart
from runferry.redact import without_credentials
from runferry.writers.wandb.processes import Progress, end

_log = logging.getLogger(__name__)
_LINES_KEPT: Final = 12
_SECONDS_BETWEEN_LOOKS: Final = 0.2
_NOT_OURS: Final = (
    "WANDB_MODE", "WANDB_RUN_ID", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_RESUME",
    "WANDB_RESUME_FROM", "WANDB_FORK_FROM", "WANDB_IGNORE_GLOBS",
)  # fmt: skip
"""Variables that say of another run where it belongs, or which of its files go with it."""


def check_for_vendor() -> None:
    """Raises MissingExtra where there is no wandb package."""
    if find_spec("wandb") is None:
        raise MissingExtra("wandb", "wandb")


def upload(log: Path, entity: str, project: str, account: Account) -> None:
    """Upload one run, and return when all of it has arrived by what the command says.

    Its progress goes to our log, line by line. The key travels in the environment of the command
    alone. Raises Declined with the command's last words, or where it does nothing for as long as
    `patience` says, and what ends a wait of this thread.
    """
    command = [sys.executable, "-P", "-m", "wandb", "sync", "--no-skip-synced"]
    command += ["--entity", entity, "--project", project, str(log)]
    with subprocess.Popen(
        command,
        env=_environment(account, log.parent),
        cwd=log.parent.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        words = _Words(process, account.key)
        try:
            _watch(process, words, f"{entity}/{project}")
        finally:
            end(process)
            words.join()
    if process.returncode or not log.with_name(f"{log.name}.synced").exists():
        told = "; ".join(words.said) or f"exit code {process.returncode}"
        raise Declined(
            f"wandb sync did not upload the run: {told}",
            where=f"{entity}/{project}",
            hint="see what it says; runs in a folder are wandb:./FOLDER",
        )


def _watch(process: subprocess.Popen[str], words: _Words, where: str) -> None:
    """Return when the command has ended."""
    patience = settings.current().patience
    while process.poll() is None or words.is_alive():
        wait(_SECONDS_BETWEEN_LOOKS, "")
        idle = words.progress.idle_seconds()
        if idle > patience:
            raise Declined(
                f"wandb sync did nothing for {idle:,.0f} seconds",
                where=where,
                hint="runferry config  # shows `patience`, which says how long it may",
            )


class _Words(threading.Thread):
    """Hears what the command says."""

    def __init__(self, process: subprocess.Popen[str], key: str) -> None:
        super().__init__(name="wandb-sync", daemon=True)
        self.said: deque[str] = deque(maxlen=_LINES_KEPT)
        self.progress = Progress(process.pid)
        self._process = process
        self._key = key
        self.start()

    def run(self) -> None:
        """Until the command, and whatever it started, has closed its end."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.progress.heard()
            told = without_credentials(line.strip()).replace(self._key, "…")
            if told:
                self.said.append(told)
                _log.info("wandb sync: %s", told)


def _environment(account: Account, folder: Path) -> Mapping[str, str]:
    """Ours, with the server that is meant; what the command writes for itself lies beside."""
    others = {name: value for name, value in environment_apart().items() if name not in _NOT_OURS}
    return {
        **others,
        "WANDB_BASE_URL": account.base_url,
        "WANDB_API_KEY": account.key,
        "WANDB_DIR": str(folder.parent),
        "WANDB_SILENT": "false",
    }
