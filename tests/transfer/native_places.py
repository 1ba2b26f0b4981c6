"""What trackers are given of a run, read without the exact copy that lies beside it.

The readers see somebody's run there, whose names are the tracker's. What they stand for is known
by how the writer spells it, so that each value is compared with its original.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from runferry import chunks, registry
from runferry.archive.store import Archive
from runferry.chunks import Chunk
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Blob, Cursor, Inventory, Run, Series
from runferry.ports import Limits, Location, Reader, ReadOptions
from runferry.transfer.destination import ledger_key
from runferry.transfer.plan import plan
from runferry.writers.aim.limits import LIMITS as AIM
from runferry.writers.clearml.limits import LIMITS as CLEARML
from runferry.writers.clearml.titles import Titles
from runferry.writers.swanlab.limits import CLOUD_LIMITS
from runferry.writers.trackio.limits import LIMITS as TRACKIO

_ANY = 1 << 40


@dataclass(frozen=True)
class NativePlace:
    """A destination of `ways_there`, and what stands there for others."""

    copies: str
    """Which folders hold the exact copies, as a glob below the test's folder."""
    limits: Limits
    """What the tracker's own form holds of a run."""
    names: Callable[[Series, str | None], Iterable[str]]
    """The keys of a series there; what was reported of its new name, if anything."""
    attribute: Callable[[Attribute], str]
    """The role and path of an attribute there, joined by dots."""
    more: Mapping[tuple[str, str], Fate] = field(default_factory=dict)
    """What no limits have a word for, by code and place (of each run)."""
    lines: int = 0
    """How many lines of a run's console are not the same."""


def _swanlab_names(series: Series, renamed: str | None) -> Iterable[str]:
    prefix = "__swanlab__." if series.stream == "system" else ""
    return f"{prefix}{series.key}", f"{series.key} (text)"


def _swanlab_attribute(item: Attribute) -> str:
    above = {"config": (), "environment": ("environment",)}.get(item.role, (item.role,))
    role = item.role if item.role == "environment" else "config"
    return ".".join((role, *above, *item.path))


def _clearml_names(series: Series, renamed: str | None) -> Iterable[str]:
    if renamed is not None:
        return (renamed.removeprefix("as ").replace(" / ", "."),)
    return (".".join(Titles({series.key: series}).of(series.key)),)


def _clearml_attribute(item: Attribute) -> str:
    if item.role == "config":
        path = item.path if len(item.path) > 1 else ("General", *item.path)
        return ".".join(("config", *path))
    if item.role == "summary" and isinstance(item.value, (int, float)):
        return ".".join(("summary", *item.path))
    return ".".join(("config", item.role.title(), *item.path))


def _aim_names(series: Series, renamed: str | None) -> Iterable[str]:
    if renamed is not None:
        return (renamed.removeprefix("Aim has it as "), series.key)
    return (series.key,)


def _aim_attribute(item: Attribute) -> str:
    if item.role == "environment":
        return ".".join(("environment", *item.path))
    roles = {"config": (), "summary": ("summary",)}
    return ".".join(("config", *roles.get(item.role, ("reference",)), *item.path))


def _trackio_names(series: Series, renamed: str | None) -> Iterable[str]:
    return (series.key,)


def _trackio_attribute(item: Attribute) -> str:
    roles = {"config": (), "summary": ("summary",), "environment": ("environment",)}
    return ".".join(("config", *roles.get(item.role, ("reference",)), *item.path))


def _alone(limits: Limits, *dropped: str, **others: Fate) -> Limits:
    """The same, where nothing is beside: what would be exact there is at best near."""
    near = {
        name: Fate.ROUNDED
        for name, fate in ((one.name, getattr(limits, one.name)) for one in fields(limits))
        if fate is Fate.REENCODED
    }
    rounded = {
        kind: max(fate, Fate.ROUNDED) if fate is not Fate.KEPT else fate
        for kind, fate in limits.holds.items()
    }
    holds = {kind: Fate.DROPPED if kind in dropped else fate for kind, fate in rounded.items()}
    return replace(limits, holds=holds, **(near | others))  # type: ignore[arg-type]


def _header(*names: str) -> Mapping[tuple[str, str], Fate]:
    return {("header-field", name): Fate.ROUNDED for name in names}


_MISSING = {("series-facts", "a/image"): Fate.ROUNDED, ("repeated-step", "a/image"): Fate.DROPPED}
"""Bytes that the source names and nobody has leave no row, and no series of them."""
_AS_A_CHART = {
    ("series-kind", "weights"): Fate.ROUNDED,
    ("repeated-step", "weights"): Fate.DROPPED,
    ("missing", "weights"): Fate.DROPPED,
    ("invented", "weights"): Fate.DROPPED,
    ("value", "table"): Fate.ROUNDED,
    ("missing", "table"): Fate.DROPPED,
}
"""A histogram becomes a plot, which the comparison tells as one row gone and one more."""
_COMMON_HEADER = ("name", "notes", "status", "exit_code", "client")
_FLAT = {
    ("config", "config.deep.er"): Fate.DROPPED,
    ("config", "config.tagged"): Fate.DROPPED,
    ("environment", "environment.gpu"): Fate.DROPPED,
}
"""A value that is a mapping is read back as a value for each of its names."""
_IMAGE_FACTS = {
    (f"media-{fact}", "boxed"): Fate.ROUNDED for fact in ("caption", "metadata", "path")
}
_WORDS = "损失/训练"
_NOT_IN_AIM = ("boxed", "clip", "a_image", "table", "weights")
"""Bytes that are no picture, a histogram up to infinity, and what Aim has no kind for."""
_OTHER_NAMES = {
    (code, key): fate
    for key in ("cpu", _WORDS)
    for code, fate in (("renamed-key", Fate.RENAMED), ("key-path", Fate.ROUNDED))
}

NATIVE: Mapping[str, NativePlace] = {
    "swanlab-folder": NativePlace(
        "there/runferry",
        CLOUD_LIMITS,
        _swanlab_names,
        _swanlab_attribute,
        _MISSING
        | _AS_A_CHART
        | _OTHER_NAMES
        | _FLAT
        | {
            ("invented", f"{_WORDS} (text)"): Fate.DROPPED,
            ("value", "clip"): Fate.ROUNDED,  # a GIF is an image there
        },
    ),
    "clearml-folder": NativePlace(
        "there/*/runferry",
        _alone(CLEARML, "text", "document", "raw", null_value=Fate.DROPPED),
        _clearml_names,
        _clearml_attribute,
        _MISSING
        | _AS_A_CHART
        | _IMAGE_FACTS
        | _header("job_type", "host", "project", "complete", *_COMMON_HEADER)
        | {
            ("invented", "Summary.best"): Fate.DROPPED,  # a series too
            ("renamed-key", ""): Fate.RENAMED,
            ("key-path", ""): Fate.ROUNDED,
            ("value", "a_image"): Fate.ROUNDED,  # of no known type without an ending
        },
        lines=1,
    ),
    "aim-repository": NativePlace(
        "there/.aim/runferry",
        _alone(
            AIM,
            *("video", "table", "html", "object3d", "molecule"),
            *("file", "artifact", "document", "raw"),
            null_value=Fate.DROPPED,
            duplicate_point=Fate.DROPPED,
            repeated_step=Fate.DROPPED,
            attribute_type=Fate.ROUNDED,
        ),
        _aim_names,
        _aim_attribute,
        _MISSING
        | _FLAT
        | _IMAGE_FACTS
        | _header("complete", "state", "project", *_COMMON_HEADER)
        | {("series-facts", key): Fate.ROUNDED for key in _NOT_IN_AIM}
        | {
            ("missing", "boxed"): Fate.DROPPED,
            ("duplicate-point", "boxed"): Fate.DROPPED,  # as what is missing may be, by the limits
            ("null-step", _WORDS): Fate.DROPPED,  # a number of its own, which another value has
            ("null-time", ""): Fate.ROUNDED,
            ("invented", f"{_WORDS}~2"): Fate.DROPPED,
        },
        lines=1,
    ),
    "trackio-project": NativePlace(
        "trackio/runferry",
        _alone(
            TRACKIO,
            *("console", "file", "artifact", "document", "raw"),
            attribute_type=Fate.ROUNDED,
        ),
        _trackio_names,
        _trackio_attribute,
        _MISSING
        | _FLAT
        | _IMAGE_FACTS
        | _header("project", "state", "complete", "tags", *_COMMON_HEADER)
        | {("value", "table"): Fate.ROUNDED},  # another form of its columns and rows
    ),
}


def take_copies_away(place: NativePlace, folder: Path) -> None:
    """Leave what the tracker reads."""
    found = [*folder.glob(place.copies)]
    assert found
    for copy in found:
        shutil.rmtree(copy)


def tell(archive: Archive, there: Location, place: NativePlace) -> None:
    """Reported losses are final where nothing stands beside, and so is what no limits say."""
    for record in archive.records():
        delivery = archive.ledger.get(record.run.uid, ledger_key(there))
        assert delivery is not None
        inventory = archive.inventory(record)
        planned = plan(inventory, registry.limits_of(there))
        foretold = (*planned.losses, *planned.possible)  # for where the copy is beside
        told = [
            replace(loss, fate=max(loss.fate, Fate.ROUNDED))
            for loss in delivery.losses
            if loss not in foretold
        ]
        told += [Loss(code, fate, where, _ANY) for (code, where), fate in place.more.items()]
        told.append(Loss("value", Fate.ROUNDED, "", place.lines))
        archive.ledger.put(replace(delivery, losses=tuple(told)))


def reading(archive: Archive, there: Location, place: NativePlace) -> Callable[[], Reader]:
    """Opens a reader of what is there under the names of the archive."""
    kind = registry.reader(there.tracker)
    key = ledger_key(there)
    return lambda: _Spelled(kind.open(there, ReadOptions()), archive, place, key)


class _Spelled:
    name = "spelled"

    def __init__(
        self, reader: Reader, archive: Archive, place: NativePlace, destination: str
    ) -> None:
        self._reader = reader
        self._archive = archive
        self._destination = destination
        self._place = place

    def runs(self) -> Iterator[Run]:
        records = [*self._archive.records()]
        for run in self._reader.runs():
            (uid,) = (
                record.run.uid
                for record in records
                if run.key.run_id
                in (record.run.key.run_id, f"offline-{record.run.uid}", record.run.uid[:24])
            )
            yield replace(run, origin_uid=uid)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        assert run.origin_uid is not None
        record = self._archive.record(run.origin_uid)
        assert record is not None
        inventory = self._archive.inventory(record)
        names = dict(self._names(inventory))
        attributes = {self._place.attribute(item): item for item in inventory.attributes}
        blobs = set[str]()
        for chunk in self._reader.read(replace(run, origin_uid=None), after):
            match chunk:
                case chunks.Header(said):
                    yield chunks.Header(replace(said, origin_uid=run.origin_uid))
                case chunks.SeriesFacts(items):
                    yield chunks.SeriesFacts(
                        tuple(replace(one, original_key=names.get(one.key)) for one in items)
                    )
                case chunks.Attributes(given):
                    yield chunks.Attributes(tuple(_of_original(given, attributes)))
                case chunks.Media(media):  # where a tracker put them is no fact of the original
                    yield chunks.Media(tuple(replace(item, path=None) for item in media))
                case chunks.File(_, _, blob):
                    blobs.add(_digest(blob))
                case chunks.Artifact():
                    blobs.update(_digest(entry.blob) for entry in chunk.entries)
                case _:
                    yield chunk
        yield from self._with_bytes(self._archive.chunks(record), blobs)

    def _names(self, inventory: Inventory) -> Iterator[tuple[str, str]]:
        """What each series there is called, and its original."""
        delivery = self._archive.ledger.get(inventory.run.uid, self._destination)
        assert delivery is not None
        told = {one.where: one.detail for one in delivery.losses if one.code == "renamed-key"}
        for series in inventory.series:
            for name in self._place.names(series, told.get(series.key)):
                yield name, series.key

    def _with_bytes(self, originals: Iterable[Chunk], blobs: set[str]) -> Iterator[Chunk]:
        """Files, and artifacts, all of whose bytes are there, wherever they lie."""
        for chunk in originals:
            match chunk:
                case chunks.File(_, _, blob) if not blob.is_missing and _digest(blob) in blobs:
                    yield chunk
                case chunks.Artifact():
                    held = [entry.blob for entry in chunk.entries if not entry.blob.is_missing]
                    if blobs.issuperset(map(_digest, held)):
                        yield chunk
                case _:
                    pass

    def close(self) -> None:
        self._reader.close()


def _of_original(
    given: Iterable[Attribute], originals: Mapping[str, Attribute]
) -> Iterator[Attribute]:
    """Under the role and path that it has in the original; the tracker's own are left out."""
    for item in given:
        original = originals.get(".".join((item.role, *item.path)))
        if original is not None:
            yield replace(item, role=original.role, path=original.path)


def _digest(blob: Blob) -> str:
    if blob.open is None:
        return ""
    with blob.open() as stream:
        return Blob.from_bytes(stream.read()).sha256 or ""
