"""Every verb, in the order in which the help lists them."""

from runferry.cli import transfer_verbs  # isort: split
from runferry.cli import look_verbs  # isort: split
from runferry.cli import archive_verbs
from runferry.cli.app import app

__all__ = ["app", "archive_verbs", "look_verbs", "transfer_verbs"]
