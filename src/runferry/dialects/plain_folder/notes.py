"""What a note beside an exact run says was made of it for others, read where it may be damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runferry.dialects.plain_folder.sums import WRITE_ANEW
from runferry.errors import Damaged


@contextmanager
def reading_note(path: Path) -> Iterator[None]:
    """Raises Damaged where what is read here is no such note, or lacks what it says today."""
    try:
        yield
    except KeyError as error:
        raise _damaged(path, f"has no {error}, as one of an earlier runferry") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _damaged(path, f"cannot be read ({error})") from error


def _damaged(path: Path, why: str) -> Damaged:
    return Damaged(f"{path.name} {why}", where=str(path), hint=WRITE_ANEW, offset=None)
