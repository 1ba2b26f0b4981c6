"""A process that updates runs for a worker: its end here, and the one over there.

Both speak in pickles, through the pipes of the child's standard input and output. Its worker sends
a run and hears how far it has come and what it waits for, until the outcome or an error ends it. A
stop is a signal, and the child ends when its input does, or when it finds that its parent is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from runferry.errors import SourceError
from runferry.http.heard import HEARD
from runferry.http.waits import waiting_by
from runferry.model import Run
from runferry.ports import RunReader
from runferry.python_apart import command_apart, environment_apart
from runferry.transfer.progress import Interrupted, Silent, StopToken
from runferry.transfer.puller import Pulled, Puller
from runferry.transfer.selection import Selection

if TYPE_CHECKING:
    from runferry.transfer.progress import Phase

_CODE = (
    "from runferry.thrift import spare_work; spare_work();"
    "from runferry.transfer.pull_process import main; main()"
)
_SECONDS_TO_END = 10.0
_SECONDS_BETWEEN_NEWS = 0.1


@dataclass(frozen=True, slots=True)
class _Setting:
    archive: Path
    reserve: int
    selection: Selection
    reader: type  # imported before the child says that it is ready
    parent: int
    heard: frozenset[str]  # servers that have answered, and so are waited for


@dataclass(frozen=True, slots=True)
class _Task:
    reader: RunReader
    run: Run


@dataclass(frozen=True, slots=True)
class _Advanced:
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    reason: str
    seconds: float


class _Ready: ...


_Answer: TypeAlias = _Ready | _Advanced | _Waiting | Pulled | Exception


class PullProcess:
    """Started at once, and of use when it is ready; until then do without."""

    def __init__(self, puller: Puller, reader: type) -> None:
        self._stop = puller.stop
        self._observer = puller.observer
        self.is_ready = False
        self._is_lost = False
        place, reserve = puller.archive.path.absolute(), puller.archive.reserve
        setting = pickle.dumps(
            _Setting(place, reserve, puller.selection, reader, os.getpid(), frozenset(HEARD))
        )
        self._waiting = threading.Thread(target=self._wait, name="pull-process", daemon=True)
        self._process = subprocess.Popen(
            command_apart(_CODE),
            env=environment_apart(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # a terminal sends Ctrl-C to a whole group; the child hears of it from us
            process_group=0 if os.name == "posix" else None,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        try:
            self._send(setting)
            self._waiting.start()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def is_of_use(self) -> bool:
        """Whether it can take a run."""
        return self.is_ready and not self._is_lost and self._process.poll() is None

    def update(self, reader: RunReader, run: Run) -> Pulled:
        """Raises what `Puller.update` raises there, and SourceError if the process dies."""
        self._send(pickle.dumps(_Task(reader, run)))
        while True:
            match self._hear(run):
                case _Advanced(rows, size_bytes):
                    self._observer.advanced("pull", run, rows, size_bytes)
                case _Waiting(reason, seconds):
                    self._observer.waiting(reason, seconds)
                case Pulled() as pulled:
                    return pulled
                case Interrupted() if not self._stop.is_set:  # somebody else told it to end
                    raise self._lost(run)
                case Exception() as error:
                    raise error

    def stop(self) -> None:
        """Ask it to end at its next safe point."""
        self._process.terminate()

    def close(self) -> None:
        """Let it end; one that does not is made to."""
        if not self.is_ready:  # it has done nothing yet
            self._process.kill()
        with suppress(OSError):
            self._input.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._waiting.join()
        self._output.close()

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _wait(self) -> None:
        with suppress(Exception):  # whatever comes instead: it is not ready, and never of use
            self.is_ready = isinstance(pickle.load(self._output), _Ready)

    def _send(self, message: bytes) -> None:
        with suppress(OSError):  # its end is noticed where it should answer
            self._input.write(message)
            self._input.flush()

    def _hear(self, run: Run) -> _Answer:
        try:
            answer: _Answer = pickle.load(self._output)
        except Exception as error:  # its end, or something that it did not mean to say
            if self._stop.is_set:
                raise Interrupted from None
            raise self._lost(run) from error
        return answer

    def _lost(self, run: Run) -> SourceError:
        self._is_lost = True
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)  # for what it says of itself
        self._process.kill()
        return SourceError(
            f"the process that read it ended before it was done ({self._process.wait()})",
            where=str(run.key),
            hint="try again, with --workers 1",
        )


class _Telling(Silent):
    """Says now and then how far a run has come, and looks whether anybody listens."""

    def __init__(self, answers: IO[bytes], stop: StopToken, parent: int) -> None:
        self._answers = answers
        self._stop = stop
        self._parent = parent
        self._sum = _Advanced(0, 0)
        self._told = 0.0

    def advanced(self, phase: Phase, run: Run, rows: int, size_bytes: int) -> None:
        """Adds to what is told next."""
        self._look_up()
        self._sum = _Advanced(self._sum.rows + rows, self._sum.size_bytes + size_bytes)
        if time.monotonic() - self._told > _SECONDS_BETWEEN_NEWS:
            self.tell()

    def tell(self) -> None:
        """Now."""
        if self._sum != _Advanced(0, 0):
            _tell(self._answers, self._sum)
        self._sum, self._told = _Advanced(0, 0), time.monotonic()

    def pause(self, seconds: float, reason: str) -> None:
        """Wait, and say so. Raises Interrupted after a stop."""
        _tell(self._answers, _Waiting(reason, seconds))
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._look_up()
            if self._stop.is_set:
                raise Interrupted
            time.sleep(min(left, _SECONDS_BETWEEN_NEWS))

    def _look_up(self) -> None:
        if os.name == "posix" and os.getppid() != self._parent:
            self._stop.set()


def main() -> None:
    """The child's: takes runs from its input until that ends."""
    stop = StopToken()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where groups do not keep it from us
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints is no answer
    with suppress(EOFError, OSError, pickle.UnpicklingError):  # the parent's end, wherever it was
        setting: _Setting = pickle.load(sys.stdin.buffer)
        HEARD.update(setting.heard)
        observer = _Telling(answers, stop, setting.parent)
        puller = _puller(setting, observer, stop)
        _tell(answers, _Ready())
        with waiting_by(observer.pause):
            while not stop.is_set:
                task: _Task = pickle.load(sys.stdin.buffer)
                answer = _answer(puller, task)
                observer.tell()
                _tell(answers, answer)
    os._exit(0)  # at once: nothing is held that would have to be let go


def _puller(setting: _Setting, observer: _Telling, stop: StopToken) -> Puller:
    from runferry.archive.store import Archive

    archive = Archive.open(setting.archive, reserve=setting.reserve)
    return Puller(archive, setting.selection, observer, stop)


def _answer(puller: Puller, task: _Task) -> Pulled | Exception:
    try:
        return puller.update(task.reader, task.run)
    except Exception as error:  # noqa: BLE001  raised again on the other side
        return error


def _tell(answers: IO[bytes], answer: _Answer) -> None:
    try:
        spelled = pickle.dumps(answer)
        if isinstance(answer, Exception):
            pickle.loads(spelled)
    except Exception:  # noqa: BLE001
        spelled = pickle.dumps(RuntimeError(f"{type(answer).__name__}: {answer}"))
    answers.write(spelled)
    answers.flush()
