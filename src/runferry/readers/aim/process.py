"""The process that reads RocksDB with Aim's own package, and what it says."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from runferry import settings
from runferry.errors import Damaged, MissingExtra, SourceError
from runferry.python_apart import environment_apart

_LENGTHS: Final = struct.Struct("<IQ")
_CHILD: Final = Path(__file__).with_name("child.py")
_PATIENCE: Final = 30.0
ELSEWHERE: Final = (
    "python3 -m venv aim-env && aim-env/bin/pip install aim 'boto3>=1.30' && "
    "export RUNFERRY_AIM_PYTHON=$PWD/aim-env/bin/python"
)
"""What makes an environment of its own for Aim, where it cannot share this one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the process says: JSON and bytes."""

    told: dict[str, Any]
    payload: bytes


def interpreter() -> tuple[str, dict[str, str]]:
    """The Python that has Aim, and its variables. Raises MissingExtra."""
    stated = settings.current().aim_python
    if stated is not None:
        return str(stated.expanduser()), {**os.environ, "PYTHONPATH": ""}
    if importlib.util.find_spec("aim") is None:
        raise MissingExtra("aim", "aim", otherwise=ELSEWHERE)
    return sys.executable, environment_apart()


@contextmanager
def frames(meta: Path, seqs: Path, run_hash: str, where: Path) -> Iterator[Iterator[Frame]]:
    """Starts the process, and ends it however far it was read. Raises MissingExtra, SourceError."""
    python, environment = interpreter()
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [python, "-W", "ignore", str(_CHILD), str(meta), str(seqs), run_hash],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment,
                cwd=meta.parent,
            )
        except OSError as error:
            what = f"the Python for Aim does not start: {error.strerror}"
            raise SourceError(what, where=python, hint=ELSEWHERE) from error
        assert process.stdout is not None
        try:
            yield _frames(process.stdout, process, said, where)
        finally:
            process.stdout.close()
            process.kill()
            process.wait(_PATIENCE)


def _frames(
    stream: IO[bytes], process: subprocess.Popen[bytes], said: IO[bytes], where: Path
) -> Generator[Frame, None, None]:
    while head := stream.read(_LENGTHS.size):
        frame = _frame(stream, head)
        if frame is None:
            break
        if frame.told.get("kind") == "end":
            return
        yield frame
    process.wait(_PATIENCE)
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    last = lines[-1] if lines else f"exit code {process.returncode}"
    if "ModuleNotFoundError" in last or "ImportError" in last:
        raise MissingExtra("aim", "aim", otherwise=ELSEWHERE)
    raise Damaged(
        f"Aim cannot read it on ({last})",
        where=str(where),
        hint=f"aim storage --repo '{where.parent}' --help",
        offset=None,
    )


def _frame(stream: IO[bytes], head: bytes) -> Frame | None:
    """None where it is cut off."""
    if len(head) < _LENGTHS.size:
        return None
    length, payload_length = _LENGTHS.unpack(head)
    text, payload = stream.read(length), stream.read(payload_length)
    if len(text) < length or len(payload) < payload_length:
        return None
    return Frame(json.loads(text), payload)
