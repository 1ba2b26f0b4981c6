"""MLflow's migrations take seconds, and hundreds of tests begin with a new database: copies of one.

This is also the `sitecustomize` of the Pythons that tests begin, since commands make databases too.
The first is made by the vendor, as ever, and kept; whoever changes the command that makes it gets
what the changed one makes. What is not always needed is imported late: every child reads this.
"""

from __future__ import annotations

import sys
from pathlib import Path

NAME = "mlflow.db"


def take(folder: Path, draft: Path, artifact_root: str) -> bool:
    """A copy of the first for another place. False where there is none yet."""
    import shutil
    import sqlite3

    try:
        shutil.copyfile(folder / NAME, draft)
    except FileNotFoundError:
        return False
    connection = sqlite3.connect(draft)
    with connection:
        root = (f"{artifact_root}/0",)
        connection.execute("UPDATE experiments SET artifact_location = ?", root)
    connection.close()
    return True


def keep(folder: Path, draft: Path) -> None:
    """As the first, in one step: others may be at it too."""
    import os
    import shutil

    copied = folder / f"{os.getpid()}.db"
    shutil.copyfile(draft, copied)
    copied.replace(folder / NAME)


def make_known(folder: Path, command: str) -> None:
    """To all Pythons that have the folder on their path."""
    import os

    text = f"{Path(__file__).read_text(encoding='utf-8')}\n\nin_child({command!r})\n"
    folder.mkdir(exist_ok=True)
    written = folder / f"{os.getpid()}.py"
    written.write_text(text, encoding="utf-8")
    written.replace(folder / "sitecustomize.py")


def in_child(command: str) -> None:
    """Where a process is about to migrate a database by this command, spare it that."""
    if sys.orig_argv[1:4] != ["-P", "-c", command]:
        return
    import atexit
    import os

    folder, draft = Path(__file__).parent, Path(sys.orig_argv[4])
    if take(folder, draft, sys.orig_argv[5]):
        os._exit(0)
    atexit.register(lambda: None if hasattr(sys, "last_value") else keep(folder, draft))
