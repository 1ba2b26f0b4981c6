"""Finds the parts of an export: which files hold which runs, and what is missing of them.

Source: neptune-exporter at 8d3f44a, `storage/parquet_writer.py`; before November 2025 a part held
runs of a whole project. A part is written under a name that ends in `.tmp`, and the parts of a run
get their own names when all are written, part 0 as the last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.dialects.neptune.names import OLD_PART, PART, SCOPES, Container
from runferry.losses import Fate, Loss
from runferry.paths import Folder, folders_below, regular, spelled

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_COLUMNS = {"project_id", "run_id", "attribute_path", "attribute_type"}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one run, or in old exports of all runs of a project, in order."""

    folder: Path
    """The project's; the folders `models` and `model_versions` lie in it."""
    name: str
    container: Container
    paths: tuple[Path, ...]
    is_shared: bool = False
    losses: tuple[Loss, ...] = ()


def parts_below(root: Path) -> Iterator[Parts]:
    """The parts at or below a place, by folder and name."""
    if not root.is_dir():
        if is_part(root):
            folder = Folder(root.parent, [])
            yield from _of_names(folder.path, {root.name})
        return
    for folder in folders_below(root):
        found = {
            name
            for name in folder.names
            if PART.fullmatch(name) or OLD_PART.fullmatch(name)
            if regular(folder.path / name) is not None
        }
        if found:
            yield from _of_names(folder.path, found)


def is_part(path: Path) -> bool:
    """Whether this file is a part of an export: its name decides, or its columns."""
    if regular(path) is None:
        return False
    if PART.fullmatch(path.name):
        return True
    return OLD_PART.fullmatch(path.name) is not None and _is_ours(path)


def container_of(folder: Path) -> Container:
    """What the parts in this folder are of."""
    return next((one for one, name in SCOPES.items() if folder.name == name), "run")


def whole_part(path: Path) -> pq.ParquetFile | None:
    """The part; None if it is no whole Parquet file. Raises OSError for what the system says."""
    import pyarrow.parquet as pq

    from runferry.tables import UNDECODED

    try:
        return pq.ParquetFile(path, memory_map=True)
    except UNDECODED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return None


def _is_ours(path: Path) -> bool:
    file = whole_part(path)
    if file is None:
        return False
    with file:
        return _COLUMNS.issubset(file.schema_arrow.names)


def _of_names(folder: Path, names: set[str]) -> Iterator[Parts]:
    groups: dict[str, dict[int, set[bool]]] = defaultdict(lambda: defaultdict(set))
    for name in sorted(names):
        if own := PART.fullmatch(name):
            groups[own[1]][int(own[2])].add(own[3] is not None)
        elif (old := OLD_PART.fullmatch(name)) and _is_ours(folder / name):
            groups[""][int(old[1])].add(old[2] is not None)
    container = container_of(folder)
    home = folder if container == "run" else folder.parent
    for prefix, numbers in groups.items():
        paths, losses = _usable(folder, f"{prefix}_part_" if prefix else "part_", numbers)
        yield Parts(
            home, spelled(prefix or folder.name), container, tuple(paths), not prefix, tuple(losses)
        )


def _usable(
    folder: Path, prefix: str, numbers: dict[int, set[bool]]
) -> tuple[list[Path], list[Loss]]:
    """The files to read of these parts, and what is to be told of the others."""
    paths, losses = [], []
    if missing := max(numbers) + 1 - len(numbers):
        why = "parts with lower numbers are not there; what they held is lost"
        losses.append(Loss("missing-part", Fate.DROPPED, spelled(prefix), missing, why))
    for number, kinds in sorted(numbers.items()):
        name = f"{prefix}{number}.parquet"
        if False in kinds:
            paths.append(folder / name)
            if True in kinds:
                why = "a part of another attempt was left over beside the finished one"
                losses.append(Loss("left-over-part", Fate.KEPT, spelled(f"{name}.tmp"), 1, why))
        else:
            losses.append(_left_over(folder / f"{name}.tmp", paths))
    return paths, losses


def _left_over(path: Path, paths: list[Path]) -> Loss:
    """A part of an export that was stopped: read if it is whole, told in any case."""
    file = whole_part(path)
    if file is None:
        why = "the export was stopped while it wrote this part, which has no end; export it again"
        return Loss("cut-part", Fate.DROPPED, spelled(path.name), 1, why)
    file.close()
    paths.append(path)
    why = "the export was stopped before it finished; what it had written is read"
    return Loss("left-over-part", Fate.KEPT, spelled(path.name), 1, why)
