"""Uploading a run folder by the vendor's own command, `wandb sync`."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runferry.dialects.wandb.account import Account
from runferry.errors import Declined, MissingExtra
from runferry.python_apart import environment_apart
from runferry.redact import without_credentials

_log = logging.getLogger(__name__)
_LINES_KEPT: Final = 12
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
    alone. Raises Declined with the command's last words.
    """
    command = [sys.executable, "-P", "-m", "wandb", "sync", "--no-skip-synced"]
    command += ["--entity", entity, "--project", project, str(log)]
    said: deque[str] = deque(maxlen=_LINES_KEPT)
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
        assert process.stdout is not None
        try:
            for line in process.stdout:
                told = without_credentials(line.strip()).replace(account.key, "…")
                if told:
                    said.append(told)
                    _log.info("wandb sync: %s", told)
        except BaseException:
            process.terminate()
            raise
    if process.returncode or not log.with_name(f"{log.name}.synced").exists():
        words = "; ".join(said) or f"exit code {process.returncode}"
        raise Declined(
            f"wandb sync did not upload the run: {words}",
            where=f"{entity}/{project}",
            hint="see what it says; runs in a folder are wandb:./FOLDER",
        )


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
