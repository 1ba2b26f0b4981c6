"""Keeps credentials out of messages, logs and archives."""

from __future__ import annotations

import re

_URL = r"([A-Za-z][A-Za-z0-9+.-]*)://"
_URL_IN_PROSE = re.compile(rf"{_URL}(\S+)")
_URL_ALONE = re.compile(rf"{_URL}(.+)", re.DOTALL)

_QUERY = re.compile(r"[?;][^\s@?;=&/]*=")
_PLAIN_HOST = re.compile(r"([^:@\s]*|\[[0-9A-Fa-f:.]+\])(:\d*)?")

_PATHS = frozenset({"sqlite", "duckdb"})
"""Behind `:///` stands a path, in which `@` is a letter like others."""
_BUCKETS = frozenset(
    {"abfs", "abfss", "dbfs", "file", "gs", "hdfs", "s3", "s3a", "s3n", "wasb", "wasbs"}
)
"""A bucket or container, and a path: somebody's keys stand there only with a colon between them."""

_TELLTALE = (
    r"(?:[^?&;=#\s/]*(?:token|key|secret|signature|passw|passphrase|pwd|credential|auth(?!or)"
    r"|odbc_connect|cookie|bearer)[^?&;=#\s/]*"
    r"|(?:[^?&;=#\s/]*[^a-z?&;=#\s/])?(?:sig|sas|pw|pass|pat|jwt|otp)(?:[^a-z?&;=#\s/][^?&;=#\s/]*)?)"
)
_BEFORE_NAME = (
    r"(?:[?&;]|(?:^|(?<=[\s'\"]))(?=pwd|passw))"  # `host=h password=p`, as libpq takes it
)
_SECRET_IN_PROSE = re.compile(rf"(?i)({_BEFORE_NAME}{_TELLTALE}\s*=)[^&\s]+")
_SECRET_ALONE = re.compile(rf"(?i)({_BEFORE_NAME}{_TELLTALE}\s*=)[^&]+")
_NESTED = re.compile(r"([?&;][^?&;=\s]*=)([^&\s]*(?:%|://)[^&\s]*)")
_HEADER = re.compile(
    r"(?i)(\bauthorization\b[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+)[^\s\"']+"
)

_GONE = r"\1…"


def without_credentials(text: str, *, is_location: bool = False) -> str:
    """The text without the user part of URLs and without the values of secret-looking parameters.

    The user part is all that stands before the last `@` of the address: passwords that nobody
    escaped hold `/`, `@`, `#` and `?`. In prose a URL ends at the first white space; of a text
    that `is_location` all of it belongs to the URL. What is no URL, a path with `@` and `=` in it,
    stays as it is.
    """
    url = _URL_ALONE if is_location else _URL_IN_PROSE
    secret = _SECRET_ALONE if is_location else _SECRET_IN_PROSE
    text = url.sub(_without_user, text)
    text = _HEADER.sub(_GONE, secret.sub(_GONE, text))
    return _NESTED.sub(_without_nested, text)


def _without_user(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    first = re.split(r"[/?#;]", rest, maxsplit=1)[0]
    kind = scheme.lower().partition("+")[0]
    is_path = kind in _PATHS and rest.startswith("/")
    if is_path or (kind in _BUCKETS and ":" not in first):
        return found[0]
    query = _QUERY.search(rest)
    address = rest[: query.start()] if query else rest
    if "@" in address:
        host = rest[address.rindex("@") + 1 :]
    elif _PLAIN_HOST.fullmatch(first):
        host = rest
    else:  # `user:pass?word=…@host`: the query was the password's
        host = rest[rest.rfind("@") + 1 :]
    return f"{scheme}://{host}"


def _without_nested(found: re.Match[str]) -> str:
    """A value that is itself a URL or a connection string, escaped or not."""
    from urllib.parse import unquote_plus

    value = unquote_plus(found[2])
    if value == found[2] and "://" not in value:
        return found[0]
    is_clean = without_credentials(f";{value}", is_location=True) == f";{value}"
    return found[0] if is_clean else f"{found[1]}…"
