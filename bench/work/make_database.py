"""Creates an empty MLflow database with the vendor's own migrations: make_database.py DATABASE."""

from __future__ import annotations

import sys

from mlflow import MlflowClient

MlflowClient(f"sqlite:///{sys.argv[1]}").search_experiments()
