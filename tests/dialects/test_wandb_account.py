"""Which server and which key, as W&B's own tools look for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runferry.dialects.wandb.account import account
from runferry.dialects.wandb.addresses import Address, app_of, base_of, is_path, parsed, run_url
from runferry.errors import AuthFailed, BadLocation, BadSetting

KEY = "a" * 40


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("WANDB_") or name == "NETRC":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".netrc").write_text("machine wandb.here\n login user\n password other\n")
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.here/")
    monkeypatch.setenv("WANDB_API_KEY", f" {KEY}\n")
    found = account()
    assert (found.base_url, found.auth) == ("https://wandb.here", ("api", KEY))
    assert KEY not in repr(found)


@pytest.mark.parametrize("machine", ["api.wandb.ai", "api.forge.coreweave.com"])
def test_netrc_has_a_key_for_each_server(home: Path, machine: str) -> None:
    (home / ".netrc").write_text(f"machine {machine}\n login user\n password {KEY}\n")
    assert (account().base_url, account().key) == ("https://api.wandb.ai", KEY)


def test_netrc_of_a_port_is_that_servers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "other").write_text(f"machine localhost:8080\n login user\n password {KEY}\n")
    monkeypatch.setenv("NETRC", str(home / "other"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://localhost:8080")
    assert account().key == KEY
    monkeypatch.setenv("WANDB_BASE_URL", "http://localhost:8081")
    with pytest.raises(AuthFailed):
        account()


def test_settings_files_name_server_entity_and_key(home: Path) -> None:
    (home / ".config" / "wandb").mkdir(parents=True)
    (home / "wandb").mkdir()
    (home / ".config" / "wandb" / "settings").write_text(
        f"[default]\nbase_url = https://one.here\nentity = hers\napi_key = {KEY}\n"
    )
    assert account().base_url == "https://one.here"
    (home / "wandb" / "settings").write_text("[default]\nentity = %(odd)s\n")
    assert (account().entity, account().key) == ("%(odd)s", KEY)


def test_a_key_of_the_settings_is_for_their_server_only(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "wandb").mkdir()
    (home / "wandb" / "settings").write_text(
        f"[default]\nbase_url = https://one.here\napi_key = {KEY}\n"
    )
    monkeypatch.setenv("WANDB_BASE_URL", "https://two.here")
    with pytest.raises(AuthFailed):
        account()


def test_a_netrc_that_is_none_is_passed_over_and_not_quoted(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / ".netrc").write_text(f"machine api.wandb.ai pass {KEY}\n")
    with pytest.raises(AuthFailed):
        account()
    assert "netrc" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["with space", "ünï", "a\nb"])
def test_a_key_with_a_strange_character_is_refused_without_it(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", key)
    with pytest.raises(AuthFailed) as caught:
        account()
    assert key not in str(caught.value)


def test_an_identity_token_is_not_exchanged_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_IDENTITY_TOKEN_FILE", "/some/token")
    with pytest.raises(AuthFailed) as caught:
        account()
    assert "WANDB_API_KEY" in caught.value.hint


def test_a_base_url_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "wandb.here")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with pytest.raises(BadSetting):
        account()


def test_the_key_of_the_environment_goes_to_no_other_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is for the base URL; a location with another server's URL has the key of netrc."""
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    for app in ("https://wandb.here", "http://wandb.here:8080"):
        with pytest.raises(AuthFailed) as caught:
            account(Address(app=app))
        assert f"wandb login --host={app}" in caught.value.hint
        assert f"WANDB_BASE_URL={app}" in caught.value.hint
    (home / ".netrc").write_text(f"machine wandb.here\n login user\n password {'b' * 40}\n")
    other = account(Address(app="https://wandb.here"))
    assert (other.base_url, other.key) == ("https://wandb.here", "b" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.here")
    assert account(Address(app="https://wandb.here")).key == KEY
    with pytest.raises(AuthFailed):
        account(Address(app="https://wandb.ai"))


def test_a_url_of_the_base_urls_app_is_the_same_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert account(Address(app="https://wandb.ai")).base_url == "https://api.wandb.ai"
    assert account(Address(app="https://app.forge.coreweave.com")).key == KEY
    monkeypatch.setenv("WANDB_BASE_URL", "https://api.mine.here")
    found = account(Address(app="https://app.mine.here"))
    assert (found.base_url, found.key) == ("https://api.mine.here", KEY)


def test_the_apps_address_is_the_vendors(monkeypatch: pytest.MonkeyPatch) -> None:
    util = pytest.importorskip("wandb.util")
    for base in (
        "https://api.wandb.ai",
        "https://api.mine.wandb.io",
        "https://api.mine.here",
        "http://localhost:8080",
    ):
        if "coreweave" not in util.api_to_app_url(base):  # its newest name of wandb.ai
            assert app_of(base) == util.api_to_app_url(base)
        assert base_of(app_of(base)) == base or "wandb.io" in base


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Address()),
        ("e", Address("e")),
        ("e/p", Address("e", "p")),
        ("e/p/r", Address("e", "p", "r")),
        ("/e/p/".strip("/"), Address("e", "p")),
        ("e/p/runs/r", Address("e", "p", "r")),
        ("https://wandb.ai/e/p", Address("e", "p", None, "https://wandb.ai")),
        ("https://wandb.ai/e/projects", Address("e", None, None, "https://wandb.ai")),
        ("https://wandb.ai/e/p/workspace?nw=1", Address("e", "p", None, "https://wandb.ai")),
        ("https://wandb.ai/e/p/runs/r/files/x", Address("e", "p", "r", "https://wandb.ai")),
        ("http://h:8080/e/my%20p", Address("e", "my p", None, "http://h:8080")),
    ],
)
def test_addresses_mean_what_a_browser_shows(text: str, expected: Address) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize("text", ["a/b/c/d", "ftp://h/e", "https:///e"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadLocation):
        parsed(text)


def test_paths_are_told_from_addresses(home: Path) -> None:
    (home / "team").mkdir()
    assert all(map(is_path, ("./x", "../x", "/x", "~/x", ".", "team", "C:\\runs")))
    assert not any(map(is_path, ("", "entity", "entity/project", "https://wandb.ai/e")))


def test_names_are_quoted_in_urls() -> None:
    found = run_url("https://api.wandb.ai", "e", "my p", "a/b")
    assert found == "https://wandb.ai/e/my%20p/runs/a%2Fb"
