"""The processes that do with Aim's own package what this Python may not have it for."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from runferry import settings
from runferry.dialects.aim import pinned
from runferry.dialects.aim.environment import OwnEnvironment
from runferry.errors import MissingExtra, RunferryError, SourceError
from runferry.python_apart import environment_apart

_LENGTHS: Final = struct.Struct("<IQ")
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
    tried=("-W", "ignore", "-c", "import aim, alembic, numpy, aim.storage.rockscontainer"),
    about="{} MB to fetch, {} MB on the disk".format(*pinned.MEGABYTES),
    otherwise=ELSEWHERE,
)
"""The one that is."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is said to a process, or by one: JSON and bytes."""

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
    """A process that does one thing after the other: to import Aim takes it a second."""

    def __init__(self, script: Path) -> None:
        """Raises MissingExtra, SourceError."""
        python, environment = interpreter()
        self.does = (python, script)
        self.owner = os.getpid()
        self.is_idle = False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        try:
            self._process = subprocess.Popen(
                [python, "-W", "ignore", str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env={**environment, "PYTHONSAFEPATH": ""},  # it imports what lies beside it
                cwd=tempfile.gettempdir(),
                # a Ctrl-C is for us: we end a run that is under way, and this process with us
                process_group=0 if os.name == "posix" else None,
            )
        except OSError as error:
            self._said.close()
            what = f"the Python for Aim does not start: {error.strerror}"
            raise SourceError(what, where=python, hint=ELSEWHERE) from error

    @property
    def is_ours(self) -> bool:
        """Whether this process may ask it; it may be a parent's, or dead."""
        return self.owner == os.getpid() and self._process.poll() is None

    def put(self, *pieces: bytes) -> None:
        """Say something to it; where it has ended, `frames` tells why."""
        self.is_idle = False
        into = self._process.stdin
        assert into is not None
        with suppress(BrokenPipeError):
            for piece in pieces:
                into.write(piece)

    def put_frame(self, told: dict[str, Any], payload: bytes = b"") -> None:
        """Say a frame to it."""
        text = json.dumps(told).encode("utf-8", "surrogatepass")
        self.put(_LENGTHS.pack(len(text), len(payload)) + text, payload)

    def frames(self, failed: Callable[[str], RunferryError]) -> Iterator[Frame]:
        """What it says until it is done. Raises MissingExtra, and what `failed` makes of words."""
        into, said = self._process.stdin, self._process.stdout
        assert into is not None
        assert said is not None
        with suppress(BrokenPipeError):
            into.flush()
        while (frame := _frame(said)) is not None:
            if frame.told["kind"] != "end":
                yield frame
                continue
            self.is_idle = True
            if (error := frame.told.get("error")) is not None:
                raise failed(error)
            return
        raise self._ended(failed)

    def _ended(self, failed: Callable[[str], RunferryError]) -> RunferryError:
        """Why there is no more."""
        self._process.wait(_PATIENCE)
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else f"exit code {self._process.returncode}"
        if "ModuleNotFoundError" in last or "ImportError" in last:
            return MissingExtra("aim", "aim", otherwise=ELSEWHERE)
        return failed(last)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process.wait(_PATIENCE)
        self._said.close()


_idle: list[Child] = []
_lock = threading.Lock()


@contextmanager
def child(script: Path) -> Iterator[Child]:
    """A process that runs this script; one that did all it was asked for is asked again.

    Raises MissingExtra, SourceError.
    """
    taken = _taken(script)
    try:
        yield taken
    finally:
        if taken.is_idle:
            with _lock:
                _idle.append(taken)
        else:
            taken.close()


def _taken(script: Path) -> Child:
    does = (interpreter()[0], script)
    with _lock:
        for one in _idle:
            if one.is_ours and one.does == does:
                _idle.remove(one)
                return one
    return Child(script)


@atexit.register
def end_all() -> None:
    """End the processes that wait."""
    with _lock:
        while _idle:
            one = _idle.pop()
            if one.is_ours:
                one.close()


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
