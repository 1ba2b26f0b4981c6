"""Uploading a run folder by the vendor's own command, `wandb sync`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runferry.dialects.wandb.account import Account
from runferry.errors import Declined, MissingExtra
from runferry.writers.vendor_command import VendorCommand, environment_without

_NOT_OURS: Final = (
    "WANDB_MODE", "WANDB_RUN_ID", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_RESUME",
    "WANDB_RESUME_FROM", "WANDB_FORK_FROM", "WANDB_IGNORE_GLOBS",
)  # fmt: skip
"""Variables that say of another run where it belongs, or which of its files go with it."""

_SOCKET_FOLDER_AT_MOST: Final = 60
"""Bytes of its path: a socket's has 104 where it is shortest, and the command adds some 40."""


def check_for_vendor() -> None:
    """Raises MissingExtra where there is no wandb package."""
    if find_spec("wandb") is None:
        raise MissingExtra("wandb", "wandb")


def upload(log: Path, entity: str, project: str, account: Account) -> None:
    """Upload one run, and return when all of it has arrived by what the command says.

    The key travels in the environment of the command alone. Raises Declined with the command's last
    words, and what `VendorCommand.run` raises.
    """
    command = [sys.executable, "-P", "-m", "wandb", "sync", "--no-skip-synced"]
    command += ["--entity", entity, "--project", project, str(log)]
    sync = VendorCommand(
        "wandb sync", command, _environment(account, log.parent), log.parent.parent
    )
    ended = sync.run(f"{entity}/{project}")
    if ended.code or not log.with_name(f"{log.name}.synced").exists():
        raise Declined(
            f"wandb sync did not upload the run: {ended.words}",
            where=f"{entity}/{project}",
            hint="see what it says; runs in a folder are wandb:./FOLDER",
        )


def _environment(account: Account, folder: Path) -> Mapping[str, str]:
    """Ours, with the server that is meant; what the command writes for itself lies beside."""
    return {
        **environment_without(_NOT_OURS),
        **_temporary(folder.parent),
        "WANDB_BASE_URL": account.base_url,
        "WANDB_API_KEY": account.key,
        "WANDB_DIR": str(folder.parent),
        "WANDB_SILENT": "false",
    }


def _temporary(folder: Path) -> Mapping[str, str]:
    """Where the command keeps its socket, so that it goes with ours also when both are killed.

    The address of a socket is short, so a long path leaves it where it would be.
    """
    is_short = len(os.fsencode(folder)) <= _SOCKET_FOLDER_AT_MOST
    return {"TMPDIR": str(folder)} if is_short else {}
