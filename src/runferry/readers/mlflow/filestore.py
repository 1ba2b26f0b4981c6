"""Reads MLflow's file store (`mlruns/`) as plain files; no mlflow package needed.

Layout and metric lines: `mlflow/store/tracking/file_store.py`, 3.17.2. Git drops empty folders, so
`metrics/` or `params/` may be missing: that is an empty run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import numpy as np
import yaml

from runferry.chunks import Artifact, Document, Lost
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.local_folder import LocalFolder
from runferry.dialects.mlflow.located import folder_at, local_path
from runferry.dialects.mlflow.logged import (
    STATUS,
    Dataset,
    LoggedModel,
    ModelFiles,
    ModelMetric,
    is_model_id,
)
from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.registry import DELETED_STAGE, NativeModel, NativeVersion
from runferry.errors import NotFound
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.mlflow.store import digest, used
from runferry.readers.mlflow.version_files import files_of

META: Final = "meta.yaml"
_TRASH: Final = ".trash"
_MODELS: Final = "models"
_VERSION: Final = "version-"
_ID: Final = re.compile(r"[0-9A-Za-z_\-]+")
_STATUS: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_INT64: Final = range(-(2**63), 2**63)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FileStore:
    """A folder of experiments."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._losses: list[Loss] = []
        self._deleted = 0
        self._folders: dict[str, tuple[Path, str]] = {}  # run id → folder, experiment
        self._logged: _Logged | None = None
        self._registered_at: dict[str, Path] | None = None  # name → folder

    def runs(self, *, include_deleted: bool) -> Iterator[NativeRun]:
        """By experiment and run id; a copy of a run under another experiment becomes `…~2`."""
        self._deleted, self._logged, self._registered_at = 0, None, None
        for run_id, folder, experiment in self._all(include_deleted):
            native = self._header(run_id, folder, experiment)
            if include_deleted or native.lifecycle != "deleted":
                yield native
            else:
                self._deleted += 1

    def deleted(self) -> int:
        """Those that the last listing met, and those of experiments in the trash."""
        trash = self._root / _TRASH
        runs = (run for experiment in _folders(trash) for run in _folders(experiment))
        return self._deleted + sum((run / META).is_file() for run in runs)

    def run(self, run_id: str) -> NativeRun:
        """One run with its params."""
        if run_id not in self._folders:
            for _ in self._all(include_deleted=True):
                pass
        if run_id not in self._folders:
            raise NotFound(f"no run {run_id}", where=str(self._root))
        folder, experiment = self._folders[run_id]
        return self._header(run_id, folder, experiment, with_params=True)

    def _all(self, include_deleted: bool) -> Iterator[tuple[str, Path, str]]:
        self._folders.clear()
        roots = [self._root, self._root / _TRASH] if include_deleted else [self._root]
        for experiment in (e for root in roots for e in _folders(root)):
            meta = _meta(experiment)
            if "experiment_id" not in meta or "run_id" in meta or "run_uuid" in meta:
                continue
            name = str(meta.get("name") or meta["experiment_id"])
            for folder in _folders(experiment):
                if not (folder / META).is_file() or folder.name in ("models", "traces"):
                    continue
                run_id, copy = folder.name, 1
                while run_id in self._folders:
                    copy += 1
                    run_id = f"{folder.name}~{copy}"
                self._folders[run_id] = (folder, name)
                yield run_id, folder, name

    def _header(
        self, run_id: str, folder: Path, experiment: str, *, with_params: bool = False
    ) -> NativeRun:
        meta = _meta(folder)
        if not meta:
            self._losses.append(Loss("damaged-header", Fate.DROPPED, f"{folder.name}/{META}"))
        return NativeRun(
            run_id=run_id,
            experiment=experiment,
            name=_text(meta.get("run_name")) or _text(meta.get("name")),
            user=_text(meta.get("user_id")),
            status=_word(_STATUS, meta.get("status", 1)),
            start_ms=_integer(meta.get("start_time")),
            end_ms=_integer(meta.get("end_time")),
            lifecycle=_text(meta.get("lifecycle_stage")) or "active",
            artifact_uri=_text(meta.get("artifact_uri")),
            experiment_id=folder.parent.name,
            tags=dict(_small_files(folder / "tags", self._losses)),
            params=dict(_small_files(folder / "params", self._losses)) if with_params else {},
        )

    def metrics(self, run_id: str) -> Iterator[NativePoints]:
        """By key, then line."""
        folder = self._folders[run_id][0] / "metrics"
        for path in _files(folder):
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
            if time not in _INT64 or step not in _INT64:
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
        return sum(path.stat().st_size for path in _files(folder)) // 20

    def losses(self) -> Iterator[Loss]:
        """What could not be read since the last call."""
        losses, self._losses = self._losses, []
        return iter(losses)

    def belongings(self, native: NativeRun) -> Iterator[Document | Artifact | Lost]:
        """`inputs/` of the run, and the experiment's `models/`."""
        folder = self._folders[native.run_id][0]
        for entry in _folders(folder / "inputs"):
            yield from self._used(folder.parent, entry)
        for home in self._models().made_by(folder.parent, native.run_id):
            model = self._model(home, self._losses)
            yield model.artifact(self.model_folder(model))

    def _used(self, experiment: Path, entry: Path) -> Iterator[Document | Artifact | Lost]:
        """The dataset or logged model that an input names, by an id that is no path."""
        meta = _meta(entry)
        source_id, kind = str(meta.get("source_id")), meta.get("source_type")
        is_id = is_model_id(source_id) if kind == "MODEL" else bool(_ID.fullmatch(source_id))
        if not is_id:
            where = f"inputs/{entry.name}/{META}"
            yield Lost(Loss("damaged-header", Fate.DROPPED, where, 1, "`source_id` is no id"))
        elif kind == "MODEL":
            home = experiment / _MODELS / source_id
            if _is_model(_meta(home)):
                yield from used(self._model(home, self._losses))
        elif kind == "DATASET" and (source := _meta(experiment / "datasets" / source_id)):
            yield Dataset(
                str(source.get("name")),
                str(source.get("digest")),
                str(source.get("source_type")),
                str(source.get("source")),
                _text(source.get("schema")),
                _text(source.get("profile")),
                {k: str(v) for k, v in cast("dict[str, Tree]", meta.get("tags") or {}).items()},
            ).document

    def _models(self) -> _Logged:
        """Where all logged models are; looked for once for each listing of runs."""
        if self._logged is None:
            self._logged = _Logged(self._root)
        return self._logged

    def _model(self, folder: Path, losses: list[Loss]) -> LoggedModel:
        meta = _meta(folder)
        if not meta:
            losses.append(Loss("damaged-header", Fate.DROPPED, f"{folder.name}/{META}"))
        run_id = _text(meta.get("source_run_id"))
        return LoggedModel(
            model_id=folder.name,
            name=str(meta.get("name") or folder.name),
            status=_word(STATUS, meta.get("status", 0)),
            model_type=_text(meta.get("model_type")),
            created_ms=_integer(meta.get("creation_timestamp")),
            updated_ms=_integer(meta.get("last_updated_timestamp")),
            status_message=_text(meta.get("status_message")),
            tags=dict(_small_files(folder / "tags", losses)),
            params=dict(_small_files(folder / "params", losses)),
            metrics=tuple(_model_metrics(folder, losses)),
            source_run=run_id,
            location=str(folder / "artifacts"),
            step=self._step(folder.name, run_id),
        )

    def _step(self, model_id: str, run_id: str | None) -> int | None:
        if run_id not in self._folders:
            return None
        output = _meta(self._folders[run_id][0] / "outputs" / model_id)
        return _integer(output.get("step"))

    def orphans(self, only: str | None = None) -> Iterator[tuple[LoggedModel, str]]:
        """Logged models that no run made, each with the name of its experiment.

        What of one cannot be read is told when it is asked for by its id.
        """
        losses = [] if only is None else self._losses
        for experiment in _folders(self._root):
            for folder in self._models().made_by(experiment, None):
                if only in (None, folder.name):
                    name = str(_meta(experiment).get("name") or experiment.name)
                    yield self._model(folder, losses), name

    def model_folder(self, model: LoggedModel) -> ModelFiles:
        """Where the files of a logged model are."""
        return LocalFolder(Path(model.location or ""))

    def registered_models(self) -> Iterator[NativeModel]:
        """`models/` of the store."""
        places: dict[str, Path] = {}
        for folder in _folders(self._root / _MODELS):
            model = _registered(folder)
            if model is not None:
                places.setdefault(model.name, folder)
                yield model
        self._registered_at = places

    def registered_model(self, name: str) -> NativeModel | None:
        """One of them; where they are is looked for once."""
        if self._registered_at is None:
            places: dict[str, Path] = {}
            for home in _folders(self._root / _MODELS):
                places.setdefault(str(_meta(home).get("name") or home.name), home)
            self._registered_at = places
        folder = self._registered_at.get(name)
        return None if folder is None else _registered(folder)

    def version_files(self, version: NativeVersion) -> ModelFiles:
        """Among a run's or a logged model's artifacts, or where the version says."""
        return files_of(version, self)

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
        """Names, sizes and times of all files but the artifacts."""
        folder = self._folders[native.run_id][0]
        files = [folder / META]
        for name in ("metrics", "params", "tags", "inputs"):
            files += _files(folder / name)
        stats = [(str(f.relative_to(folder)), f.stat()) for f in files if f.is_file()]
        return digest([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])

    def close(self) -> None:
        """Nothing stays open."""


class _Logged:
    """Where the logged models of a store are: by their ids, and by the runs that made them."""

    def __init__(self, root: Path) -> None:
        self.places: dict[str, Path] = {}
        self._made: dict[tuple[Path, str | None], list[Path]] = {}
        for experiment in (*_folders(root), *_folders(root / _TRASH)):
            for folder in _folders(experiment / _MODELS):
                meta = _meta(folder)
                if _is_model(meta) or (not meta and (folder / META).is_file()):
                    self.places.setdefault(folder.name, folder)
                    run_id = _text(meta.get("source_run_id"))
                    self._made.setdefault((experiment, run_id), []).append(folder)

    def made_by(self, experiment: Path, run_id: str | None) -> list[Path]:
        """The folders of an experiment's models that a run made, or no run.

        Nobody knows of a damaged one which run made it.
        """
        return self._made.get((experiment, run_id), [])


def _is_model(meta: dict[str, Tree]) -> bool:
    return "model_id" in meta and meta.get("lifecycle_stage") != "deleted"


def _registered(folder: Path) -> NativeModel | None:
    """A registered model, with the losses of reading it; None where the folder is none."""
    meta, losses = _meta(folder), list[Loss]()
    if "name" not in meta:
        if not (folder / META).is_file():
            return None
        losses.append(Loss("damaged-header", Fate.DROPPED, f"{folder.name}/{META}"))
    homes = [home for home in _folders(folder) if home.name.startswith(_VERSION)]
    versions = [_version(home, losses) for home in homes]
    found = sorted((one for one in versions if one is not None), key=lambda one: one.version)
    numbers = {one.version for one in found}
    aliases = {
        name: int(number)
        for name, number in _small_files(folder / "aliases", losses)
        if number.isdecimal() and int(number) in numbers
    }
    return NativeModel(
        name=str(meta.get("name") or folder.name),
        description=_text(meta.get("description")),
        created_ms=_integer(meta.get("creation_timestamp")),
        updated_ms=_integer(meta.get("last_updated_timestamp")),
        tags=dict(_small_files(folder / "tags", losses)),
        aliases=aliases,
        versions=tuple(found),
        losses=tuple(losses),
    )


def _version(folder: Path, losses: list[Loss]) -> NativeVersion | None:
    """A version; None where it was deleted, and with a loss where its header is damaged."""
    meta = _meta(folder)
    number = str(meta.get("version"))
    if meta.get("current_stage") == DELETED_STAGE:
        return None
    if not number.isdecimal():
        where = f"{folder.parent.name}/{folder.name}/{META}"
        losses.append(Loss("damaged-header", Fate.DROPPED, where, 1, "the version is left out"))
        return None
    return NativeVersion(
        version=int(number),
        source=str(meta.get("source") or ""),
        run_id=_text(meta.get("run_id")),
        run_link=_text(meta.get("run_link")),
        description=_text(meta.get("description")),
        stage=str(meta.get("current_stage") or "None"),
        user=_text(meta.get("user_id")),
        status=str(meta.get("status") or "READY"),
        status_message=_text(meta.get("status_message")),
        created_ms=_integer(meta.get("creation_timestamp")),
        updated_ms=_integer(meta.get("last_updated_timestamp")),
        tags=dict(_small_files(folder / "tags", losses)),
        location=_text(meta.get("storage_location")),
    )


def _small_files(folder: Path, losses: list[Loss]) -> Iterator[tuple[str, str]]:
    for path in _files(folder):
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


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir() and e.name != _TRASH)


def _files(parent: Path) -> list[Path]:
    return sorted(Path(folder, name) for folder, _, names in os.walk(parent) for name in names)


def _meta(folder: Path) -> dict[str, Tree]:
    """The folder's `meta.yaml`; empty where it is missing or no mapping."""
    try:
        text = (folder / META).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    try:
        meta = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        return {}
    return meta if isinstance(meta, dict) else {}


def _model_metrics(model: Path, losses: list[Loss]) -> Iterator[ModelMetric]:
    """Lines of `time value step run [dataset digest]` (`_get_model_metrics_from_line`, 3.17.2)."""
    for path in _files(model / "metrics"):
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
    if time not in _INT64 or step not in _INT64:
        return None
    names = words[4:6] if len(words) >= 6 else (None, None)
    return ModelMetric(key, value, time, step, run_id, *names)


def _word(words: dict[int, str], value: Tree) -> str:
    """An enumerated value, which the store writes as a number."""
    return words.get(value, str(value)) if isinstance(value, int) else str(value)


def _text(value: Tree) -> str | None:
    return None if value in (None, "") else str(value)


def _integer(value: Tree) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
