"""How an environment is made empty and filled: the commands, and what they say."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.http import waits

_log = logging.getLogger(__name__)
SECONDS_BETWEEN_LOOKS: Final = 0.2
_INSTALL: Final = ("install", "--no-deps", "--only-binary", ":all:")
_QUIETLY: Final = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
_NOT_FOR_IT: Final = frozenset({"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "VIRTUAL_ENV"})
"""Variables that would put packages elsewhere."""
_LINES_TOLD: Final = 2


def python_of(home: Path) -> Path:
    """The Python of an environment."""
    return home / "bin" / "python"


def ways(new: Path, versions: Sequence[tuple[int, int]]) -> Iterator[tuple[list[str], list[str]]]:
    """What makes an empty environment, and what then installs into it; the best first."""
    python, has_pip = str(python_of(new)), importlib.util.find_spec("pip") is not None
    pip = [sys.executable, "-I", "-m", "pip", "--python", python]
    if not has_pip:  # it brings its own, where its Python has one for it
        pip = [python, "-I", "-m", "pip"]
    for found in _pythons(versions):
        make = [found, "-I", "-m", "venv", "--clear", *["--without-pip"][: int(has_pip)], str(new)]
        yield make, [*pip, *_INSTALL, *_QUIETLY]
    uv = shutil.which("uv")
    if uv is not None:
        wanted = ".".join(map(str, versions[0]))
        make = [uv, "venv", "--clear", "--no-project", "--python", wanted, str(new)]
        yield make, [uv, "pip", *_INSTALL, "--python", python]


def _pythons(versions: Sequence[tuple[int, int]]) -> Iterator[str]:
    """This one, if it is of these versions, and those on the PATH."""
    if sys.version_info[:2] in versions and sys.executable:
        yield sys.executable
    for major, minor in versions:
        found = shutil.which(f"python{major}.{minor}")
        if found is not None:
            yield found


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has come to its end."""

    code: int
    words: str
    """Its last lines."""


def run(command: Sequence[str], lock: int) -> Ended:
    """Return when it has ended; what it says goes to the log.

    It holds the lock too: if this process is killed, the next one waits until it has ended.
    """
    environment = {name: it for name, it in os.environ.items() if name not in _NOT_FOR_IT}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
            env={**environment, "PYTHONPATH": ""}, cwd=tempfile.gettempdir(),
            pass_fds=(lock,), start_new_session=True,
        )  # fmt: skip
        lines = _Lines(said.fileno())
        try:
            while process.poll() is None:
                waits.wait(SECONDS_BETWEEN_LOOKS, "")
                lines.tell()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        lines.tell(is_all=True)
    return Ended(process.returncode, "; ".join(lines.last) or f"exit code {process.returncode}")


class _Lines:
    """What a command has said so far."""

    def __init__(self, said: int) -> None:
        self.last: deque[str] = deque(maxlen=_LINES_TOLD)
        self._said = said
        self._at = 0

    def tell(self, *, is_all: bool = False) -> None:
        """Put its new lines into the log; the last one may be half a line unless that is all."""
        new = os.pread(self._said, 1 << 20, self._at)
        new = new if is_all else new[: new.rfind(b"\n") + 1]
        self._at += len(new)
        for line in new.decode("utf-8", "replace").splitlines():
            if line.strip():
                self.last.append(line.strip())
                _log.info("%s", line.strip())
