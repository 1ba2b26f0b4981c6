"""Starts the stand-in by hand: `python -m runferry.testing.clearml_server [PORT]`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from runferry.testing.clearml_server.server import ClearmlServer


def main(arguments: list[str]) -> int:
    """Serves until it is interrupted."""
    port = int(arguments[0]) if arguments else 0
    with ClearmlServer(port) as server:
        for name, value in server.environment(Path.cwd()).items():
            print(f"export {name}={value}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
