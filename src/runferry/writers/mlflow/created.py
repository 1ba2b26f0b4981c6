"""Makes a new MLflow database, with the vendor's own migrations, visible in one step."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from runferry.dialects.mlflow.vendor import open_store
from runferry.errors import Refused


def create_database(path: Path) -> None:
    """Does nothing where the file exists; two processes may try at once."""
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".runferry-", dir=path.parent) as folder:
            draft = Path(folder, "mlflow.db")
            if not _migrated_apart(draft, _artifact_root(path)):
                draft.unlink(missing_ok=True)
                migrate(draft, _artifact_root(path))
            _publish(draft, path)
    except OSError as error:
        raise Refused(
            f"the database cannot be made ({error.strerror})",
            where=str(path),
            hint="check the folder's permissions",
        ) from error


def migrate(draft: Path, artifact_root: str) -> None:
    """Make the file with the vendor's migrations. Raises MissingExtra, Refused."""
    open_store(f"sqlite:///{draft.absolute()}", artifact_root).engine.dispose()


_APART = """
import sys; from pathlib import Path
from runferry.writers.mlflow.created import migrate
migrate(Path(sys.argv[1]), sys.argv[2])
"""


def _migrated_apart(draft: Path, artifact_root: str) -> bool:
    """Whether a process of its own could do it: the vendor's code holds 150 MB that we need not.

    Where it could not (no interpreter to call, no mlflow), doing it here tells why.
    """
    if not sys.executable or getattr(sys, "frozen", False):
        return False
    command = [sys.executable, "-c", _APART, str(draft.absolute()), artifact_root]
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return done.returncode == 0


def _artifact_root(path: Path) -> str:
    """Beside the database, so that both move together; MLflow's own default is `./mlruns`."""
    return (path.absolute().parent / "mlruns").as_posix()


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first, with the same content
    except OSError:  # a disk without hard links
        if not path.exists():
            draft.replace(path)
