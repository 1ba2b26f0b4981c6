"""Every verb, in the order in which the help lists them."""

# isort: off  the order is the help's
from runferry.cli import archive_verbs, look_verbs, transfer_verbs

# isort: on
from runferry.cli.app import app

__all__ = ["app", "archive_verbs", "look_verbs", "transfer_verbs"]
