"""Writes runs into a repository of Aim, in a process of its own; standard input tells what.

A frame is its two lengths (u32, u64, little-endian), JSON, and bytes. A run is `begin`, then its
parameters, numbers, objects and lines in any order, then `settle`, then `publish`: these two are
answered, by which run it is or by what failed. The process ends when there are no more frames.

A run is written where nobody looks, and then moved into the repository: `begin` names the folder.

It imports nothing of runferry, since its Python may be another one: only `aim`, the `numpy` that
aim needs, and what lies beside it.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any

# it is started as a file, and finds what lies beside it by its bare name
from child_objects import objects_of  # type: ignore[import-not-found]
from child_publishing import Repository  # type: ignore[import-not-found]
from child_run import PrivateRun  # type: ignore[import-not-found]

_LENGTHS = struct.Struct("<IQ")


def main() -> None:
    """Do what is asked for, and answer each `settle` and `publish`."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints there
    repositories: dict[str, Repository] = {}
    writing: Writing | None = None
    failed = ""
    while (frame := _next(sys.stdin.buffer)) is not None:
        told, payload = frame
        answer: dict[str, Any] = {}
        try:
            if told["kind"] == "begin":
                failed = ""
                writing = Writing(_repository(repositories, told["root"]), told)
            elif not failed:
                assert writing is not None
                answer = writing.take(told, payload)
        except Exception as error:  # noqa: BLE001  the other side tells it, and may ask on
            failed = f"{type(error).__name__}: {error}"
            if writing is not None:
                writing.give_up()
        if told["kind"] in ("settle", "publish"):
            _put(out, {"kind": "end", "error": failed} if failed else {"kind": "run", **answer})
            if not failed:
                _put(out, {"kind": "end"})
            out.flush()


def _next(stream: Any) -> tuple[dict[str, Any], bytes] | None:
    head = stream.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        return None
    length, payload_length = _LENGTHS.unpack(head)
    text, payload = stream.read(length), stream.read(payload_length)
    return None if len(payload) < payload_length else (json.loads(text), payload)


def _put(out: Any, told: dict[str, Any]) -> None:
    text = json.dumps(told).encode()
    out.write(_LENGTHS.pack(len(text), 0) + text)


def _repository(known: dict[str, Repository], root: str) -> Repository:
    found = known.get(root)
    if found is None or not found.stands:
        found = known[root] = Repository(root)
    return found


class Writing:
    """One run, from its beginning to where it is seen."""

    def __init__(self, repository: Repository, told: dict[str, Any]) -> None:
        self._repository = repository
        self._told = told
        self._run_hash = repository.free_hash(told["wished"], told["uid"])
        self._run = PrivateRun(told["scratch"], self._run_hash)

    def take(self, told: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """One frame; what is answered to it."""
        kind = told["kind"]
        if kind == "parameters":
            self._run.put_parameters(told["values"])
        elif kind == "numbers":
            self._run.put_numbers(told, payload)
        elif kind == "epochs":
            self._run.put_epochs(told, payload)
        elif kind == "objects":
            for name, context, step, time, value in objects_of(told["rows"], payload):
                self._run.put_object(name, context, step, time, value)
        elif kind == "settle":
            self._run.close(told["end_time"])
            return {"hash": self._run_hash}
        elif kind == "publish":
            self._repository.publish(self._run, told)
        else:
            raise ValueError(f"a frame of the kind {kind}")
        return {}

    def give_up(self) -> None:
        """Let go of what was begun; who asked removes it."""
        self._run.abandon()


if __name__ == "__main__":
    main()
