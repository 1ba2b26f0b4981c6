"""What a note beside an exact run says was made of it for others, read where it may be damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runferry.errors import Damaged


@contextmanager
def reading_note(path: Path, without: str) -> Iterator[None]:
    """Raises Damaged where what is read here is no such note.

    `without` is what is still read when the folder of the exact run is removed.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(
            f"this cannot be read ({error})",
            where=str(path),
            hint=f"rm -r '{path.parent}': {without}",
            offset=None,
        ) from error
