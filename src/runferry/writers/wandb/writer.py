"""The writer: run folders on a disk, or the service by way of them."""

from __future__ import annotations

from typing import ClassVar

from runferry.ports import Limits
from runferry.writers.wandb.limits import LIMITS
from runferry.writers.wandb.offline import OfflineWriter


class WandbWriter(OfflineWriter):
    """Puts runs below a folder, as W&B's client does when it is offline."""

    name: ClassVar[str] = "wandb"
    limits: ClassVar[Limits] = LIMITS
