"""The model registry in a sqlite file, by plain SQL: the rows that MLflow's own store would write.

A test compares the tables with what `mlflow.store.model_registry.sqlalchemy_store` of 3.17.2 makes.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.registry import DELETED_STAGE, NativeModel, NativeVersion
from runferry.dialects.mlflow.sql_cells import Cells, any_text
from runferry.dialects.mlflow.tags import UID_TAG
from runferry.losses import Loss
from runferry.model import Uid

Guard = Callable[[], AbstractContextManager[object]]
"""Around everything that asks sqlite, with what it says against it as an error of ours."""

_VERSIONS: Final = """
SELECT version, source, run_id, run_link, description, current_stage, user_id, status,
       status_message, creation_time, last_updated_time, {location}
FROM model_versions WHERE name = ? AND current_stage IS NOT 'Deleted_Internal' ORDER BY version
"""
_TABLES: Final = (
    "registered_models", "registered_model_tags", "model_versions", "model_version_tags",
)  # fmt: skip


class SqlRegistry:
    """One sqlite file. A file from before MLflow had a registry has no models."""

    def __init__(self, connection: sqlite3.Connection, guard: Guard) -> None:
        self._connection = connection
        self._guard = guard
        with guard():
            self._is_there = all(schema.columns(connection, table) for table in _TABLES)
            self._has_aliases = bool(schema.columns(connection, "registered_model_aliases"))
            held = schema.columns(connection, "model_versions")
            location = "storage_location" if "storage_location" in held else "NULL"
            self._has_location = "storage_location" in held
            self._versions = _VERSIONS.format(location=location)

    def models(self) -> Iterator[NativeModel]:
        """See `Registry`."""
        if not self._is_there:
            return
        for (name,) in self._rows("SELECT name FROM registered_models ORDER BY name"):
            if not isinstance(name, str):
                yield NativeModel(
                    f"{name!r}"
                )  # it is not found under it, and fails when it is read
                continue
            model = self.model(name)
            if model is not None:
                yield model

    def model(self, name: str) -> NativeModel | None:
        """See `Registry`."""
        if not self._is_there:
            return None
        query = (
            "SELECT description, creation_time, last_updated_time FROM registered_models"
            " WHERE name = ?"
        )
        for said, made, last in self._rows(query, name):
            losses: list[Loss] = []
            cells, table = Cells(losses), f"registered_models.{name}"
            return NativeModel(
                name,
                cells.text(said, f"{table}.description"),
                cells.milliseconds(made, f"{table}.creation_time"),
                cells.milliseconds(last, f"{table}.last_updated_time"),
                cells.pairs(
                    self._rows("SELECT key, value FROM registered_model_tags WHERE name = ?", name),
                    f"registered_model_tags.{name}",
                ),
                self._aliases(name, cells),
                tuple(self._versions_of(name, cells)),
                tuple(losses),
            )
        return None

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._guard(), any_text(self._connection):
            return self._connection.execute(query, values).fetchall()

    def _aliases(self, name: str, cells: Cells) -> dict[str, int]:
        if not self._has_aliases:
            return {}
        table, found = f"registered_model_aliases.{name}", dict[str, int]()
        query = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"
        for alias, version in self._rows(query, name):
            said = cells.text(alias, f"{table}.alias")
            number = cells.integer(version, f"{table}.{said}")
            if said is not None and number is not None:
                found[said] = number
        return found

    def _versions_of(self, name: str, cells: Cells) -> Iterator[NativeVersion]:
        tags = self._version_tags(name, cells)
        for row in self._rows(self._versions, name):
            (number, source, run_id, link, said, stage, user, status, message, made, last,
             location) = row  # fmt: skip
            version = cells.integer(number, f"model_versions.{name}.version")
            if version is None:
                continue
            table = f"model_versions.{name}/{version}"
            yield NativeVersion(
                version=version,
                source=cells.text(source, f"{table}.source") or "",
                run_id=cells.text(run_id, f"{table}.run_id"),
                run_link=cells.text(link, f"{table}.run_link"),
                description=cells.text(said, f"{table}.description"),
                stage=cells.text(stage, f"{table}.current_stage") or "None",
                user=cells.text(user, f"{table}.user_id"),
                status=cells.text(status, f"{table}.status") or "READY",
                status_message=cells.text(message, f"{table}.status_message"),
                created_ms=cells.milliseconds(made, f"{table}.creation_time"),
                updated_ms=cells.milliseconds(last, f"{table}.last_updated_time"),
                tags=tags.get(version, {}),
                location=cells.text(location, f"{table}.storage_location"),
            )

    def _version_tags(self, name: str, cells: Cells) -> Mapping[object, dict[str, str]]:
        """By version; in one pass, since no index leads to them by name and version alone."""
        found: dict[object, list[tuple[object, object]]] = {}
        query = "SELECT version, key, value FROM model_version_tags WHERE name = ?"
        for version, key, value in self._rows(query, name):
            found.setdefault(version, []).append((key, value))
        return {
            version: cells.pairs(pairs, f"model_version_tags.{name}/{version}")
            for version, pairs in found.items()
        }

    def create(self, model: NativeModel) -> None:
        """See `Registry`."""
        now = _now()
        made = now if model.created_ms is None else model.created_ms
        with self._guard():
            self._connection.execute(
                "INSERT INTO registered_models (name, creation_time, last_updated_time,"
                " description) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (model.name, made, model.updated_ms or now, model.description),
            )
        self.tag(model.name, model.tags)

    def describe(self, name: str, description: str) -> None:
        """See `Registry`."""
        with self._guard():
            self._connection.execute(
                "UPDATE registered_models SET description = ?, last_updated_time = ?"
                " WHERE name = ?",
                (description, _now(), name),
            )

    def tag(self, name: str, tags: Mapping[str, str], version: int | None = None) -> None:
        """See `Registry`."""
        with self._guard():
            for key, value in tags.items():
                self._untag(name, key, version)
                if version is None:
                    self._connection.execute(
                        "INSERT INTO registered_model_tags (name, key, value) VALUES (?, ?, ?)",
                        (name, key, value),
                    )
                else:
                    self._connection.execute(
                        "INSERT INTO model_version_tags (name, version, key, value)"
                        " VALUES (?, ?, ?, ?)",
                        (name, version, key, value),
                    )

    def untag(self, name: str, tags: Sequence[str], version: int | None = None) -> None:
        """See `Registry`."""
        with self._guard():
            for key in tags:
                self._untag(name, key, version)

    def _untag(self, name: str, key: str, version: int | None) -> None:
        if version is None:
            query = "DELETE FROM registered_model_tags WHERE name = ? AND key = ?"
            self._connection.execute(query, (name, key))
        else:
            query = "DELETE FROM model_version_tags WHERE name = ? AND version = ? AND key = ?"
            self._connection.execute(query, (name, version, key))

    def add(self, name: str, wished: NativeVersion) -> int:
        """See `Registry`. In one step with its tags."""
        with self._guard():
            number = self._number(name, wished.version)
            now = _now()
            made = now if wished.created_ms is None else wished.created_ms
            columns = ["name", "version", "creation_time", "last_updated_time", "user_id",
                       "current_stage", "source", "run_id", "run_link", "status",
                       "status_message"]  # fmt: skip
            values: list[object] = [name, number, made, wished.updated_ms or now, wished.user,
                                    "None", wished.source, wished.run_id, wished.run_link,
                                    wished.status, wished.status_message]  # fmt: skip
            if self._has_location:
                columns.append("storage_location")
                values.append(wished.location or wished.source)
            marks = ", ".join("?" * len(values))
            self._connection.execute(
                f"INSERT INTO model_versions ({', '.join(columns)}) VALUES ({marks})", values
            )
            self._connection.executemany(
                "INSERT INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?)",
                [(name, number, key, value) for key, value in wished.tags.items()],
            )
        return number

    def _number(self, name: str, wished: int) -> int:
        """The wished one unless a version has it, or had it."""
        query = "SELECT 1 FROM model_versions WHERE name = ? AND version = ?"
        if wished > 0 and self._connection.execute(query, (name, wished)).fetchone() is None:
            return wished
        query = "SELECT coalesce(max(version), 0) + 1 FROM model_versions WHERE name = ?"
        return int(self._connection.execute(query, (name,)).fetchone()[0])

    def amend(self, name: str, version: NativeVersion) -> None:
        """See `Registry`."""
        with self._guard():
            self._connection.execute(
                "UPDATE model_versions SET description = ?, current_stage = ?"
                " WHERE name = ? AND version = ?",
                (version.description, version.stage, name, version.version),
            )

    def remove(self, name: str, version: int) -> None:
        """See `Registry`. As the vendor's store does it, which keeps the row and its tags."""
        with self._guard():
            if self._has_aliases:
                self._connection.execute(
                    "DELETE FROM registered_model_aliases WHERE name = ? AND version = ?",
                    (name, version),
                )
            self._connection.execute(
                "UPDATE model_versions SET current_stage = ?, last_updated_time = ?,"
                " description = NULL, user_id = NULL, source = 'REDACTED-SOURCE-PATH',"
                " run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK',"
                " status_message = NULL WHERE name = ? AND version = ?",
                (DELETED_STAGE, _now(), name, version),
            )

    def alias(self, name: str, alias: str, version: int | None) -> None:
        """See `Registry`."""
        if not self._has_aliases:
            return
        with self._guard():
            self._connection.execute(
                "DELETE FROM registered_model_aliases WHERE name = ? AND alias = ?", (name, alias)
            )
            if version is not None:
                self._connection.execute(
                    "INSERT INTO registered_model_aliases (name, alias, version) VALUES (?, ?, ?)",
                    (name, alias, version),
                )

    def of_run(self, uid: Uid) -> Iterator[tuple[str, NativeVersion]]:
        """See `Registry`."""
        if not self._is_there:
            return
        with self._guard():
            rows = self._connection.execute(
                "SELECT DISTINCT name FROM model_version_tags WHERE key = ? AND value = ?",
                (UID_TAG, uid),
            ).fetchall()
        for (name,) in rows:
            model = self.model(name)
            for version in model.versions if model is not None else ():
                if version.uid == uid:
                    yield name, version


def _now() -> int:
    return int(time.time() * 1000)
