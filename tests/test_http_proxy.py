"""Requests that go through a proxy, and what is said where it is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.http_server import SETTINGS, no_proxy_of_this_machine, says, serving, to  # noqa: F401

from runferry.errors import BadSetting, Unreachable
from runferry.settings import Settings


@pytest.mark.parametrize("how", ["setting", "HTTP_PROXY"])
def test_requests_go_through_the_proxy(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = SETTINGS
    with serving(says(200)) as proxy:
        if how == "setting":
            chosen = replace(SETTINGS, proxy=proxy.url)
        else:
            monkeypatch.setenv(how, proxy.url)
        with to("http://tracker.invalid", settings=chosen) as client:
            client.request("GET", "/x")
        assert proxy.asked[0][1] == "http://tracker.invalid/x"


@pytest.mark.parametrize("how", ["setting", "HTTP_PROXY", "ALL_PROXY"])
def test_where_nobody_answers_behind_a_proxy_the_hint_names_it(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(says(200)) as gone:
        address = gone.url
    dead = address.replace("//", "//user:secret@")
    chosen = replace(SETTINGS, patience=0.0)
    if how == "setting":
        chosen = replace(chosen, proxy=dead)
    else:
        monkeypatch.setenv(how, dead)
    with to(f"http://of-{how.lower()}.invalid", settings=chosen) as client:
        with pytest.raises(Unreachable, match="no server answers") as caught:
            client.request("GET", "/x")
    named = {"setting": "the setting `proxy`"}.get(how, how)
    assert address.removeprefix("http://") in caught.value.hint
    assert f"({named}): start or correct that proxy" in caught.value.hint
    assert "secret" not in f"{caught.value.what}{caught.value.hint}"


def test_a_proxy_that_is_none_is_a_bad_setting() -> None:
    with pytest.raises(BadSetting, match="proxy"):
        to("http://127.0.0.1", settings=Settings(proxy="gopher://u:pw@proxy"))
