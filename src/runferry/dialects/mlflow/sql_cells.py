"""Cells of MLflow's sqlite files, which can hold any value whatever their column says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BadCell(ValueError):  # noqa: N818  as runferry names its errors
    """A cell holds what its column cannot mean."""


@contextmanager
def taken_apart() -> Iterator[None]:
    """Around what makes one thing of the cells of its rows, and around nothing else: whatever else
    raises these would be a fault of ours. Raises BadCell."""
    try:
        yield
    except BadCell:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise BadCell(str(error)) from error


def text_of(cell: object) -> str:
    """Raises BadCell for bytes, which a column of texts can hold too."""
    if not isinstance(cell, str):
        raise BadCell(f"{cell!r:.60} is no text")
    return cell


def text_or_bytes(content: bytes) -> str | bytes:
    """A text that is no UTF-8 as its bytes, where sqlite itself gives up the whole answer."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
