"""A tracking server that asks who one is: MLflow's own `basic-auth`, and TLS that few vouch for."""

from __future__ import annotations

import os
import shutil
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from tests.writers.conftest import tracking_server
from tests.writers.mlflow_models import client_of
from werkzeug.security import generate_password_hash

from runferry import convert
from runferry.dialects.mlflow import credentials as module
from runferry.dialects.mlflow.server import Server
from runferry.errors import AuthFailed, BadSetting, Unreachable
from runferry.python_apart import environment_apart
from runferry.settings import Settings, install

USER, SECRET = "captain", "a-long-secret/of:ours"
VARIABLES = (module.USERNAME, module.PASSWORD, module.TOKEN, module.INSECURE, module.AUTHORITY)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is signed in yet, and no file of this machine's user says otherwise."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def guarded(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`mlflow server --app-name basic-auth`, of which `captain` is the admin."""
    folder = tmp_path_factory.mktemp("guarded")
    shutil.copy(empty_database, folder / "server.db")
    users = folder / "auth.ini"
    users.write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{folder}/users.db\n"
        f"admin_username = {USER}\nadmin_password = {SECRET}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    variables = {
        "MLFLOW_AUTH_CONFIG_PATH": str(users),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of the tests",
    }
    with tracking_server(
        folder, f"sqlite:///{folder}/server.db", "--app-name", "basic-auth", variables=variables
    ) as url:
        hash_cheaply(folder / "users.db")
        yield url


def hash_cheaply(users: Path) -> None:
    """Each question is asked with the password, whose hash is made to take half a second."""
    quick = generate_password_hash(SECRET, method="pbkdf2:sha256:1")
    with closing(sqlite3.connect(users)) as connection, connection:
        connection.execute("UPDATE users SET password_hash = ?", (quick,))


def signed_in(monkeypatch: pytest.MonkeyPatch, user: str = USER, password: str = SECRET) -> None:
    monkeypatch.setenv(module.USERNAME, user)
    monkeypatch.setenv(module.PASSWORD, password)


def a_run(database: Path, folder: Path) -> str:
    """A run with a file, in a sqlite file."""
    client = client_of(f"sqlite:///{database}")
    run = client.create_run("0", run_name="guarded one")
    client.log_metric(run.info.run_id, "loss", 0.5, step=1)
    client.log_text(run.info.run_id, "kept", "notes/a.txt")
    client.create_registered_model("guarded", {"team": "a"})
    client.create_model_version("guarded", f"{run.info.artifact_uri}/notes", run.info.run_id)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def test_a_server_with_users_is_written_and_read_as_one_of_them(
    guarded: str, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_run(database, tmp_path)
    signed_in(monkeypatch)
    report = convert(f"mlflow:sqlite:///{database}", f"mlflow:{guarded}", archive="there")
    assert report.exit_code == 0, report
    back = convert(f"mlflow:{guarded}", f"mlflow:sqlite:///{tmp_path}/back.db", archive="back")
    assert back.exit_code == 0, back
    client = client_of(f"sqlite:///{tmp_path}/back.db")
    assert [v.version for v in client.search_model_versions("name = 'guarded'")] == [1]


@pytest.mark.parametrize("user", [USER, None])
def test_who_gives_a_wrong_password_learns_which_variables_are_read_and_no_secret_is_shown(
    user: str | None, guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "not-the-password-1234"
    if user is not None:
        signed_in(monkeypatch, user, wrong)
    ends = [f"mlflow:{guarded}", f"mlflow:sqlite:///{tmp_path}/x.db"]
    told = ""
    for command in (["ls", ends[0]], ["convert", *ends], ["convert", ends[1], ends[0]]):
        done = subprocess.run(
            [sys.executable, "-m", "runferry", *command], cwd=tmp_path, check=False,
            env=environment_apart() | {k: os.environ[k] for k in VARIABLES if k in os.environ},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if command[1] == ends[0]:
            assert done.returncode == 1, done.stderr
            assert "401" in done.stderr
            assert f"hint: {module.USERNAME}=" in done.stderr
        told += done.stdout + done.stderr
    assert wrong not in told
    assert SECRET not in told


def test_the_file_of_mlflow_signs_in_too_and_the_environment_comes_first(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".mlflow"
    home.mkdir()
    (home / "credentials").write_text(
        f"[mlflow]\nmlflow_tracking_username = {USER}\nmlflow_tracking_password = {SECRET}\n"
    )
    Server.at(guarded).post("/experiments/search", {"max_results": 1})
    signed_in(monkeypatch, password="another")
    with pytest.raises(AuthFailed):
        Server.at(guarded).post("/experiments/search", {"max_results": 1})


# --- TLS ------------------------------------------------------------------------------------------


class _Door(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.heard.append(self.headers.get("authorization"))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[tuple[str, Path, list[str | None]]]:
    """A server whose certificate only its own authority vouches for; what it hears."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    heard: list[str | None] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Door) as server:
        server.heard = heard  # type: ignore[attr-defined]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", tmp_path / "authority.pem", heard
        server.shutdown()
        thread.join()


def asked(url: str) -> None:
    server = Server.at(url)
    try:
        server.get("/runs/get", {"run_id": "x"})
    finally:
        server.close()


def test_a_token_goes_to_a_server_that_the_named_authority_vouches_for(
    sealed: tuple[str, Path, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, authority, heard = sealed
    monkeypatch.setenv(module.TOKEN, "t0ken-of-ours")
    install(Settings(patience=0.1))
    try:
        with pytest.raises(Unreachable) as failure:
            asked(url)
        assert "t0ken" not in str(failure.value)
        assert heard == []
        monkeypatch.setenv(module.AUTHORITY, str(authority))
        asked(url)
    finally:
        install(None)
    assert heard == ["Bearer t0ken-of-ours"]


def test_a_server_that_nobody_vouches_for_is_trusted_when_mlflow_is_told_so(
    sealed: tuple[str, Path, list[str | None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url, authority, heard = sealed
    monkeypatch.setenv(module.INSECURE, "true")
    signed_in(monkeypatch)
    asked(url)
    assert heard[0] is not None
    assert "nobody vouches" in caplog.text
    assert SECRET not in caplog.text + repr(module.credentials())
    monkeypatch.setenv(module.AUTHORITY, str(authority))
    with pytest.raises(BadSetting, match=module.AUTHORITY):
        Server.at(url)
