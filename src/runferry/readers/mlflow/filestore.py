"""Reads MLflow's file store (`mlruns/`) as plain files; no mlflow package needed.

Layout and metric lines: `mlflow/store/tracking/file_store.py`, 3.17.2. Git drops empty folders, so
`metrics/` or `params/` may be missing: that is an empty run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import numpy as np

from runferry.chunks import Artifact, Document, File, Lost
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.local_folder import LocalFolder
from runferry.dialects.mlflow.located import folder_at, local_path
from runferry.dialects.mlflow.logged import Dataset, LoggedModel, ModelFiles, is_model_id
from runferry.dialects.mlflow.points import NativePoints
from runferry.errors import NotFound
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.ports import BATCH_ROWS
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
from runferry.readers.mlflow.file_models import MODELS, FileModels, is_model, model_in
from runferry.readers.mlflow.file_registry import FileRegistry
from runferry.readers.mlflow.file_traces import FileTraces
from runferry.readers.mlflow.store import digest, gone, used

_ID: Final = re.compile(r"[0-9A-Za-z_\-]+")
_STATUS: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}


class FileStore:
    """A folder of experiments."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._losses: list[Loss] = []
        self._deleted = 0
        self._folders: dict[str, tuple[Path, str]] = {}  # run id → folder, experiment
        self._logged: FileModels | None = None
        self._traces = FileTraces()
        self.registry = FileRegistry(root)

    def runs(self, *, include_deleted: bool) -> Iterator[NativeRun]:
        """By experiment and run id; a copy of a run under another experiment becomes `…~2`."""
        self._deleted, self._logged, self.registry = 0, None, FileRegistry(self._root)
        self._traces = FileTraces()
        for run_id, folder, experiment in self._all(include_deleted):
            told_when_it_is_read = list[Loss]()
            native = self._header(run_id, folder, experiment, told_when_it_is_read)
            if include_deleted or native.lifecycle != "deleted":
                yield native
            else:
                self._deleted += 1

    def deleted(self) -> int:
        """Those that the last listing met, and those of experiments in the trash."""
        trash = self._root / TRASH
        runs = (run for experiment in folders_in(trash) for run in folders_in(experiment))
        return self._deleted + sum((run / META).is_file() for run in runs)

    def run(self, run_id: str) -> NativeRun:
        """One run with its params."""
        if run_id not in self._folders:
            for _ in self._all(include_deleted=True):
                pass
        if run_id not in self._folders:
            raise gone(f"run {run_id}", f"mlflow:{self._root}")
        folder, experiment = self._folders[run_id]
        return self._header(run_id, folder, experiment, self._losses, with_params=True)

    def _all(self, include_deleted: bool) -> Iterator[tuple[str, Path, str]]:
        self._folders.clear()
        roots = [self._root, self._root / TRASH] if include_deleted else [self._root]
        for experiment in (e for root in roots for e in folders_in(root)):
            meta = meta_of(experiment)
            if "experiment_id" not in meta or "run_id" in meta or "run_uuid" in meta:
                continue
            name = str(meta.get("name") or meta["experiment_id"])
            for folder in folders_in(experiment):
                if not (folder / META).is_file() or folder.name in ("models", "traces"):
                    continue
                run_id, copy = folder.name, 1
                while run_id in self._folders:
                    copy += 1
                    run_id = f"{folder.name}~{copy}"
                self._folders[run_id] = (folder, name)
                yield run_id, folder, name

    def _header(
        self,
        run_id: str,
        folder: Path,
        experiment: str,
        losses: list[Loss],
        *,
        with_params: bool = False,
    ) -> NativeRun:
        meta = meta_of(folder)
        if not meta:
            losses.append(Loss("damaged-header", Fate.DROPPED, f"{folder.name}/{META}"))
        return NativeRun(
            run_id=run_id,
            experiment=experiment,
            name=text_of(meta.get("run_name")) or text_of(meta.get("name")),
            user=text_of(meta.get("user_id")),
            status=word_of(_STATUS, meta.get("status", 1)),
            start_ms=integer_of(meta.get("start_time")),
            end_ms=integer_of(meta.get("end_time")),
            lifecycle=text_of(meta.get("lifecycle_stage")) or "active",
            artifact_uri=text_of(meta.get("artifact_uri")),
            experiment_id=folder.parent.name,
            tags=dict(small_files(folder / "tags", losses)),
            params=dict(small_files(folder / "params", losses)) if with_params else {},
        )

    def metrics(self, run_id: str) -> Iterator[NativePoints]:
        """By key, then line."""
        folder = self._folders[run_id][0] / "metrics"
        for path in files_below(folder):
            key = path.relative_to(folder).as_posix()
            with path.open("rb") as lines:
                while block := lines.readlines(1 << 21):
                    for start in range(0, len(block), BATCH_ROWS):
                        yield self._points(key, block[start : start + BATCH_ROWS])

    def _points(self, key: str, lines: list[bytes]) -> NativePoints:
        """Lines of `time value step [dataset digest]`; the oldest have no step."""
        times, values, steps, damaged = [], [], [], 0
        for line in lines:
            words = line.split()
            if not words:
                continue
            try:
                time, value = int(words[0]), float(words[1])
                step = int(words[2]) if len(words) > 2 else 0
            except (ValueError, IndexError):
                damaged += 1
                continue
            if time not in INT64 or step not in INT64:
                damaged += 1
                continue
            times.append(time)
            values.append(value)
            steps.append(step)
        if damaged:
            self._losses.append(
                Loss("damaged-metric-line", Fate.DROPPED, key, damaged,
                     "a line that is not `time value step`")
            )  # fmt: skip
        value_column = np.array(values, np.float64)
        return NativePoints(
            [key],
            np.zeros(len(times), np.int64),
            np.array(times, np.int64),
            np.array(steps, np.int64),
            value_column,
            np.isnan(value_column),
        )

    def rows(self, run_id: str) -> int:
        """By the size of the files: a line has about 30 bytes."""
        folder = self._folders[run_id][0] / "metrics"
        return sum(path.stat().st_size for path in files_below(folder)) // 20

    def losses(self) -> Iterator[Loss]:
        """What could not be read since the last call."""
        losses, self._losses = self._losses, []
        return iter(losses)

    def belongings(self, native: NativeRun) -> Iterator[Document | Artifact | File | Lost]:
        """`inputs/` of the run, and the experiment's `models/` and `traces/`."""
        folder = self._folders[native.run_id][0]
        for entry in folders_in(folder / "inputs"):
            yield from self._used(folder.parent, entry)
        for home in self._models().made_by(folder.parent, native.run_id):
            model = self._model(home, self._losses)
            yield model.artifact(self.model_folder(model))
        yield from self._traces.chunks(folder, self._losses)

    def _used(self, experiment: Path, entry: Path) -> Iterator[Document | Artifact | Lost]:
        """The dataset or logged model that an input names, by an id that is no path."""
        meta = meta_of(entry)
        source_id, kind = str(meta.get("source_id")), meta.get("source_type")
        is_id = is_model_id(source_id) if kind == "MODEL" else bool(_ID.fullmatch(source_id))
        if not is_id:
            where = f"inputs/{entry.name}/{META}"
            yield Lost(Loss("damaged-header", Fate.DROPPED, where, 1, "`source_id` is no id"))
        elif kind == "MODEL":
            home = experiment / MODELS / source_id
            if is_model(meta_of(home)):
                yield from used(self._model(home, self._losses))
        elif kind == "DATASET" and (source := meta_of(experiment / "datasets" / source_id)):
            yield Dataset(
                str(source.get("name")),
                str(source.get("digest")),
                str(source.get("source_type")),
                str(source.get("source")),
                text_of(source.get("schema")),
                text_of(source.get("profile")),
                {k: str(v) for k, v in cast("dict[str, Tree]", meta.get("tags") or {}).items()},
            ).document

    def _models(self) -> FileModels:
        """Where all logged models are; looked for once for each listing of runs."""
        if self._logged is None:
            self._logged = FileModels(self._root)
        return self._logged

    def _model(self, folder: Path, losses: list[Loss]) -> LoggedModel:
        """The model of a folder, with the step at which its run says that it made it."""
        model = model_in(folder, losses)
        if model.source_run not in self._folders:
            return model
        output = meta_of(self._folders[model.source_run][0] / "outputs" / folder.name)
        return replace(model, step=integer_of(output.get("step")))

    def orphans(self, only: str | None = None) -> Iterator[tuple[LoggedModel, str]]:
        """Logged models that no run made, each with the name of its experiment.

        What of one cannot be read is told when it is asked for by its id.
        """
        losses = [] if only is None else self._losses
        for experiment in folders_in(self._root):
            for folder in self._models().made_by(experiment, None):
                if only in (None, folder.name):
                    name = str(meta_of(experiment).get("name") or experiment.name)
                    yield self._model(folder, losses), name

    def model_folder(self, model: LoggedModel) -> ModelFiles:
        """Where the files of a logged model are."""
        return LocalFolder(Path(model.location or ""))

    def run_folder(self, run_id: str) -> tuple[ArtifactFolder, str] | None:
        """A run's artifacts, and the URI that its header gives for them."""
        try:
            native = self.run(run_id)
        except NotFound:
            return None
        return self.folder(native), native.artifact_uri or ""

    def logged_model(self, model_id: str) -> ArtifactFolder | None:
        """A logged model's artifacts."""
        folder = self._models().places.get(model_id)
        return None if folder is None else LocalFolder(folder / "artifacts")

    def located(self, uri: str) -> ArtifactFolder:
        """What stands behind a URI; a relative path is seen from the store's own folder."""
        path = local_path(uri)
        return folder_at(uri) if path is None else LocalFolder(self._root.parent / path)

    def folder(self, native: NativeRun) -> ArtifactFolder:
        """Beside the run, wherever the store was moved to; else where its header says.

        A relative place was seen from the store's own folder. Seen from where this process happens
        to run, it may be somebody else's: there the destination keeps what it was sent.
        """
        beside = self._folders[native.run_id][0] / "artifacts"
        stated = local_path(native.artifact_uri) if native.artifact_uri else None
        if beside.is_dir() or stated is None:
            return LocalFolder(beside)
        stated = self._root.parent / stated  # an absolute one stays what it is
        return LocalFolder(stated if stated.is_dir() else beside)

    def state(self, native: NativeRun) -> Tree:
        """Names, sizes and times of all files but the artifacts, and of those of its traces."""
        folder = self._folders[native.run_id][0]
        files = [folder / META]
        for name in ("metrics", "params", "tags", "inputs"):
            files += files_below(folder / name)
        files += [file for trace in self._traces.of_run(folder) for file in files_below(trace)]
        home = folder.parent
        stats = [
            (str(f.relative_to(folder if f.is_relative_to(folder) else home)), f.stat())
            for f in files
            if f.is_file()
        ]
        return digest([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])

    def close(self) -> None:
        """Nothing stays open."""
