"""Reads MLflow: a file store, a sqlite file, a tracking server, any other SQL backend."""

from runferry.readers.mlflow.reader import MlflowReader

__all__ = ["MlflowReader"]
