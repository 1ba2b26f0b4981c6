"""`python mlflow_in_one_process.py server …` is `mlflow server …`, in a process less.

MLflow's command begins a second process for uvicorn, which imports all of MLflow once more: that is
half of the seconds that a server takes to begin.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping, Sequence

import mlflow.server
from mlflow.cli import cli


def _here(command: Sequence[str], *, extra_env: Mapping[str, str], **_: object) -> None:
    """Become what it would begin: `python -m uvicorn …`."""
    os.environ.update(extra_env)
    sys.argv = [*command[2:]]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    mlflow.server._exec_cmd = _here
    cli()
