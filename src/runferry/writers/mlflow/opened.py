"""Which backend stands behind a location."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from runferry.dialects.mlflow import schema
from runferry.errors import Refused
from runferry.ports import Location
from runferry.writers.mlflow.backend import Backend
from runferry.writers.mlflow.sqlite import SqliteBackend

_DATABASE_SUFFIXES = (".db", ".sqlite", ".sqlite3")


def backend_at(where: Location) -> Backend:
    """Raises Refused, BadLocation, AuthFailed, Unreachable, MissingExtra."""
    uri = where.where
    if uri.startswith(("http://", "https://")):
        from runferry.dialects.mlflow.server import Server
        from runferry.writers.mlflow.server import ServerBackend

        return ServerBackend(Server.at(uri))
    if schema.is_sqlite(uri):
        return _sqlite(schema.database_path(uri), uri)
    if "://" in uri and not uri.startswith("file:"):
        from runferry.writers.mlflow.vendor import VendorBackend

        return VendorBackend(uri)
    path = where.path
    if path.is_file() or path.suffix in _DATABASE_SUFFIXES:
        return _sqlite(path, f"sqlite:///{path.absolute()}")
    raise Refused(
        "MLflow 3 no longer writes file stores, so runferry does not either",
        where=str(where),
        hint=f"mlflow:sqlite:///{path.with_suffix('.db').name}",
    )


def _sqlite(path: Path, uri: str) -> Backend:
    """Plain SQL where we know the schema, the vendor's store where we do not."""
    from runferry.writers.mlflow.created import create_database

    create_database(path)
    try:
        connection = schema.connect(path, read_only=False)
        try:
            version = schema.version(connection)
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise schema.locked(error, path) or Refused(
            f"sqlite cannot open this file ({error})",
            where=str(path),
            hint="name another file, or one that does not exist yet",
        ) from error
    if version in schema.KNOWN_VERSIONS:
        return SqliteBackend(path)
    from runferry.writers.mlflow.vendor import VendorBackend

    return VendorBackend(uri)
