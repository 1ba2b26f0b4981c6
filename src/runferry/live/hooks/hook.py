"""What all hooks are: patches that go on and come off, and a journal behind them."""

from __future__ import annotations

from typing import ClassVar

from runferry.live.hooks.patching import Patches
from runferry.live.journal import Journal


class PatchingHook:
    """A subclass says what is patched."""

    name: ClassVar[str]

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._patches = Patches(lambda: journal.drop(self.name))

    def on(self) -> None:
        """See `Patches.on`."""
        self._patches.on()

    def off(self) -> None:
        """See `Patches.off`."""
        self._patches.off()
