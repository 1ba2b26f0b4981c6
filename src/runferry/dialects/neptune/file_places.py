"""Which attributes hold a run's files, as a source tells it that knows: paths alone do not.

The file `a/b.csv` is of the set `a`, or is all of the attribute `a/b`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from runferry.dialects.neptune.names import text_of
from runferry.model import Attribute, KeyPath, Tree

SETS: Final[KeyPath] = ("neptune", "file_sets")
FILES: Final[KeyPath] = ("neptune", "files")


def told(kinds: Iterable[tuple[KeyPath, str]]) -> Iterator[Attribute]:
    """Attributes that say it, of the paths of others and their types, as the client names these."""
    found: dict[KeyPath, list[Tree]] = {SETS: [], FILES: []}
    for path, kind in kinds:
        if kind in ("FileSet", "File"):
            found[SETS if kind == "FileSet" else FILES].append(text_of(path))
    for name, paths in found.items():
        if paths:
            yield Attribute(name, "other", paths)


class FilePlaces:
    """What `told` said of a run; of one that is not Neptune's, or of another source, nothing."""

    def __init__(self, attributes: Iterable[Attribute]) -> None:
        said = {a.path: a.value for a in attributes if a.path in (SETS, FILES)}
        self._sets = _texts(said.get(SETS))
        self._files = _texts(said.get(FILES))

    def attribute(self, path: str) -> tuple[str, str | None] | None:
        """The attribute that holds a file, and the file's name in it, which is None where the
        attribute is this file alone; None where nobody said it."""
        head, dot, ending = path.rpartition(".")
        for alone in (path, head if dot and "/" not in ending else path):
            if alone in self._files:
                return alone, None
        above, name = path, ""
        while "/" in above:
            above, _, last = above.rpartition("/")
            name = f"{last}/{name}" if name else last
            if above in self._sets:
                return above, name
        return None


def _texts(value: Tree) -> frozenset[str]:
    return frozenset(
        text for text in (value if isinstance(value, list) else ()) if isinstance(text, str)
    )
