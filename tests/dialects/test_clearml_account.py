"""Which server and keys are meant: the environment, then `clearml.conf`, as its client says."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry.dialects.clearml.account import account
from runferry.dialects.clearml.conf_file import settings_in
from runferry.errors import AuthFailed, BadSetting

CONF = """
# ClearML SDK configuration file
api {
    # Notice: 'host' is the api server (default port 8008), not the web server.
    api_server: https://api.clear.example
    web_server: "https://app.clear.example/"
    files_server: http://127.0.0.1:8081
    // another comment { with brackets }
    credentials {"access_key" = "ACCESS", "secret_key"  = "se{c}ret,=x"}
    http { retries { total: 240 } }
}
sdk { storage { cache { default_base_dir: "~/.clearml/cache" } } aws.s3.key: ${SOME_KEY} }
"""


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_HOST", "WEB_HOST", "FILES_HOST", "API_ACCESS_KEY", "API_SECRET_KEY"):
        monkeypatch.delenv(f"CLEARML_{name}", raising=False)
        monkeypatch.delenv(f"TRAINS_{name}", raising=False)
    monkeypatch.delenv("CLEARML_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(tmp_path / "clearml.conf"))


def test_the_file_says_what_the_environment_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clearml.conf").write_text(CONF)
    found = account()
    assert found.api_url == "https://api.clear.example"
    assert found.web_url == "https://app.clear.example"
    assert found.files_url == "http://127.0.0.1:8081"
    assert (found.access_key, found.secret_key) == ("ACCESS", "se{c}ret,=x")
    monkeypatch.setenv("CLEARML_API_ACCESS_KEY", "OTHER")
    assert account().access_key == "OTHER"


def test_names_are_dotted_and_variables_are_filled_in() -> None:
    found = settings_in(CONF, {"SOME_KEY": "filled"})
    assert found["sdk.aws.s3.key"] == "filled"
    assert found["api.http.retries.total"] == "240"
    assert settings_in("api.credentials.access_key = A\napi { api_server = B }") == {
        "api.credentials.access_key": "A", "api.api_server": "B",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "{{{", "}}}", 'a = "', "a = [1, {b: 2}", "\0", "= = ="])
def test_no_file_is_too_odd(text: str) -> None:
    settings_in(text)


@pytest.mark.parametrize(
    ("api", "web", "files"),
    [
        ("https://api.clear.ml", "https://app.clear.ml", "https://files.clear.ml"),
        ("http://host:8008", "http://host:8080", "http://host:8081"),
        ("http://[::1]:8008", "http://[::1]:8080", "http://[::1]:8081"),
    ],
)
def test_the_other_addresses_follow_from_that_of_the_api(
    monkeypatch: pytest.MonkeyPatch, api: str, web: str, files: str
) -> None:
    for name, value in (("HOST", api), ("ACCESS_KEY", "A"), ("SECRET_KEY", "S")):
        monkeypatch.setenv(f"CLEARML_API_{name}", value)
    found = account()
    assert (found.web_url, found.files_url) == (web, files)


def test_without_keys_it_says_where_they_come_from() -> None:
    with pytest.raises(AuthFailed) as caught:
        account()
    assert "CLEARML_API_ACCESS_KEY" in caught.value.hint


@pytest.mark.parametrize("address", ["not a url", "http://host:port", "http://[::1", "ftp://host"])
def test_an_address_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("CLEARML_API_HOST", address)
    with pytest.raises(BadSetting):
        account()


def test_keys_are_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARML_API_ACCESS_KEY", "ACCESS")
    monkeypatch.setenv("CLEARML_API_SECRET_KEY", "SECRET")
    assert "ACCESS" not in repr(account())
    assert "SECRET" not in repr(account())
