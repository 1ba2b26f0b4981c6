"""Which trackers there are: from a name to its reader or writer.

Built-in readers and writers are named by a dotted string and imported when they are first asked
for; others come from packages that declare an entry point in `runferry.readers` or
`runferry.writers`. A built-in name cannot be taken over.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, cast

from runferry.errors import BadLocation, BadPlugin, RunferryError
from runferry.model import Run
from runferry.ports import Limits, Location, Reader, ReadOptions, Writer
from runferry.writer_ports import (
    Awaited,
    AwaitingWriter,
    GrowthWriter,
    OneWayWriter,
    PlaceWriter,
    ServerWriter,
)

EndRole = Literal["source", "destination"]

ARCHIVE = "archive"
ANY = "any"  # whatever lies below a folder

STORES: dict[str, tuple[str, ...]] = {
    "csv": (),
    "jsonl": (),
    "mlflow": (".db", ".sqlite", ".sqlite3"),
    "parquet": (),
}
"""Trackers whose runs lie in a store, with the suffixes of stores that are one file.

A store may stand anywhere in a tree and is recognised at its own place only; nothing inside it is a
run of another tracker. Readers of everything else find their runs below a folder by themselves.
"""

SERVICES = frozenset({"clearml", "neptune", "neptune-models", "wandb"})
"""Trackers that mean the user's own account when nothing stands behind their name."""

MARKS = {
    ARCHIVE: "archive.json",
    "csv": "runferry.json",
    "jsonl": "runferry.json",
    "parquet": "runferry.json",
}
"""The file without which a folder is no such store, where there is one."""

TABLES: dict[str, tuple[str, ...]] = {
    "csv": (".csv", ".tsv"),
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet",),
}
"""Readers of any table, with the suffixes of files: theirs is what nobody else recognises, and only
if it is named."""

_READERS = {
    "aim": "runferry.readers.aim:AimReader",
    ANY: "runferry.anywhere:AnyReader",
    ARCHIVE: "runferry.archive.as_source:ArchiveReader",
    "clearml": "runferry.readers.clearml.reader:ClearmlReader",
    "comet": "runferry.readers.comet:CometReader",
    "csv": "runferry.readers.plain_files:CsvFiles",
    "dvclive": "runferry.readers.dvclive:DvcliveReader",
    "hf_trainer": "runferry.readers.hf_trainer:HfTrainerReader",
    "hydra": "runferry.readers.hydra:HydraReader",
    "jsonl": "runferry.readers.plain_files:JsonLinesFiles",
    "keras": "runferry.readers.keras:KerasReader",
    "lightning": "runferry.readers.lightning:LightningReader",
    "mlflow": "runferry.readers.mlflow:MlflowReader",
    "neptune": "runferry.readers.neptune.reader:NeptuneReader",
    "neptune-models": "runferry.readers.neptune.reader:NeptuneModelsReader",
    "parquet": "runferry.readers.plain_files:ParquetFiles",
    "ray_tune": "runferry.readers.ray_tune:RayTuneReader",
    "sacred": "runferry.readers.sacred:SacredReader",
    "sb3": "runferry.readers.sb3:StableBaselinesReader",
    "swanlab": "runferry.readers.swanlab.reader:SwanlabReader",
    "tensorboard": "runferry.readers.tensorboard:TensorboardReader",
    "trackio": "runferry.readers.trackio:TrackioReader",
    "wandb": "runferry.readers.wandb.reader:WandbReader",
    "wandb_csv": "runferry.readers.wandb_csv:WandbCsvReader",
}
_WRITERS = {
    "aim": "runferry.writers.aim:AimWriter",
    ARCHIVE: "runferry.archive.as_destination:ArchiveWriter",
    "clearml": "runferry.writers.clearml:ClearmlWriter",
    "csv": "runferry.writers.csv_folder:CsvFolderWriter",
    "jsonl": "runferry.writers.jsonl_folder:JsonLinesFolderWriter",
    "mlflow": "runferry.writers.mlflow:MlflowWriter",
    "neptune": "runferry.writers.neptune:NeptuneWriter",
    "parquet": "runferry.writers.parquet_folder:ParquetFolderWriter",
    "swanlab": "runferry.writers.swanlab:SwanlabWriter",
    "tensorboard": "runferry.writers.tensorboard:TensorboardWriter",
    "trackio": "runferry.writers.trackio:TrackioWriter",
    "wandb": "runferry.writers.wandb:WandbWriter",
}
_GROUPS = {"source": "runferry.readers", "destination": "runferry.writers"}


def reader_names() -> tuple[str, ...]:
    """Every name that can be read from, sorted."""
    return tuple(sorted({*_READERS, *_plugins("source")}))


def writer_names() -> tuple[str, ...]:
    """Every name that can be written to, sorted."""
    return tuple(sorted({*_WRITERS, *_plugins("destination")}))


def reader(name: str) -> type[Reader]:
    """The reader of this name. Raises BadLocation, MissingExtra."""
    return cast("type[Reader]", _load(name, "source", _READERS))


def writer(name: str) -> type[Writer]:
    """The writer of this name. Raises BadLocation, MissingExtra."""
    return cast("type[Writer]", _load(name, "destination", _WRITERS))


def limits_of(place: Location) -> Limits:
    """What a destination can hold. Raises BadLocation, MissingExtra."""
    kind = writer(place.tracker)
    return kind.limits_at(place) if isinstance(kind, PlaceWriter) else kind.limits


def limits_by_place(name: str) -> dict[str, Limits]:
    """What the places of a writer can hold: under its name alone, and with a word for others.

    Raises BadLocation, MissingExtra.
    """
    kind = writer(name)
    others: Mapping[str, Limits] = kind.elsewhere if isinstance(kind, PlaceWriter) else {}
    return {name: kind.limits} | {f"{name} {word}": others[word] for word in others}


def is_path(place: Location) -> bool:
    """Whether a destination that is no URL is a path of this machine, as its writer says.

    Raises BadLocation, MissingExtra.
    """
    kind = writer(place.tracker)
    return not isinstance(kind, ServerWriter) or kind.is_path(place)


def takes_growth(place: Location) -> bool:
    """Whether a run may go there before it has ended, and again with what came since.

    Where its writer does not say it: to files, and where rows are added to what is there. Raises
    BadLocation, MissingExtra.
    """
    kind = writer(place.tracker)
    if isinstance(kind, GrowthWriter):
        return kind.takes_growth(place)
    return limits_of(place).resend != "atomic" or is_path(place)


def growing_writer(place: Location, *, is_ending: bool) -> Callable[[], Writer]:
    """What opens a writer for runs that may not have ended; at the end nothing more comes to them.

    Raises BadLocation, MissingExtra.
    """
    kind = writer(place.tracker)
    if isinstance(kind, GrowthWriter) and kind.takes_growth(place):
        # the class of a writer is known to be one by the protocol of writers
        return cast("Callable[[], Writer]", partial(kind.open_growing, place, is_ending=is_ending))
    return partial(kind.open, place)


def conclude(place: Location, runs: Sequence[Run]) -> None:
    """Say at a place that nobody adds to these runs any more, where it has to be said.

    Raises what writing there raises.
    """
    kind = writer(place.tracker)
    if isinstance(kind, GrowthWriter):
        kind.conclude(place, runs)


def awaited(place: Location) -> Awaited | None:
    """What has to happen before anything is written to a destination.

    Raises BadLocation, MissingExtra, and what reading its files raises.
    """
    kind = writer(place.tracker)
    return kind.awaited(place) if isinstance(kind, AwaitingWriter) else None


def is_readable(place: Location) -> bool:
    """Whether what a destination holds can be read back. Raises BadLocation, MissingExtra."""
    kind = writer(place.tracker)
    return not isinstance(kind, OneWayWriter) or kind.is_readable(place)


def meant_by_name(name: str) -> str:
    """The place that the name of a writer alone means; empty where it means none.

    Raises BadLocation, MissingExtra.
    """
    kind = writer(name)
    return kind.meant_by_name() if isinstance(kind, ServerWriter) else ""


def loose_names() -> tuple[str, ...]:
    """Readers whose runs may lie anywhere below a folder, and are found by themselves.

    A plugin that is none of them is passed over, and told of by `passed_over`.
    """
    others = {ANY, ARCHIVE, *STORES, *TABLES}
    return tuple(name for name in sound_names("source") if name not in others)


def sound_names(role: EndRole) -> tuple[str, ...]:
    """Every name that can stand on this end, without the plugins that do not load.

    Those are told of by `passed_over`.
    """
    built_in = _READERS if role == "source" else _WRITERS
    return tuple(name for name in names(role) if name in built_in or _is_sound(name, role))


def recognises(name: str, path: Path) -> bool:
    """Whether a reader says that a path is its own. Raises OSError.

    A plugin that fails at that recognises nothing, and is told of by `passed_over`.
    """
    kind = reader(name)
    try:
        with blamed(name, f"cannot tell whether {path} is its own"):
            return kind.recognises(path)
    except BadPlugin as error:
        pass_over(name, error)
        return False


def opened(place: Location, options: ReadOptions) -> Reader:
    """The reader of a place. Raises what opening it raises, and BadPlugin."""
    kind = reader(place.tracker)
    with blamed(place.tracker, f"cannot open {place}"):
        return kind.open(place, options)


def headers(name: str, listing: Callable[[], Iterable[Run]]) -> Iterator[Run]:
    """The runs that a reader lists. Raises what listing them raises, and BadPlugin."""
    with blamed(name, "cannot list its runs"):
        listed = iter(listing())  # a plugin may as well make a list, and fail at that
    return _one_by_one(name, listed)


def _one_by_one(name: str, listed: Iterator[Run]) -> Iterator[Run]:
    while True:
        with blamed(name, "cannot list its runs"):
            run = next(listed, None)
        if run is None:
            return
        yield run


@contextmanager
def blamed(name: str, what: str) -> Iterator[None]:
    """What the reader of a plugin raises within, and no reader may raise, is a BadPlugin.

    Not so errors of files, and those of runferry's tree, to which a plugin may add its own.
    """
    try:
        yield
    except (OSError, RunferryError):
        raise
    except Exception as error:
        point = None if name in _READERS else _plugins("source").get(name)
        if point is None or type(error).__module__.startswith("runferry."):  # our own stop, or bug
            raise
        raise _bad(point, f"{what} ({type(error).__name__}: {error})") from error


def passed_over() -> tuple[BadPlugin, ...]:
    """The plugins that failed where others went on, each once."""
    return tuple(_passed_over.values())


def pass_over(name: str, error: BadPlugin) -> None:
    """Go on without this reader, or without the rest of its runs: it is told of at the end."""
    _passed_over.setdefault(("source", name), error)


_passed_over: dict[tuple[EndRole, str], BadPlugin] = {}


def _is_sound(name: str, role: EndRole) -> bool:
    try:
        _load(name, role, {})
    except BadPlugin as error:
        _passed_over[role, name] = error
        return False
    return True


def names(role: EndRole) -> tuple[str, ...]:
    """Every name that can stand on this end."""
    return reader_names() if role == "source" else writer_names()


def unknown(name: str, role: EndRole) -> BadLocation:
    """The error for a name that cannot stand on this end."""
    known = names(role)
    verb = "read from" if role == "source" else "write to"
    other = writer_names() if role == "source" else reader_names()
    if name in other:
        return BadLocation(
            f"runferry cannot {verb} {name}", hint=f"it can {verb} {', '.join(known)}"
        )
    close = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
    return BadLocation(f"no tracker is called {name}", hint=guess)


@cache
def _plugins(role: EndRole) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUPS[role])}


def _load(name: str, role: EndRole, built_in: dict[str, str]) -> object:
    dotted = built_in.get(name)
    if dotted is not None:
        module, _, attribute = dotted.partition(":")
        return getattr(import_module(module), attribute)
    point = _plugins(role).get(name)
    if point is None:
        raise unknown(name, role)
    return _loaded(point, Reader if role == "source" else Writer)


@cache
def _loaded(point: EntryPoint, protocol: type) -> object:
    """What another package offers. Raises BadPlugin."""
    try:
        offered = point.load()
    except Exception as error:
        raise _bad(point, f"does not load ({type(error).__name__}: {error})") from error
    wanted = {*vars(protocol), *protocol.__annotations__}
    lacking = sorted(n for n in wanted if not n.startswith("_") and not hasattr(offered, n))
    if lacking:
        raise _bad(point, f"is no {protocol.__name__.lower()}: it lacks {', '.join(lacking)}")
    if offered.name != point.name:
        raise _bad(point, f"calls itself {offered.name!r}")
    return offered


def _bad(point: EntryPoint, why: str) -> BadPlugin:
    package = point.dist.name if point.dist is not None else point.module
    return BadPlugin(
        f"`{point.name}` of the package {package} {why}",
        where=f"entry point {point.group}: {point.value}",
        hint=f"pip install -U {package}, or pip uninstall {package}",
    )
