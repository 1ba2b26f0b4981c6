"""The process that reads RocksDB with Aim's own package, and what it says."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import shlex
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from runferry import settings
from runferry.errors import Damaged, MissingExtra, SourceError
from runferry.paths import spelled
from runferry.python_apart import environment_apart
from runferry.readers.aim import pinned
from runferry.readers.aim.environment import OwnEnvironment

_LENGTHS: Final = struct.Struct("<IQ")
_CHILD: Final = Path(__file__).with_name("child.py")
_PATIENCE: Final = 30.0
ELSEWHERE: Final = (
    "python3 -m venv aim-env && aim-env/bin/pip install aim 'boto3>=1.30' && "
    "export RUNFERRY_AIM_PYTHON=$PWD/aim-env/bin/python"
)
"""What makes an environment of its own for Aim, where none is made by itself."""
OWN: Final = OwnEnvironment(
    "Aim",
    pinned.VERSION,
    pinned.PINNED,
    pinned.PYTHONS,
    tried=("-W", "ignore", str(_CHILD)),
    about="{} MB to fetch, {} MB on the disk".format(*pinned.MEGABYTES),
    otherwise=ELSEWHERE,
)
"""The one that is: it is tried by a process that is asked for no run."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the process says: JSON and bytes."""

    told: dict[str, Any]
    payload: bytes


def interpreter() -> tuple[str, dict[str, str]]:
    """The Python that has Aim, and its variables: the one that is named, this, or one of its own.

    Raises MissingExtra.
    """
    current = settings.current()
    if current.aim_python is not None:
        return str(current.aim_python.expanduser()), {**os.environ, "PYTHONPATH": ""}
    here = importlib.util.find_spec("aim")
    if here is not None and here.origin is not None:  # a mere folder of that name has none
        return sys.executable, environment_apart()
    if current.aim_environment == "off":
        raise MissingExtra("aim", "aim", otherwise=ELSEWHERE)
    return str(OWN.python()), {**os.environ, "PYTHONPATH": ""}


class Child:
    """The process, which reads one run after the other: to import Aim takes it a second."""

    def __init__(self) -> None:
        """Raises MissingExtra, SourceError."""
        python, environment = interpreter()
        self.python = python
        self.owner = os.getpid()
        self.is_idle = False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        try:
            self._process = subprocess.Popen(
                [python, "-W", "ignore", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env={**environment, "PYTHONSAFEPATH": ""},  # it imports what lies beside it
                cwd=tempfile.gettempdir(),
            )
        except OSError as error:
            self._said.close()
            what = f"the Python for Aim does not start: {error.strerror}"
            raise SourceError(what, where=python, hint=ELSEWHERE) from error

    @property
    def is_ours(self) -> bool:
        """Whether this process may ask it; it may be a parent's, or dead."""
        return self.owner == os.getpid() and self._process.poll() is None

    def frames(self, meta: Path, seqs: Path, run_hash: str, where: Path) -> Iterator[Frame]:
        """What it says of a run. Raises MissingExtra, Damaged."""
        self.is_idle = False
        asked = self._process.stdin, self._process.stdout
        assert asked[0] is not None
        assert asked[1] is not None
        with suppress(BrokenPipeError):  # it has ended; what it said tells why
            asked[0].write(f"{json.dumps([str(meta), str(seqs), run_hash])}\n".encode())
            asked[0].flush()
        while (frame := _frame(asked[1])) is not None:
            if frame.told["kind"] != "end":
                yield frame
                continue
            self.is_idle = True
            if (error := frame.told.get("error")) is not None:
                raise damaged(error, where)
            return
        raise self._ended(where)

    def _ended(self, where: Path) -> MissingExtra | Damaged:
        """Why there is no more."""
        self._process.wait(_PATIENCE)
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else f"exit code {self._process.returncode}"
        if "ModuleNotFoundError" in last or "ImportError" in last:
            return MissingExtra("aim", "aim", otherwise=ELSEWHERE)
        return damaged(last, where)

    def close(self) -> None:
        """End it."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process.kill()
        self._process.wait(_PATIENCE)
        self._said.close()


def damaged(what: str, where: Path) -> Damaged:
    """What Aim said of the repository `where`."""
    return Damaged(
        f"Aim cannot read it on ({what})",
        where=spelled(str(where)),
        hint=f"aim storage --repo {shlex.quote(spelled(str(where.parent)))} --help",
        offset=None,
    )


_idle: list[Child] = []
_lock = threading.Lock()


@contextmanager
def frames(meta: Path, seqs: Path, run_hash: str, where: Path) -> Iterator[Iterator[Frame]]:
    """What a process says of a run; one that was read to its end is asked again.

    Raises MissingExtra, SourceError.
    """
    child = _taken()
    try:
        yield child.frames(meta, seqs, run_hash, where)
    finally:
        if child.is_idle:
            with _lock:
                _idle.append(child)
        else:
            child.close()


def _taken() -> Child:
    python, _ = interpreter()
    with _lock:
        for child in _idle:
            if child.is_ours and child.python == python:
                _idle.remove(child)
                return child
    return Child()


@atexit.register
def end_all() -> None:
    """End the processes that wait."""
    with _lock:
        while _idle:
            child = _idle.pop()
            if child.is_ours:
                child.close()


def _frame(stream: IO[bytes]) -> Frame | None:
    """The next one; None where there is none, or half of one."""
    head = stream.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        return None
    length, payload_length = _LENGTHS.unpack(head)
    text, payload = stream.read(length), stream.read(payload_length)
    if len(text) < length or len(payload) < payload_length:
        return None
    return Frame(json.loads(text), payload)
