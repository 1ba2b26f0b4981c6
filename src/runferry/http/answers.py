"""What a server's answer says: a code, a message, and when to come back."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from runferry.redact import without_credentials

_MESSAGE_LENGTH = 300
_MESSAGES = ("message", "detail", "error", "title", "result_msg")


def media_type(answer: httpx.Response) -> str:
    """The type that the answer claims, without parameters."""
    return str(answer.headers.get("content-type", "nothing")).partition(";")[0].strip()


def described(answer: httpx.Response) -> str:
    """What an answer is that should have been JSON, in words."""
    if media_type(answer) == "text/html" or answer.content.lstrip()[:1] == b"<":
        return "a web page"
    stated = media_type(answer)
    return "something without a stated type" if stated == "nothing" else stated


def reason(answer: httpx.Response) -> tuple[str, str]:
    """The server's own code and message; a page of HTML says nothing that helps."""
    if media_type(answer) == "text/html":
        return "", answer.reason_phrase
    try:
        body = answer.json()
    except ValueError:
        return "", answer.text or answer.reason_phrase
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if not isinstance(body, dict):
        return "", answer.text
    if isinstance(body.get("meta"), dict) and "result_msg" in body["meta"]:
        body = body["meta"]  # ClearML's
    code = next((body[k] for k in ("error_code", "code", "error") if body.get(k)), "")
    message = next((body[k] for k in _MESSAGES if body.get(k)), "")
    return str(code), str(message or code or answer.reason_phrase)


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds, from a number or a date; None when the server did not say (RFC 9110, 10.2.3)."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    with suppress(ValueError):
        moment = parsedate_to_datetime(said)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - datetime.now(UTC)).total_seconds())
    return None


def one_line(text: str, secrets: tuple[str, ...]) -> str:
    """Somebody else's words, short, on one line, and without our credentials."""
    for secret in secrets:
        text = text.replace(secret, "…")
    line = " ".join(without_credentials(text).split())
    return line if len(line) <= _MESSAGE_LENGTH else f"{line[:_MESSAGE_LENGTH]}…"
