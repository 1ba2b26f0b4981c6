"""What a migration leaves out unless it is asked for. The archive keeps it all the same.

Between two trackers, runferry leaves out what the destination has no use for: the settings of the
source's client, its own keeping of books. Each such thing has a switch that includes it. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from runferry import chunks
from runferry.chunks import Chunk
from runferry.errors import UsageError
from runferry.losses import Fate, Loss
from runferry.model import (
    Attribute,
    DataKind,
    Inventory,
    KeyPath,
    Series,
    SeriesCounts,
)
from runferry.transfer.foretell import MEDIA_KINDS
from runferry.transfer.value_types import ValueTypes

MODELS: Final = "models"
OBJECTS: Final = "objects"
OWN_SUMMARY: Final = "_summary"
OWN_METRICS: Final = "_metrics"
OWN_ATTRIBUTES: Final = "_attributes"
REPORTS: Final = "reports"
EVERY: Final = "all"

SWITCHES: Final[Mapping[str, str]] = {
    MODELS: "models, which W&B keeps as artifacts",
    OBJECTS: "W&B's own types: media, tables, plots, histograms, artifacts",
    OWN_SUMMARY: "keys of the summary that begin with `_`",
    OWN_METRICS: "metrics that begin with `_`",
    OWN_ATTRIBUTES: "attributes of the run that begin with `_`",
    "artifact/": "files below `artifact/`",
    "config.yaml": "files that begin with `config.yaml`",
    "media/": "files below `media/`",
    "wandb-": "files that begin with `wandb-`",
    REPORTS: "reports of a project, which are no run: the archive has them",
}
"""Each names what it includes; those of files are how the files' paths begin."""

_ROADS: Final = {("wandb", "neptune"): frozenset(SWITCHES) - {REPORTS}}
_FILE_SWITCHES: Final = ("artifact/", "config.yaml", "media/", "wandb-")
_OBJECT_KINDS: Final[frozenset[DataKind]] = frozenset({"media", "histogram"})


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What is left out of the runs of one tracker on their way to another."""

    switches: frozenset[str] = frozenset()
    types: ValueTypes = field(default_factory=ValueTypes)

    @classmethod
    def between(cls, source: str, destination: str, included: Iterable[str] = ()) -> Exclusions:
        """What is left out on this road. Raises UsageError for a switch that there is not."""
        wanted = frozenset(included)
        for unknown in sorted(wanted - SWITCHES.keys() - {EVERY}):
            raise UsageError(
                f"nothing that is left out is called {unknown}",
                hint=f"what can be included: {', '.join((*SWITCHES, EVERY))}",
            )
        if EVERY in wanted:
            return cls()
        return cls(_ROADS.get((source, destination), frozenset()) - wanted)

    def __bool__(self) -> bool:
        return bool(self.switches or self.types)

    @property
    def words(self) -> str:
        """Tells what is left out from any other choice; empty where nothing is."""
        named = (f"only-{name}" for name in sorted(self.types.names))
        return "~".join((*sorted(self.switches), *named))

    # --- foresight

    def without(self, inventory: Inventory) -> Inventory:
        """The inventory of what is sent, with what is left out as losses."""
        if not self:
            return inventory
        left = dict(self._attributes(inventory.attributes))
        sent = replace(
            self._without_series(inventory),
            attributes=tuple(a for a in inventory.attributes if (a.role, a.path) not in left),
            files=tuple(path for path in inventory.files if not self._file(path)),
            artifacts=tuple(a for a in inventory.artifacts if not self._artifact(a.type)),
        )
        losses = (
            *_by_first_name(left),
            *self._files(inventory.files),
            *self._artifacts(item.type for item in inventory.artifacts),
            *self._series_left_out(inventory),
            *self.types.media(self._media(inventory)),
        )
        return replace(sent, rows=self._rows(inventory, sent), left_out=losses)

    def _without_series(self, inventory: Inventory) -> Inventory:
        series: list[Series] = []
        mixed: dict[str, dict[DataKind, SeriesCounts]] = {}
        for item in inventory.series:
            kept = {k: c for k, c in inventory.kinds_of(item) if self._takes(item, k)}
            if kept:
                series.append(_of_kinds(item, kept))
                others = {k: c for k, c in kept.items() if k != series[-1].kind}
                mixed |= {item.key: others} if others else {}
        return replace(inventory, series=tuple(series), mixed=mixed)

    def _series_left_out(self, inventory: Inventory) -> Iterator[Loss]:
        for item in inventory.series:
            for kind, counts in inventory.kinds_of(item):
                if not self._takes_switched(item, kind):
                    switch = OWN_METRICS if self._is_own(item) else OBJECTS
                    yield left_out(switch, item.key, max(counts.points, 1))
                else:
                    yield from self.types.left_out(item, kind, counts)

    def _media(self, inventory: Inventory) -> dict[str, int]:
        """How many media there are that no switch leaves out, by type."""
        if OBJECTS in self.switches:
            return {}
        others = _told(inventory, ("file", "other"))  # of files and attributes, not of media
        return {kind: inventory.rows.get(kind, 0) - others[kind] for kind in MEDIA_KINDS}

    def _rows(self, inventory: Inventory, sent: Inventory) -> dict[str, int]:
        """How many are sent, by kind; of each type of media either all or none."""
        rows = Counter(inventory.rows)
        for kind in MEDIA_KINDS:
            if OBJECTS in self.switches or not self.types.takes_medium(kind):
                del rows[kind]
                rows += _told(inventory, {kind} & {"file", "other"})  # files and attributes
        rows -= _told(inventory) - _told(sent)
        return dict(rows)

    def _takes(self, series: Series, kind: DataKind) -> bool:
        return self._takes_switched(series, kind) and self.types.takes(kind)

    def _takes_switched(self, series: Series, kind: DataKind) -> bool:
        return not self._is_own(series) and not (kind in _OBJECT_KINDS and OBJECTS in self.switches)

    def _is_own(self, series: Series) -> bool:
        return OWN_METRICS in self.switches and series.path[0].startswith("_")

    def _attributes(
        self, items: Iterable[Attribute]
    ) -> Iterator[tuple[tuple[str, KeyPath], tuple[str, str]]]:
        """Which are left out, by role and path: (switch, first name)."""
        for item in items:
            begins_so = item.path[0].startswith("_")
            if item.role == "config":
                continue
            if begins_so:
                switch = OWN_SUMMARY if item.role == "summary" else OWN_ATTRIBUTES
            elif item.role == "summary" and _is_object(item):
                switch = OBJECTS
            else:
                continue
            if switch in self.switches:
                yield (item.role, item.path), (switch, f"{item.role}.{item.path[0]}")

    def _files(self, paths: Iterable[str]) -> Iterator[Loss]:
        counts = Counter(switch for path in paths if (switch := self._file(path)))
        return (left_out(switch, switch, count) for switch, count in counts.items())

    def _file(self, path: str) -> str | None:
        """The switch by which a file is left out."""
        for switch in _FILE_SWITCHES:
            if path.startswith(switch) and switch in self.switches:
                return switch
        return None

    def _artifacts(self, types: Iterable[str]) -> Iterator[Loss]:
        left = ((switch, word) for word in types if (switch := self._artifact(word)))
        return (left_out(switch, place, count) for (switch, place), count in Counter(left).items())

    def _artifact(self, artifact_type: str) -> str | None:
        switch = MODELS if artifact_type == "model" else OBJECTS
        return switch if switch in self.switches else None

    # --- sending, and comparing

    def of(self, source: Iterable[Chunk], sent: Inventory) -> Iterator[Chunk]:
        """A run's chunks without what is left out; `sent` is what `without` gave."""
        if not self:
            yield from source
            return
        keys = {series.key for series in sent.series}
        for chunk in source:
            kept = self.types.of(chunk)
            kept = kept and self._chunk(kept, keys)
            if kept is not None:
                yield kept

    def _chunk(self, chunk: Chunk, keys: set[str]) -> Chunk | None:
        from runferry.transfer.rows import rekeyed

        match chunk:
            case chunks.Attributes(items):
                left = dict(self._attributes(items))
                return replace(chunk, items=tuple(a for a in items if (a.role, a.path) not in left))
            case chunks.SeriesFacts(items):
                return chunks.SeriesFacts(tuple(s for s in items if s.key in keys))
            case chunks.Media() | chunks.Histograms() if OBJECTS in self.switches:
                return None
            case chunks.Points(batch) | chunks.Texts(batch) | chunks.Histograms(batch):
                return replace(chunk, batch=rekeyed(batch, lambda k: k if k in keys else None))
            case chunks.Media(items):
                return chunks.Media(tuple(item for item in items if item.key in keys))
            case chunks.File(path):
                return None if self._file(path) else chunk
            case chunks.Artifact(type=artifact_type):
                return None if self._artifact(artifact_type) else chunk
            case _:
                return chunk


def _told(inventory: Inventory, kinds: Container[str] | None = None) -> Counter[str]:
    """How many there are of what an inventory tells one by one, by kind as in its rows."""
    counts = Counter[str](attribute.role for attribute in inventory.attributes)
    counts["file"] = len(inventory.files)
    counts["artifact"] = len(inventory.artifacts)
    for series in inventory.series:
        for name, told in inventory.kinds_of(series):
            counts[name] += told.points if name != "media" else 0
    return counts if kinds is None else Counter({k: n for k, n in counts.items() if k in kinds})


def _is_object(item: Attribute) -> bool:
    """Whether this stands for a value of W&B's own types, which is one mapping."""
    return isinstance(item.value, Mapping) and "_type" in item.value


def _by_first_name(left: Mapping[tuple[str, KeyPath], tuple[str, str]]) -> Iterator[Loss]:
    for (switch, place), count in Counter(left.values()).items():
        yield left_out(switch, place, count)


def left_out(switch: str, where: str, count: int) -> Loss:
    """That so many things are left out, and how they are included."""
    return Loss(
        "left-out", Fate.EXCLUDED, where, count, f"{SWITCHES[switch]}; `{switch}` includes them"
    )


def _of_kinds(series: Series, kept: Mapping[DataKind, SeriesCounts]) -> Series:
    if series.kind in kept:
        return series
    kind = next(iter(kept))
    return replace(series, kind=kind, counts=kept[kind])
