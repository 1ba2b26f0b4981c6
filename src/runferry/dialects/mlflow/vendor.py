"""The door to the vendor's own code: its stores, its schema, its exceptions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from runferry.errors import (
    Locked,
    MissingExtra,
    Refused,
    RunferryError,
    RunMissing,
    Unreachable,
    UsageError,
)
from runferry.redact import without_credentials

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore


_PACKAGES: Final = {
    "MySQLdb": "mysqlclient",
    "azure": "azure-storage-blob",
    "google": "google-cloud-storage",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
}
"""What to install for a module of another name."""


_NEEDED: Final = "get_trace"
"""The youngest method that we call of MLflow's store (3.9; 3.6 has none)."""


class MissingDriver(MissingExtra):
    """A database's or a cloud's own package is not installed."""

    def __init__(self, module: str, package: str) -> None:
        UsageError.__init__(
            self,
            f"{module}, which MLflow needs for this place, is not installed",
            hint=f"pip install '{package}'",
        )


def open_store(uri: str, artifact_root: str = "./mlruns") -> SqlAlchemyStore:
    """MLflow's store for any SQL backend; creates its tables in an empty database.

    Raises MissingExtra, UsageError (an MLflow that is too old), Unreachable, Refused (an outdated
    schema, an unknown dialect).
    """
    with _opening(uri):
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        if _NEEDED not in vars(SqlAlchemyStore):
            raise UsageError(
                "this MLflow is too old for us to open a database by it",
                where=without_credentials(uri),
                hint="pip install 'runferry[mlflow]'",
            )
        # the vendor's migrations talk to the log at INFO; what fails is raised
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        return SqlAlchemyStore(uri, artifact_root)


def open_registry(uri: str) -> RegistryStore:
    """MLflow's store of registered models, in the same database. Raises what `open_store` does."""
    with _opening(uri):
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        return SqlAlchemyStore(uri)


@contextmanager
def _opening(uri: str) -> Iterator[None]:
    """What opening a database raises, in our words."""
    try:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import OperationalError, SQLAlchemyError
    except ImportError as error:
        raise MissingExtra("mlflow", "mlflow") from error
    where = without_credentials(uri)
    try:
        yield
    except MlflowException as error:
        raise refused_as(error, where) from error
    except ModuleNotFoundError as error:
        raise missing_driver(error) from error
    except OperationalError as error:
        raise Unreachable(
            "the database does not answer", where=where, hint="check its address and credentials"
        ) from error
    except SQLAlchemyError as error:
        raise Refused(
            f"not a database that MLflow opens ({type(error).__name__})", where=where
        ) from error


def missing_driver(error: ModuleNotFoundError) -> MissingDriver:
    """A package that the vendor's code wants for this place, and that no extra of ours brings."""
    module = str(error.name).partition(".")[0]
    return MissingDriver(module, _PACKAGES.get(module, module))


@contextmanager
def in_our_words(where: str) -> Iterator[None]:
    """The vendor's exceptions about this place as ours."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise refused_as(error, where) from error


def refused_as(error: MlflowException, where: str = "") -> RunferryError:
    """The vendor's exception in our words."""
    said = str(error).partition("\n")[0][:300]
    if "out-of-date database schema" in said:
        return Refused(
            "the database has another schema version than the installed mlflow",
            where=where,
            hint="after a backup: mlflow db upgrade DATABASE_URI",
        )
    if "database is locked" in str(error):
        return Locked("another process holds the database", where=where, hint="run again later")
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return RunMissing(said, where=where)
    if error.error_code in ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR"):
        return Unreachable(said, where=where, hint="run the same command again to resume")
    return Refused(said, where=where)
