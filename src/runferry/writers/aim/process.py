"""The process that writes with Aim's own package, and what is said to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from runferry.dialects.aim.process import Child, child
from runferry.errors import Refused
from runferry.paths import spelled

_SCRIPT: Final = Path(__file__).with_name("child.py")


class Writing:
    """A run on its way to the process."""

    def __init__(self, asked: Child, root: Path) -> None:
        self._asked = asked
        self._root = root

    def put(self, told: dict[str, Any], payload: bytes = b"") -> None:
        """One frame; see `child`."""
        self._asked.put_frame(told, payload)

    def settle(self, end_time: float | None) -> str:
        """All has been put: the run's hash, as whose it lies in `scratch`.

        Raises Refused, MissingExtra.
        """
        self.put({"kind": "settle", "end_time": end_time})
        return str(self._answer()["hash"])

    def publish(self, **told: Any) -> None:
        """The last frame: the run is in the repository. Raises Refused, MissingExtra."""
        self.put({"kind": "publish", **told})
        self._answer()

    def _answer(self) -> dict[str, Any]:
        (answer,) = self._asked.frames(self._refused)
        return answer.told

    def _refused(self, said: str) -> Refused:
        return Refused(
            f"Aim cannot write the run ({said})",
            where=spelled(str(self._root)),
            hint="end what logs to this repository, see that there is room, and run again",
        )


@contextmanager
def writing(root: Path, uid: str, wished: str | None, scratch: Path) -> Iterator[Writing]:
    """Begin a run in the repository of a folder: under the hash that is wished, if it is free.

    What is not published lies in `scratch`. Raises MissingExtra, SourceError.
    """
    with child(_SCRIPT) as asked:
        begun = {"kind": "begin", "uid": uid, "wished": wished}
        asked.put_frame({**begun, "root": str(root.absolute()), "scratch": str(scratch.absolute())})
        yield Writing(asked, root)
