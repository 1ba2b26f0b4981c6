"""The messages of an experiment, a line each, as far as they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from runferry.chunks import Raw
from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Tree
from runferry.readers.comet.members import MESSAGES, Members
from runferry.readers.lines import beginnings, is_too_long, too_long


@dataclass(frozen=True, slots=True)
class Message:
    """A line that is JSON, with its number from 0."""

    number: int
    line: bytes
    said: Tree


@dataclass
class MessageLines:
    """Reads `messages.json`; what it says that no tree holds is in `notes`."""

    members: Members
    losses: LossLedger
    notes: JsonNotes = field(default_factory=JsonNotes)
    is_damaged: bool = False

    def read(self) -> Iterator[Message | Raw]:
        """The messages, and lines that are none."""
        stream = self.members.open(MESSAGES)
        if stream is None:
            self._lost("missing-file", MESSAGES, "what was logged is not here")
            return
        with stream:
            for number, line in enumerate(self._lines(stream)):
                if is_too_long(line):
                    self.losses.add(too_long(f"{MESSAGES}:{number + 1}"))
                elif line.strip():
                    yield from self._message(number, line)

    def _lines(self, stream: BinaryIO) -> Iterator[bytes]:
        try:
            yield from beginnings(stream)
        except OSError as error:
            self.is_damaged = True
            self._lost("damaged-bytes", MESSAGES, f"not read on: {error.strerror}")

    def _message(self, number: int, line: bytes) -> Iterator[Message | Raw]:
        try:
            yield Message(number, line, parse_json(self._decoded(line), self.notes))
        except ValueError as error:
            self.is_damaged = True
            if not line.endswith(b"\n"):
                why = f"the file ends inside a message of {len(line):,} bytes or more"
                self._lost("cut-tail", f"{MESSAGES}:{number + 1}", why)
                return
            yield Raw("comet line", str(error), line, number)
            self._lost("damaged-line", MESSAGES, "kept as raw records", Fate.REENCODED)

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            self._lost("bad-utf8", MESSAGES, "U+FFFD stands for what is no text", Fate.ROUNDED)
            return line.decode("utf-8", "replace")

    def _lost(self, code: str, where: str, why: str, fate: Fate = Fate.DROPPED) -> None:
        self.losses.add(Loss(code, fate, where, 1, why))
