"""A PostgreSQL cluster of the tests' own, from the system's package, on this machine's loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.free_ports import free_port

ROLE, PASSWORD = "runner", "a-secret/of:ours"
"""The password has what a URL must spell otherwise; no message may show it."""


def program(name: str) -> str | None:
    """Debian keeps the server's programs outside of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def as_nobody_else() -> dict[str, object]:
    """PostgreSQL will not run as root: there it is the package's own user."""
    if os.name == "nt" or os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


@contextmanager
def cluster() -> Iterator[int]:
    """The port at which it listens while the block runs. Skips where there is no PostgreSQL."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed")
    user = as_nobody_else()
    with tempfile.TemporaryDirectory(prefix="runferry-pg-", ignore_cleanup_errors=True) as text:
        folder = Path(text)
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        if user:
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        here = folder / "cluster"
        command = [initdb, "-D", str(here), "-U", ROLE, "--pwfile", str(secret), "-E", "UTF8",
                   "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync"]  # fmt: skip
        made = subprocess.run(command, cwd=folder, capture_output=True, check=False, **user)  # type: ignore[call-overload]
        assert made.returncode == 0, made.stderr.decode()[-2000:]
        port = free_port()
        command = [postgres, "-D", str(here), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
                   "-c", f"unix_socket_directories={folder}", "-c", "fsync=off",
                   "-c", "max_connections=60"]  # fmt: skip
        log = (folder / "log").open("wb")
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **user)  # type: ignore[call-overload]
        try:
            _wait(port, server, folder / "log")
            yield port
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(60)
            if server.poll() is None:
                server.kill()
                server.wait()
            log.close()


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    for _ in range(600):
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            connected(port).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")


def connected(port: int, database: str = "postgres") -> object:
    """A connection in autocommit mode."""
    import psycopg

    return psycopg.connect(
        host="127.0.0.1", port=port, user=ROLE, password=PASSWORD, dbname=database,
        autocommit=True, connect_timeout=5,
    )  # fmt: skip


def new_database(port: int, name: str) -> str:
    """The URI of an empty database, as MLflow takes it."""
    from urllib.parse import quote

    connection = connected(port)
    try:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[attr-defined]
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[attr-defined]
    finally:
        connection.close()  # type: ignore[attr-defined]
    return f"postgresql+psycopg://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{name}"
