"""What a process that is all ours does without: much that libraries do in passing.

The command line asks for it, and so do processes that it starts. In a program that uses runferry
as a library nothing is spared: others may want there what is left out here.
"""

from __future__ import annotations

import atexit
import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Final

_UNUSED: Final = ("httpx._main", "rfc3987_syntax", "trio")
"""Imported where they are installed, and done without where they are not: httpx's own command line,
with the colours of rich; an event loop that httpcore is ready for; and a grammar of URIs that
jsonschema, which Neptune's and ClearML's clients import, would compile in more than a second."""

_FIRST_GENERATION: Final = 50_000
"""New objects until the next search for garbage in circles: 700 of them are one import, or a page
of rows, and every tenth search goes through all that the imports left."""

_PLUGINS: Final = ("runferry.readers", "runferry.writers")
_PANDAS: Final = "pandas"
_is_asked = False


def spare_work() -> None:
    """From now on. Before anything heavy is imported."""
    global _is_asked  # noqa: PLW0603
    _is_asked = True
    for name in _UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # cannot be imported then
    _, *older = gc.get_threshold()
    gc.set_threshold(_FIRST_GENERATION, *older)
    atexit.register(_end_at_once)


def _end_at_once() -> None:
    """Have the end not look through all modules, three times.

    DuckDB wants to be looked through: it complains on stderr of what is left of it.
    """
    if "_duckdb" not in sys.modules:
        gc.freeze()


@contextmanager
def stand_in_for_pandas() -> Iterator[None]:
    """Where work is to be spared, `import pandas` is quick in here, and brings next to nothing.

    It takes half a second. pyarrow imports it, if it is there, as soon as it makes an array of a
    list, which might be one of pandas'; Neptune's client, as a file's content might be one. What is
    so old as this pyarrow does without, for good. Imported outside of this, pandas is pandas; and
    where somebody's plugin is installed, which may ask pyarrow for frames, nothing is stood in for.
    """
    if not _is_asked or _PANDAS in sys.modules or any(map(_has_plugins, _PLUGINS)):
        yield
        return
    sys.modules[_PANDAS] = _Bare(_PANDAS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyarrow's, of its age
            yield
    finally:
        sys.modules.pop(_PANDAS, None)  # another thread may have been in here, too


@cache
def _has_plugins(group: str) -> bool:
    """Once for each group: it takes looking at every package that is installed."""
    return bool(entry_points(group=group))


class _Bare(ModuleType):
    """As much of pandas as is asked for by those who only import it."""

    __version__ = "0"

    class DataFrame:
        """Nothing is one."""
