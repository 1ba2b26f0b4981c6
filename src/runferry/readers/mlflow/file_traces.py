"""Traces of MLflow's file store: `traces/` of each experiment.

Layout: `mlflow/store/tracking/file_store.py`, 3.17.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runferry.chunks import File, Lost
from runferry.dialects.mlflow.local_folder import LocalFolder
from runferry.dialects.mlflow.traces import FOLDER, RUN_KEY, Trace, spans_in
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.mlflow.file_folders import files_below, folders_in, mapping_of, small_files

_INFO: Final = "trace_info.yaml"


class FileTraces:
    """The traces of one store, by their experiments and runs; each experiment is looked at once."""

    def __init__(self) -> None:
        self._made: dict[Path, dict[str, list[Path]]] = {}

    def of_run(self, run: Path) -> list[Path]:
        """The folders of those that were recorded in the run of this folder."""
        experiment = run.parent
        if experiment not in self._made:
            made = self._made[experiment] = {}
            for folder in folders_in(experiment / FOLDER):
                named = folder / "request_metadata" / RUN_KEY
                if named.is_file():
                    made.setdefault(named.read_text("utf-8", "replace"), []).append(folder)
        return self._made[experiment].get(run.name, [])

    def chunks(self, run: Path, losses: list[Loss]) -> Iterator[File | Lost]:
        """The same as files; what cannot be read of one is a loss."""
        for folder in self.of_run(run):
            spans = spans_in(LocalFolder(folder / "artifacts"))
            yield from _trace(folder, losses).chunks(spans)


def _trace(folder: Path, losses: list[Loss]) -> Trace:
    said = mapping_of(folder / _INFO)
    if not said:
        losses.append(Loss("damaged-header", Fate.DROPPED, f"{folder.name}/{_INFO}"))
    is_older = "request_id" in said  # MLflow 2 spells them another way
    info: dict[str, Tree] = {
        **said,
        "request_id" if is_older else "trace_id": folder.name,
        "request_metadata" if is_older else "trace_metadata": dict(
            small_files(folder / "request_metadata", losses)
        ),
        "tags": dict(small_files(folder / "tags", losses)),
    }
    if held := list(_assessments(folder, losses)):
        info["assessments"] = held
    return Trace(info)


def _assessments(folder: Path, losses: list[Loss]) -> Iterator[Tree]:
    for path in files_below(folder / "assessments"):
        if found := mapping_of(path):
            yield found
        else:
            where = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            losses.append(Loss("damaged-header", Fate.DROPPED, where, 1, "what was said of it"))
