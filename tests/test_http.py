"""The client against a real server on the loopback that misbehaves on purpose."""

from __future__ import annotations

import io
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from tests.http_server import (
    SETTINGS,
    Answer,
    Clock,
    cut_short,
    hang_up,
    nobody,
    says,
    serving,
    stall,
    to,
)
from tests.http_server import no_proxy_of_this_machine as no_proxy_of_this_machine  # noqa: PLC0414  a fixture

from runferry.errors import AuthFailed, BadLocation, BadSetting, Declined, Throttled, Unreachable
from runferry.settings import Settings


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(status: int) -> None:
    with serving(says(status), says(status), says(200, b'{"a":1}')) as server, to(server) as client:
        assert client.json("GET", "/x") == {"a": 1}
        assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422, 501])
def test_an_answer_is_never_asked_for_twice(status: int) -> None:
    with serving(says(status)) as server, to(server) as client:
        with pytest.raises((AuthFailed, Declined)) as raised:
            client.request("GET", "/x", idempotent=True)
        assert isinstance(raised.value, AuthFailed) == (status in (401, 403))
        if isinstance(raised.value, Declined):
            assert raised.value.status == status
        assert len(server.asked) == 1


def test_an_expected_status_is_an_answer() -> None:
    with serving(says(404, b'{"error_code":"NO"}')) as server, to(server) as client:
        assert client.request("GET", "/x", expect={404}).json() == {"error_code": "NO"}


def test_the_server_says_when_to_come_back_in_seconds() -> None:
    clock = Clock()
    with serving(says(429, Retry_After="7"), says(200)) as server, to(server, clock) as client:
        client.request("POST", "/x")
    assert clock.pauses == [7.0]


def test_the_server_says_when_to_come_back_as_a_date() -> None:
    clock = Clock()
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    with serving(says(503, Retry_After=later), says(200)) as server, to(server, clock) as client:
        client.request("GET", "/x")
    assert 15 < clock.pauses[0] <= 20


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("moment", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_who_is_told_to_come_back_at_once_makes_no_storm_of_it(status: int, moment: str) -> None:
    clock = Clock()
    answers = [says(status, Retry_After=moment)] * 8
    patient = Settings(patience=600)
    with serving(*answers, says(200)) as server, to(server, clock, settings=patient) as client:
        client.request("GET", "/x")
    assert len(clock.pauses) == 8
    assert min(clock.pauses) > 0
    assert sum(clock.pauses) > 5


def test_patience_ends_and_says_how_long_the_server_wanted() -> None:
    clock = Clock()
    with serving(says(429, Retry_After="3600")) as server, to(server, clock) as client:
        with pytest.raises(Throttled) as raised:
            client.request("GET", "/x")
    assert raised.value.after == 3600
    assert clock.pauses == []


def test_pauses_grow_within_a_cap_and_differ() -> None:
    clock = Clock()
    patient = Settings(patience=600)
    with serving(says(500)) as server, to(server, clock, settings=patient) as client:
        with pytest.raises(Unreachable):
            client.request("GET", "/x")
    assert 500 < sum(clock.pauses) <= 600
    assert max(clock.pauses) <= 30
    assert clock.pauses[0] <= 0.5
    assert len(set(clock.pauses)) == len(clock.pauses)


@pytest.mark.parametrize("fault", [hang_up, cut_short, stall])
def test_a_broken_connection_is_tried_again_only_where_that_is_harmless(fault: Answer) -> None:
    settings = replace(SETTINGS, timeout=1.0) if fault is stall else SETTINGS
    with serving(fault, says(200, b'{"a":1}')) as server, to(server, settings=settings) as client:
        assert client.json("POST", "/x", idempotent=True) == {"a": 1}
        assert len(server.asked) == 2
    with serving(fault, says(200)) as server, to(server, settings=settings) as client:
        with pytest.raises(Unreachable):
            client.request("POST", "/x", idempotent=False)
        assert len(server.asked) == 1


def test_a_server_error_is_not_repeated_where_the_first_may_have_worked() -> None:
    with serving(says(500), says(200)) as server, to(server) as client:
        with pytest.raises(Unreachable, match="500"):
            client.request("POST", "/x")
        assert len(server.asked) == 1


def test_what_surely_did_not_arrive_is_always_sent_again() -> None:
    clock = Clock()
    with nobody() as url, to(url, clock) as client:
        with pytest.raises(Unreachable, match="the connection failed"):
            client.request("POST", "/x", idempotent=False)
    assert len(clock.pauses) > 3


def test_where_nobody_ever_answered_patience_is_short_and_the_error_says_so() -> None:
    clock = Clock()
    patient = Settings(patience=600)
    with nobody() as url, to(url, clock, settings=patient) as client:
        with pytest.raises(Unreachable, match=r"^no server answers: the connection fail") as caught:
            client.request("GET", "/x")
    assert not caught.value.has_answered
    assert "start the server" in caught.value.hint
    assert 10 < clock.now <= 30


def test_a_server_that_answered_and_went_is_waited_for() -> None:
    """By another client of the same process too, as each worker has one."""
    clock = Clock()
    patient = Settings(patience=600)
    with serving(says(200)) as server, to(server) as client:
        client.request("GET", "/x")
    with to(server, clock, settings=patient) as client:
        with pytest.raises(Unreachable, match=r"^the connection failed") as caught:
            client.request("GET", "/x")
    assert caught.value.has_answered
    assert clock.now > 500


def test_a_silent_server_ends_in_a_clear_error() -> None:
    with serving(stall) as server, to(server, settings=Settings(timeout=0.2, patience=1)) as client:
        with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
            client.request("GET", "/x")


def test_a_download_that_was_cut_is_whole_in_the_end() -> None:
    body = bytes(range(256)) * 10_000
    with serving(cut_short, hang_up, says(200, body)) as server, to(server) as client:
        into = io.BytesIO(b"head")
        into.seek(4)
        assert client.download("/x", into) == len(body)
        assert into.getvalue() == b"head" + body
        with client.opened("/x") as stream:
            assert stream.read() == body


def test_an_upload_is_opened_anew_for_each_attempt() -> None:
    body = bytes(range(256)) * 10_000
    opened: list[io.BytesIO] = []

    def source() -> io.BytesIO:
        opened.append(io.BytesIO(body))
        return opened[-1]

    with serving(says(503), says(200)) as server, to(server) as client:
        client.upload("/x", source, size=len(body))
        client.upload("/y", source)
        assert [sent for _, _, sent in server.asked] == [body, body, body]
        assert all(stream.closed for stream in opened)
        assert len(opened) == 3


def test_messages_carry_the_servers_reason_and_no_secret() -> None:
    answer = b'{"error_code":"BAD_KEY","message":"key s3cret-token of https://u:pw@h/ is bad"}'
    with serving(says(401, answer)) as server:
        url = server.url.replace("//", "//user:hunter2@")
        with to(url, auth="s3cret-token") as client, pytest.raises(AuthFailed) as raised:
            client.request("GET", "/x?token=abc", params={"key": "k"})
    text = str(raised.value)
    assert "is bad" in text
    for secret in ("s3cret-token", "hunter2", "pw@", "abc"):
        assert secret not in text


def test_a_page_of_html_is_not_printed_and_never_taken_for_data() -> None:
    page = says(200, b"<html>login</html>", Content_Type="text/html")
    with serving(page) as server, to(server) as client:
        with pytest.raises(Unreachable, match="no JSON but a web page"):
            client.json("GET", "/x")
    page = says(400, b"<html>" + b"x" * 5000, Content_Type="text/html")
    with serving(page) as server, to(server) as client:
        with pytest.raises(Declined) as raised:
            client.json("GET", "/x")
    assert len(str(raised.value)) < 200


def test_a_redirected_post_is_refused_with_the_new_address() -> None:
    with serving(says(301, Location="https://elsewhere/x")) as server, to(server) as client:
        with pytest.raises(Declined) as raised:
            client.request("POST", "/x", idempotent=True)
    assert "https://elsewhere/x" in raised.value.hint


def test_a_redirect_elsewhere_does_not_carry_the_key_along() -> None:
    with serving(says(200)) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        with serving(says(302, Location=f"{elsewhere}/y")) as server:
            with to(server, auth="s3cret") as client:
                client.request("GET", "/x")
            assert server.headers[0]["Authorization"] == "Bearer s3cret"
        assert "Authorization" not in other.headers[0]


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem", context


def test_a_stranger_with_a_certificate_of_his_own_is_not_trusted(
    authority: tuple[Path, ssl.SSLContext],
) -> None:
    clock = Clock()
    with serving(says(200), tls=authority[1]) as server, to(server, clock) as client:
        with pytest.raises(Unreachable, match="not trusted") as raised:
            client.request("GET", "/x")
    assert "RUNFERRY_CA_BUNDLE" in raised.value.hint
    assert clock.pauses == []


def test_a_redirect_to_a_stranger_is_not_trusted_either(
    authority: tuple[Path, ssl.SSLContext],
) -> None:
    with serving(says(200), tls=authority[1]) as stranger:
        with serving(says(302, Location=f"{stranger.url}/y")) as server, to(server) as client:
            with pytest.raises(Unreachable, match="not trusted"):
                client.request("GET", "/x")


def test_authorities_are_not_read_for_a_server_without_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "create_default_context", None)
    with serving(says(200)) as server, to(server) as client:
        assert client.request("GET", "/x").status_code == 200


@pytest.mark.parametrize("how", ["setting", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_private_authority_is_trusted_when_it_is_named(
    how: str, authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, context = authority
    chosen = SETTINGS
    if how == "setting":
        chosen = replace(SETTINGS, ca_bundle=bundle)
    else:
        monkeypatch.setenv(how, str(bundle))
    with serving(says(200), tls=context) as server, to(server, settings=chosen) as client:
        assert client.request("GET", "/x").status_code == 200


def test_a_bundle_that_is_none_is_a_bad_setting(tmp_path: Path) -> None:
    for bundle in (tmp_path / "absent.pem", Path(__file__)):
        for scheme in ("http", "https"):
            with pytest.raises(BadSetting, match="CA bundle"):
                to(f"{scheme}://127.0.0.1", settings=Settings(ca_bundle=bundle))


@pytest.mark.parametrize("url", ["tracker", "ftp://tracker", "http://[::1"])
def test_an_address_that_is_none_is_a_bad_location(url: str) -> None:
    with pytest.raises(BadLocation), to(url) as client:
        client.request("GET", "/x")


def test_a_key_that_no_header_can_hold_is_not_shown() -> None:
    with pytest.raises(AuthFailed) as raised:
        to("http://127.0.0.1", auth="abc\ndef")
    assert "abc" not in str(raised.value)
    with serving(says(200)) as server, to(server, auth="pasted-with-a-line-end\n") as client:
        assert client.request("GET", "/x").status_code == 200
