"""Keeps credentials out of messages, logs and archives."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_SECRET_QUERY = re.compile(
    r"(?i)([?&](?:[^=&#\s]*(?:token|key|secret|signature|password|credential)[^=&#\s]*)=)[^&#\s]+"
)


def without_credentials(text: str) -> str:
    """The text with the user part of URLs and secret-looking query values taken out."""
    return _SECRET_QUERY.sub(r"\1…", _USER_INFO.sub("", text))
