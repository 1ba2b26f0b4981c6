"""What SwanLab's server says of a run, asked by the vendor's own `swanlab api run`."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Final

from runferry.writers.swanlab.upload import environment, vendor_command
from runferry.writers.vendor_command import VendorCommand

_log = logging.getLogger(__name__)
_ANSWER: Final = "answer.json"


def asked(run: str, folder: Path, what: str, *options: str) -> Any:
    """The `data` of its answer; None where it cannot be asked, which is said.

    `run` is WORKSPACE/PROJECT/ID. The command (0.10.3) ends with 0 whatever it was told, and states
    in what it saves whether any request was refused. Raises Declined where it hangs.
    """
    (folder / _ANSWER).unlink(missing_ok=True)
    command = [*vendor_command(), "api", "run", what, run, *options, "--save", _ANSWER]
    errors = VendorCommand(
        "swanlab api", command, environment(), folder, lambda it: it if "Error" in it else ""
    )
    ended = errors.run(run)
    try:
        told = json.loads((folder / _ANSWER).read_bytes())
        if told["ok"]:
            return told["data"] or {}
        why = str(told["errmsg"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = ended.words if ended.code else f"{type(error).__name__}: {error}"
    unknown(run, why)
    return None


def unknown(run: str, why: str) -> None:
    """Say that nothing is known of what has arrived."""
    _log.warning("%s: what has arrived cannot be looked up: %s", run, why)
