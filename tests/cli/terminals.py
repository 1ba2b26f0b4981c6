"""A command on a pseudo-terminal, with somebody who answers its questions."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cli.calling import command, environment

WAIT_SECONDS = 60


class Terminal:
    """80 columns; what is typed is not echoed, so all that is seen was said by the command."""

    def __init__(self, command: Sequence[str], cwd: Path, environ: dict[str, str]) -> None:
        import pty  # of POSIX, as is the next
        import termios

        self._leader, follower = pty.openpty()
        modes = termios.tcgetattr(follower)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(follower, termios.TCSANOW, modes)
        self._process = subprocess.Popen(
            command, stdin=follower, stdout=follower, stderr=follower, cwd=cwd,
            env={**environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"},
        )  # fmt: skip
        os.close(follower)
        self._shown = b""
        self._answered = 0  # so much of it, before the last answer

    @property
    def shown(self) -> str:
        return self._shown.decode().replace("\r\n", "\n")

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, and type a line."""
        deadline = time.monotonic() + WAIT_SECONDS
        while question.encode() not in self._shown[self._answered :]:
            assert self._read(deadline), f"never asked {question!r}:\n{self.shown}"
        self._answered = len(self._shown)
        os.write(self._leader, f"{text}\n".encode())

    def type(self, keys: str) -> None:
        """Press keys, whatever it is doing."""
        os.write(self._leader, keys.encode())

    def ended(self) -> int:
        """The exit code, when all was read."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(timeout=WAIT_SECONDS)

    def _read(self, deadline: float) -> bool:
        """More of what it says; false when there will be no more."""
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._leader], [], [], left)[0]:
            return False
        try:
            more = os.read(self._leader, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self._shown += more
        return bool(more)

    def close(self) -> None:
        os.close(self._leader)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def conversation(
    command: Sequence[str], answers: Sequence[tuple[str, str]], cwd: Path, environ: dict[str, str]
) -> tuple[int, str]:
    """The exit code, and all that was on the screen."""
    terminal = Terminal(command, cwd, environ)
    try:
        for question, text in answers:
            terminal.answer(question, text)
        return terminal.ended(), terminal.shown
    finally:
        terminal.close()


def on_a_terminal(*args: str | Path, cwd: Path, **environ: str) -> str:
    """What the command shows on a terminal of 80 columns."""
    import pty  # of POSIX

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command(*args),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=cwd,
        env=environment(TERM="xterm", COLUMNS="80", **environ),
    )
    os.close(follower)
    shown = b""
    try:
        while process.poll() is None or select.select([leader], [], [], 0)[0]:
            if select.select([leader], [], [], 0.1)[0]:
                try:
                    shown += os.read(leader, 65536)
                except OSError:  # Linux says so when the other end is closed
                    break
    finally:
        os.close(leader)
    assert process.wait(timeout=60) == 0, shown.decode()
    return shown.decode()
