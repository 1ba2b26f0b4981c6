"""Every verb, in the order in which the help lists them."""

from __future__ import annotations

from runferry.cli.app import app

from runferry.cli import transfer_verbs as _moving  # isort: skip  the order is the help's
from runferry.cli import look_verbs as _looking  # isort: skip
from runferry.cli import archive_verbs as _keeping  # isort: skip
from runferry.cli import live_verbs as _living  # isort: skip
from runferry.cli import swanlab_verbs as _swanlab  # isort: skip

VERBS = (_moving, _living, _looking, _keeping, _swanlab)

__all__ = ["VERBS", "app"]
