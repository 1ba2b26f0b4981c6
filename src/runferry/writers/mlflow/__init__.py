"""Writes MLflow: a sqlite file in bulk, a tracking server, any other SQL backend."""

from runferry.writers.mlflow.writer import MlflowWriter

__all__ = ["MlflowWriter"]
