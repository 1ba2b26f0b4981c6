"""Makes a new MLflow database, with the vendor's own migrations, visible in one step."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runferry.dialects.mlflow.local_folder import force
from runferry.dialects.mlflow.vendor import open_store
from runferry.errors import MissingExtra, Refused
from runferry.python_apart import command_apart, environment_apart

_PATIENCE_SECONDS: Final = 300
_PREFIX: Final = ".runferry-making-"
_LOCK: Final = "lock.db"
_SECONDS_TO_LOCK: Final = 2.0
"""A folder as young as this may lack its lock."""


def create_database(path: Path) -> None:
    """Does nothing where the file exists; two processes may try at once."""
    remove_abandoned(path.parent)
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _working_folder(path.parent) as folder:
            draft = folder / "mlflow.db"
            if sys.executable and not getattr(sys, "frozen", False):
                _migrate_apart(draft, _artifact_root(path))
            else:
                migrate(draft, _artifact_root(path))
            force(draft)
            _publish(draft, path)
            force(path.parent)
    except OSError as error:
        raise Refused(
            f"the database cannot be made ({error.strerror})",
            where=str(path),
            hint="check the folder's permissions",
        ) from error


@contextmanager
def _working_folder(parent: Path) -> Iterator[Path]:
    """A folder that says whether its maker still lives: by a lock that dies with the process."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as folder:
        lock = sqlite3.connect(Path(folder, _LOCK), isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
            yield Path(folder)
        finally:
            lock.close()


def remove_abandoned(parent: Path) -> None:
    """Remove what processes that were killed left of databases they were making here."""
    for folder in parent.glob(f"{_PREFIX}*"):
        lock = folder / _LOCK
        try:
            is_new = time.time() - folder.stat().st_mtime < _SECONDS_TO_LOCK
        except FileNotFoundError:
            continue  # its maker has finished
        if not is_new and (not lock.exists() or _is_free(lock)):
            shutil.rmtree(folder, ignore_errors=True)  # of no harm where it must stay


def _is_free(lock: Path) -> bool:
    connection = sqlite3.connect(lock, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def migrate(draft: Path, artifact_root: str) -> None:
    """Make the file with the vendor's migrations. Raises MissingExtra, Refused."""
    open_store(f"sqlite:///{draft.absolute()}", artifact_root).engine.dispose()


_APART = """
import sys; from pathlib import Path
from runferry.writers.mlflow.created import migrate
migrate(Path(sys.argv[1]), sys.argv[2])
"""


def _migrate_apart(draft: Path, artifact_root: str) -> None:
    """In a process of its own: the vendor's code holds 150 MB that we need not."""
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("mlflow", "mlflow")
    command = command_apart(_APART, str(draft.absolute()), artifact_root)
    where = str(draft.parent.parent)
    try:
        done = subprocess.run(
            command,
            check=False,
            env=environment_apart(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(
            f"MLflow's migrations did not end within {_PATIENCE_SECONDS} s",
            where=where,
            hint="name a database on a faster disk",
        ) from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = lines[-1][:300] if lines else f"exit code {done.returncode}"
        raise Refused(
            f"MLflow's own migrations failed: {said}",
            where=where,
            hint="try the installed mlflow by itself: mlflow db upgrade sqlite:///new.db",
        )


def _artifact_root(path: Path) -> str:
    """Beside the database, so that both move together; MLflow's own default is `./mlruns`.

    One that is in use stays with the store that uses it, maybe the one that is being copied.
    """
    folder = path.absolute().parent
    default = folder / "mlruns"
    is_used = default.exists() and not (default.is_dir() and not any(default.iterdir()))
    return (folder / f"mlruns-{path.stem}" if is_used else default).as_posix()


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first, with the same content
    except OSError:  # a disk without hard links
        if not path.exists():
            draft.replace(path)
