"""Where everything of one run stands in Neptune; what could not stand where it should is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from runferry import settings
from runferry.dialects.neptune.attribute_paths import (
    ARTIFACTS,
    CHECKPOINTS,
    FILES,
    MODEL_TAGS,
    MONITORING,
    REQUIREMENTS,
    RUNFERRY,
    SOURCE_FILES,
    SYS,
    AttributePaths,
)
from runferry.dialects.neptune.file_places import FilePlaces
from runferry.dialects.neptune.names import TRACKER
from runferry.losses import Fate, Loss
from runferry.model import Attribute, DataKind, FileRole, Run, Series, Uid
from runferry.writers.neptune.held import (
    Held,
    HeldValue,
    of_attributes,
    of_header,
    of_model,
    says_the_same,
)

_FIXED: Final = (
    f"{MONITORING}/stdout", f"{MONITORING}/stderr", SOURCE_FILES, REQUIREMENTS, CHECKPOINTS, FILES,
)  # fmt: skip
_NAMESPACES: Final = (SYS, RUNFERRY, ARTIFACTS)
_NOT_CLEARED: Final = (SYS, RUNFERRY)
"""What a second sending leaves there: Neptune's own fields, and our marks."""
_CHECKPOINT: Final = re.compile(r"ckpt|checkpoint", re.IGNORECASE)


class Layout:
    """The attribute paths of one run. Equal runs give equal paths."""

    def __init__(
        self,
        run: Run,
        uid: Uid,
        run_id: str,
        attributes: Iterable[Attribute],
        series: Mapping[str, Series],
        *,
        keeps_model: bool = False,
    ) -> None:
        """`keeps_model`: a model of Neptune stays one, and becomes no run."""
        self._paths = AttributePaths()
        attributes = tuple(attributes)
        self._series = series
        self._files = FilePlaces(attributes if run.key.tracker == TRACKER else ())
        self._has_whole_names = run.kind in MODEL_TAGS and not keeps_model
        self._tracker = run.key.tracker
        self._placed: dict[tuple[str, DataKind], str] = {}
        self._placed_files: dict[str, str] = {}
        self.renamed: list[Loss] = []
        for path in _FIXED:
            self._paths.place(path)
        for path in _NAMESPACES:
            self._paths.namespace(path)
        if keeps_model:
            self.attributes = tuple(map(self._placed_at, of_model(uid, attributes)))
        else:
            self.attributes = tuple(self._held(run, uid, run_id, attributes))

    def _held(
        self, run: Run, uid: Uid, run_id: str, attributes: tuple[Attribute, ...]
    ) -> Iterator[Held]:
        as_tag = settings.current().neptune_stage_as_tag
        said: dict[str, HeldValue] = {}
        for item in of_header(run, uid, run_id, attributes, stage_as_tag=as_tag):
            said[item.path] = item.value
            yield replace(item, path=self._paths.place(item.path))
        for item in of_attributes(attributes, run.key.tracker, stage_as_tag=as_tag):
            if not (item.path in said and says_the_same(item.value, said[item.path])):
                yield self._placed_at(item)

    def _placed_at(self, item: Held) -> Held:
        return replace(item, path=self._at(item.path, item.path, item.place))

    def series_path(self, key: str, kind: DataKind) -> str:
        """The attribute that holds a series' rows of one kind: Neptune mixes none."""
        placed = self._placed.get((key, kind))
        if placed is None:
            placed = self._placed[key, kind] = self._place(self._wished(key), key)
        return placed

    def file_path(self, key: str, step: int) -> str:
        """The attribute that holds one file of a series that has no series of files."""
        return self._paths.place(_cleared(f"{self._wished(key)}/step_{step}"))

    def _wished(self, key: str) -> str:
        series = self._series.get(key) or Series(key, (key,))
        if self._tracker == TRACKER:
            return "/".join(series.path)
        if series.stream == "user":
            return key
        return f"{MONITORING}/{key.removeprefix('system.').removeprefix('system/')}"

    def of_file(self, path: str, role: FileRole) -> tuple[str, str | None]:
        """The attribute that takes a file, and what the file is called in it; it has no name where
        the attribute is this file alone.

        Files of a model's sets carry the set's path, which is what the vendor's script makes of
        them.
        """
        own = self._files.attribute(path)
        if own is None:
            attribute = file_attribute(path, role)
            return attribute, None if attribute == REQUIREMENTS else name_in_set(path, attribute)
        wished, name = own
        if wished not in self._placed_files:
            is_free = wished not in _FIXED
            self._placed_files[wished] = self._place(wished, wished) if is_free else wished
        attribute = self._placed_files[wished]
        return attribute, path if name is not None and self._has_whole_names else name

    def artifact_path(self, name: str, version: str | None) -> str:
        """The file set that holds an artifact version's bytes, or what tracks them."""
        if self._tracker == TRACKER:
            return self._place(name, name)
        return self._place(f"{ARTIFACTS}/{name}{f':{version}' if version else ''}", name)

    def _place(self, wished: str, place: str) -> str:
        """For what was called so by others, who know nothing of Neptune's own fields."""
        return self._at(wished, _cleared(wished), place)

    def _at(self, wished: str, possible: str, place: str) -> str:
        path = self._paths.place(possible)
        if path != wished:
            self.renamed.append(Loss("renamed-key", Fate.RENAMED, place, 1, f"as {path}"))
        return path


def _cleared(wished: str) -> str:
    """Beside the namespaces that are not cleared: series there would be doubled by a rerun."""
    first, slash, rest = wished.lstrip("/").partition("/")
    return f"{first}~2{slash}{rest}" if first in _NOT_CLEARED else wished


def file_attribute(path: str, role: FileRole) -> str:
    """Which of Neptune's attributes takes a file of the run."""
    if path == "requirements.txt":
        return REQUIREMENTS
    if path.startswith("code/") or role == "source":
        return SOURCE_FILES
    if role == "checkpoint" or _CHECKPOINT.search(path):
        return CHECKPOINTS
    return FILES


def name_in_set(path: str, attribute: str) -> str:
    """What a file is called in its file set."""
    return path.removeprefix("code/") if attribute == SOURCE_FILES else path
