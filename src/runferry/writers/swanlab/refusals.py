"""What `swanlab sync` (0.10.3) says where it does not upload a run, as an error of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from runferry.errors import AuthFailed, Declined
from runferry.writers.vendor_command import Ended

_LOGGED: Final = re.compile(r"^\S+ \S+ \| *ERROR *\| *\S+ - ")
"""What stands before a line of its log: when, and where in its code."""
_NO_TRACE: Final = re.compile(r"( \|)? trace( ID)?: ?unknown( \|)?", re.IGNORECASE)
_ANSWER: Final = re.compile(r"\[HTTP\] (?P<asked>\S+ \S+) -> (?P<status>\d{3})\b")
_NOT_SIGNED_IN: Final = "Please login first"
_NOT_BEGUN: Final = "Failed to initialize the SwanLab client"
"""Of a key that is refused, and of a host that is unknown or does not answer."""
_SIGNING_IN: Final = "/api/login/"
_NOT_ALLOWED: Final = ("401", "403")
_NO_RUN: Final = "Failed to prepare sync experiment"
_OTHER_HOST: Final = "swanlab login --relogin --host URL  # which server, if it is not swanlab.cn"
_NAME_ANOTHER: Final = "name a project that your key may write into: swanlab:WORKSPACE/PROJECT"
_SEE_ALL: Final = "all that it says: runferry --log-file run.log …; run folders: swanlab:./FOLDER"


def refusal(ended: Ended, trouble: Sequence[str], where: str) -> AuthFailed | Declined:
    """Why it did not: the last cause, in one line."""
    lines = [_plain(line) for line in trouble]
    cause = _plain(ended.raised) or (lines[-1] if lines else ended.words)
    answers = [found for line in lines if (found := _ANSWER.search(line)) is not None]
    last = answers[-1] if answers else None
    if _NOT_SIGNED_IN in cause:
        return AuthFailed("SwanLab's client is not signed in", where=where, hint="swanlab login")
    if last is not None and last["status"] in _NOT_ALLOWED and _SIGNING_IN in last["asked"]:
        told = f"SwanLab does not accept the key ({last['asked']}: {last['status']})"
        return AuthFailed(told, where=where, hint="swanlab login --relogin")
    if _NOT_BEGUN in cause and last is None:
        told = "SwanLab's client could not sign in: no server answered it"
        return AuthFailed(told, where=where, hint=_OTHER_HOST)
    if last is not None and last["asked"] not in cause:
        cause = f"{cause} ({last['asked']}: {last['status']})"
    return Declined(
        f"swanlab sync did not upload the run: {cause}",
        where=where,
        hint=_NAME_ANOTHER if _NO_RUN in cause else _SEE_ALL,
        status=0 if last is None else int(last["status"]),
    )


def _plain(line: str) -> str:
    return " ".join(_NO_TRACE.sub(" ", _LOGGED.sub("", line)).split())
