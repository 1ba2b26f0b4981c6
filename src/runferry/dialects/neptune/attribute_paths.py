"""Where things stand in a run of Neptune: namespaces, and a path for each.

An attribute path is a list of names that `/` separates; empty ones count for nothing, and no
attribute can stand where a namespace does (neptune 1.14, `internal/container_structure.py`).
"""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Final

SYS: Final = "sys"
OLD_SYS: Final = "old_sys"
CONFIG: Final = "config"
SUMMARY: Final = "summary"
MONITORING: Final = "monitoring"
SOURCE_FILES: Final = "source_code/files"
REQUIREMENTS: Final = "source_code/requirements"
CHECKPOINTS: Final = "checkpoints"
FILES: Final = "files"
ARTIFACTS: Final = "artifacts"
RUNFERRY: Final = "runferry"

UID: Final = f"{RUNFERRY}/uid"
"""The attribute by which a push finds its run."""
RUN_ID: Final = f"{RUNFERRY}/run_id"
"""The id that the source has for it."""
CLAIM: Final = f"{RUNFERRY}/claim"
"""Who is sending it, until it is sealed."""
HEADER: Final = f"{RUNFERRY}/header"
"""The run's header as `codec` has it, for a list of runs."""
SEALED: Final = f"{RUNFERRY}/sealed"
"""True once all of a run is there."""

MODEL_TAGS: Final = {"model": "model", "model_version": "model_version"}

_LONGEST_PATH: Final = 1024
_MARK_DIGITS: Final = 8


def marked(name: str, longest: int) -> str:
    """A name of at most so many bytes; what was cut off is told apart by a mark."""
    if len(_utf8(name)) <= longest:
        return name
    digest = hashlib.blake2b(_utf8(name), digest_size=_MARK_DIGITS // 2).hexdigest()
    head = _utf8(name)[: longest - _MARK_DIGITS - 1].decode("utf-8", "ignore")
    return f"{head}~{digest}"


def _utf8(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def project_name(name: str) -> str:
    """A project's name of another tracker as Neptune takes it: with hyphens."""
    return name.replace("_", "-")


class AttributePaths:
    """Gives each thing of one run an attribute path of its own.

    The wished path, or one like it with `~2`, where that is taken, stands for a namespace, or lies
    below what is no namespace. The same calls in the same order give the same paths.
    """

    def __init__(self) -> None:
        self._attributes: set[str] = set()
        self._namespaces: set[str] = set()

    def place(self, wished: str) -> str:
        """A path; another one on each call."""
        parts = [part for part in wished.split("/") if part] or ["_"]
        plain = marked("/".join(parts), _LONGEST_PATH - len("~1000"))
        for copy in count(1):
            path = plain if copy == 1 else _numbered(plain, self._obstacle(plain), copy)
            if self._obstacle(path) is None:
                break
        self._attributes.add(path)
        self._namespaces.update(above(path))
        return path

    def namespace(self, wished: str) -> None:
        """Keep a path free for what is not placed one by one."""
        self._namespaces.update((wished, *above(wished)))

    def _obstacle(self, path: str) -> str | None:
        """The part of a path that cannot be: it is taken, or is an attribute itself."""
        for upper in above(path):
            if upper in self._attributes:
                return upper
        return path if path in self._attributes or path in self._namespaces else None


def _numbered(path: str, obstacle: str | None, copy: int) -> str:
    at = path if obstacle is None else obstacle
    return f"{at}~{copy}{path[len(at) :]}"


def above(path: str) -> list[str]:
    """The namespaces in which a path lies, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]
