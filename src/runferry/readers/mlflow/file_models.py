"""Logged models (MLflow 3) of MLflow's file store: `models/` of each experiment.

Layout: `mlflow/store/tracking/file_store.py`, 3.17.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runferry.dialects.mlflow.logged import STATUS, LoggedModel, ModelMetric
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.mlflow.file_folders import (
    INT64,
    META,
    TRASH,
    files_below,
    folders_in,
    integer_of,
    meta_of,
    small_files,
    text_of,
    word_of,
)

MODELS: Final = "models"


class FileModels:
    """Where the logged models of a store are: by their ids, and by the runs that made them."""

    def __init__(self, root: Path) -> None:
        self.places: dict[str, Path] = {}
        self._made: dict[tuple[Path, str | None], list[Path]] = {}
        for experiment in (*folders_in(root), *folders_in(root / TRASH)):
            for folder in folders_in(experiment / MODELS):
                meta = meta_of(folder)
                if is_model(meta) or (not meta and (folder / META).is_file()):
                    self.places.setdefault(folder.name, folder)
                    run_id = text_of(meta.get("source_run_id"))
                    self._made.setdefault((experiment, run_id), []).append(folder)

    def made_by(self, experiment: Path, run_id: str | None) -> list[Path]:
        """The folders of an experiment's models that a run made, or no run.

        Nobody knows of a damaged one which run made it.
        """
        return self._made.get((experiment, run_id), [])


def is_model(meta: dict[str, Tree]) -> bool:
    """Whether the header is that of a model which is not deleted."""
    return "model_id" in meta and meta.get("lifecycle_stage") != "deleted"


def model_in(folder: Path, losses: list[Loss]) -> LoggedModel:
    """The model of a folder, without its step; a damaged header is a loss."""
    meta = meta_of(folder)
    if not meta:
        losses.append(Loss("damaged-header", Fate.DROPPED, f"{folder.name}/{META}"))
    return LoggedModel(
        model_id=folder.name,
        name=str(meta.get("name") or folder.name),
        status=word_of(STATUS, meta.get("status", 0)),
        model_type=text_of(meta.get("model_type")),
        created_ms=integer_of(meta.get("creation_timestamp")),
        updated_ms=integer_of(meta.get("last_updated_timestamp")),
        status_message=text_of(meta.get("status_message")),
        tags=dict(small_files(folder / "tags", losses)),
        params=dict(small_files(folder / "params", losses)),
        metrics=tuple(_model_metrics(folder, losses)),
        source_run=text_of(meta.get("source_run_id")),
        location=str(folder / "artifacts"),
    )


def _model_metrics(model: Path, losses: list[Loss]) -> Iterator[ModelMetric]:
    """Lines of `time value step run [dataset digest]` (`_get_model_metrics_from_line`, 3.17.2)."""
    for path in files_below(model / "metrics"):
        key, damaged = path.relative_to(model / "metrics").as_posix(), 0
        for line in filter(str.strip, path.read_text("utf-8", "replace").splitlines()):
            metric = _model_metric(key, line.split())
            if metric is None:
                damaged += 1
            else:
                yield metric
        if damaged:
            losses.append(
                Loss("damaged-metric-line", Fate.DROPPED, f"{model.name}/{key}", damaged,
                     "a line that is not `time value step run`")
            )  # fmt: skip


def _model_metric(key: str, words: list[str]) -> ModelMetric | None:
    """None where the words are no point."""
    try:
        time, value, step, run_id = int(words[0]), float(words[1]), int(words[2]), words[3]
    except (ValueError, IndexError):
        return None
    if time not in INT64 or step not in INT64:
        return None
    names = words[4:6] if len(words) >= 6 else (None, None)
    return ModelMetric(key, value, time, step, run_id, *names)
