"""runferry moves machine-learning experiments between trackers without losing anything."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runferry.api import OpenRun, convert, load, load_wandb_database, open, verify
    from runferry.errors import ExitCode, RunferryError
    from runferry.live.interfaces import (
        get_active_experiment,
        start_logging,
        stop_logging,
        sync_clearml,
        sync_lightning,
        sync_mlflow,
        sync_tensorboard,
        sync_wandb,
    )
    from runferry.loaded import LoadedRun
    from runferry.locations import locate
    from runferry.losses import Fate, Loss
    from runferry.model import Attribute, Run, RunKey, Series
    from runferry.ports import Limits, Location, Reader, ReadOptions, Writer
    from runferry.transfer.selection import Selection

__version__ = "0.1.0"

_HOMES = {
    "runferry.api": (
        "OpenRun",
        "convert",
        "load",
        "load_wandb_database",
        "open",
        "verify",
    ),
    "runferry.errors": ("ExitCode", "RunferryError"),
    "runferry.live.interfaces": (
        "get_active_experiment",
        "start_logging",
        "stop_logging",
        "sync_clearml",
        "sync_lightning",
        "sync_mlflow",
        "sync_tensorboard",
        "sync_wandb",
    ),
    "runferry.loaded": ("LoadedRun",),
    "runferry.losses": ("Fate", "Loss"),
    "runferry.model": ("Attribute", "Run", "RunKey", "Series"),
    "runferry.ports": ("Limits", "Location", "ReadOptions", "Reader", "Writer"),
    "runferry.locations": ("locate",),
    "runferry.transfer.selection": ("Selection",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Attribute",
    "ExitCode",
    "Fate",
    "Limits",
    "LoadedRun",
    "Location",
    "Loss",
    "OpenRun",
    "ReadOptions",
    "Reader",
    "Run",
    "RunKey",
    "RunferryError",
    "Selection",
    "Series",
    "Writer",
    "__version__",
    "convert",
    "get_active_experiment",
    "load",
    "load_wandb_database",
    "locate",
    "open",
    "start_logging",
    "stop_logging",
    "sync_clearml",
    "sync_lightning",
    "sync_mlflow",
    "sync_tensorboard",
    "sync_wandb",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import on first use (PEP 562): `import runferry` alone loads neither pyarrow nor an SDK."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'runferry' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
