"""Creates an empty MLflow database with the vendor's own migrations: make_database.py DATABASE."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mlflow import MlflowClient

os.chdir(Path(sys.argv[1]).parent)  # the vendor makes `./mlruns`
MlflowClient(f"sqlite:///{sys.argv[1]}").search_experiments()
