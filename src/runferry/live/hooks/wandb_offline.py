"""W&B, kept offline: what the user asks for with `wandb_run=False`, mirrored or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from runferry.live.hooks.patching import Patches

_MODE: Final = "WANDB_MODE"


class WandbOffline:
    """Keeps W&B's own client from its server, in runs that begin while this is on."""

    name = "wandb-offline"

    def __init__(self, failed: Callable[[], object]) -> None:
        """`failed` counts what could not be kept offline."""
        self._patches = Patches(failed)
        for method in ("maybe_login", "init"):
            self._patches.before("wandb.sdk.wandb_init", "_WandbInit", method, _kept_offline)
        self._before: str | None = None

    def on(self) -> None:
        """See `Patches.on`."""
        if not self._patches.is_on:
            self._before = os.environ.get(_MODE)
            os.environ[_MODE] = "offline"  # what wandb.init(mode=…) says goes before it
            self._patches.on()

    def off(self) -> None:
        """See `Patches.off`. A mode that somebody has set since stays."""
        if not self._patches.is_on:
            return
        self._patches.off()
        if os.environ.get(_MODE) == "offline":
            os.environ.pop(_MODE)
            if self._before is not None:
                os.environ[_MODE] = self._before


def _kept_offline(starting: Any, *args: object, **kwargs: object) -> None:
    """The settings with which a run is about to begin, as `mode="offline"` would have them."""
    given: tuple[Any, ...] = (*args, *kwargs.values(), getattr(starting, "settings", None))
    for settings in given:
        if hasattr(settings, "run_id") and settings.mode not in ("offline", "dryrun", "disabled"):
            settings.mode = "offline"
