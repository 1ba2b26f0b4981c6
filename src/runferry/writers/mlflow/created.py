"""Makes a new MLflow database, with the vendor's own migrations, visible in one step."""

from __future__ import annotations

import os
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
            store = open_store(f"sqlite:///{draft.absolute()}", _artifact_root(path))
            store.engine.dispose()
            _publish(draft, path)
    except OSError as error:
        raise Refused(
            f"the database cannot be made ({error.strerror})",
            where=str(path),
            hint="check the folder's permissions",
        ) from error


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
