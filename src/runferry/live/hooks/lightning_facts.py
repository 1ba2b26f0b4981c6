"""What a trainer of Lightning and its loggers say of themselves."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import uuid4

_ON_DISK: Final = "CSVLogger"  # its version is a folder: the same run in every process


def facts_of(logger: Any, owner: Callable[[], Any]) -> dict[str, object]:
    """Which run it is, and what it is called."""
    name, version = (getattr(logger, field, None) for field in ("name", "version"))
    run_id = uuid4().hex
    if any(kind.__name__ == _ON_DISK for kind in type(logger).__mro__):
        folder = os.path.abspath(str(logger.log_dir))  # noqa: PTH100
        run_id = hashlib.blake2b(folder.encode(), digest_size=16).hexdigest()
    if isinstance(version, int):
        version = f"version_{version}"
    module = getattr(owner(), "lightning_module", None)
    called = version or (None if module is None else type(module).__name__)
    started = time.time_ns() // 1_000_000
    return {"run": run_id, "experiment": name or "lightning", "name": called, "start_ms": started}


def step_of(trainer: Any) -> int:
    """As the logger connector has it."""
    loop = getattr(getattr(trainer, "fit_loop", None), "epoch_loop", None)
    stepped = getattr(loop, "_batches_that_stepped", None)
    return int(trainer.global_step if stepped is None else stepped)


def is_silent(trainer: Any) -> bool:
    """Whether this is a trial, in which Lightning's loggers are told nothing."""
    names: Iterable[str] = (type(one).__name__ for one in trainer.loggers)
    return bool(getattr(trainer, "fast_dev_run", False)) or "DummyLogger" in names


def is_first_rank() -> bool:
    """Whether loggers of this process log: those of other ranks are silent."""
    module = sys.modules.get("lightning_utilities.core.rank_zero")
    rank = getattr(getattr(module, "rank_zero_only", None), "rank", None)
    return rank in (None, 0)


def hyperparameters(trainer: Any) -> dict[str, object]:
    """What Lightning gives to loggers when a training begins."""
    values: dict[str, object] = {}
    for name in ("lightning_module", "datamodule"):
        part: Any = getattr(trainer, name, None)
        if getattr(part, "_log_hyperparams", False):
            values |= dict(part.hparams_initial)
    values.pop("_class_path", None)  # of Lightning's own command line
    return values
