"""Folders of MLflow's file store: a `meta.yaml` each, and small files named by their keys.

Layout: `mlflow/store/tracking/file_store.py`, 3.17.2. Git drops empty folders, so any of them may
be missing: that is an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runferry.dialects.yaml_trees import parse_yaml
from runferry.losses import Fate, Loss
from runferry.model import Tree

META: Final = "meta.yaml"
TRASH: Final = ".trash"
INT64: Final = range(-(2**63), 2**63)


def meta_of(folder: Path) -> dict[str, Tree]:
    """The folder's `meta.yaml`; empty where it is missing or no mapping."""
    return mapping_of(folder / META)


def mapping_of(path: Path) -> dict[str, Tree]:
    """What a file of YAML says; empty where it is missing or no mapping."""
    try:
        found = parse_yaml(path.read_text("utf-8")).value
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def small_files(folder: Path, losses: list[Loss]) -> Iterator[tuple[str, str]]:
    """Key and text of each file below; bytes that are no UTF-8 are a loss."""
    for path in files_below(folder):
        key = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        try:
            yield key, content.decode("utf-8")
        except UnicodeDecodeError:
            losses.append(
                Loss("invalid-utf8", Fate.ROUNDED, f"{folder.name}/{key}", 1,
                     "bytes that are no UTF-8 are written as \\x…")
            )  # fmt: skip
            yield key, content.decode("utf-8", "backslashreplace")


def folders_in(parent: Path) -> list[Path]:
    """In the order of their names, without the trash."""
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir() and e.name != TRASH)


def files_below(parent: Path) -> list[Path]:
    """All, in the order of their paths."""
    return sorted(Path(folder, name) for folder, _, names in os.walk(parent) for name in names)


def word_of(words: dict[int, str], value: Tree) -> str:
    """An enumerated value, which the store writes as a number."""
    return words.get(value, str(value)) if isinstance(value, int) else str(value)


def text_of(value: Tree) -> str | None:
    """None where there is nothing."""
    return None if value in (None, "") else str(value)


def integer_of(value: Tree) -> int | None:
    """None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
