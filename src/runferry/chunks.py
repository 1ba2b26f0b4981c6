"""Chunks: what a reader yields and a writer takes.

Rows travel as Arrow record batches whose schemas are in `runferry.tables`; everything that is few
per run travels as dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from runferry.losses import Loss
from runferry.model import (
    ArtifactEntry,
    Attribute,
    Blob,
    FileRole,
    MediaItem,
    Run,
    Series,
    Tree,
)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Header:
    """The run's header as known by now; the last one wins over what `runs()` gave."""

    run: Run


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes; a later one of the same role and path replaces an earlier one.

    With `is_whole` these are all there are: what was given before and is not among them is gone.
    """

    items: tuple[Attribute, ...]
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """Declares series (before their first row), or restates what is known of them."""

    items: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Points:
    """Scalars, one row a value: a batch of `tables.POINTS`."""

    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Texts:
    """Strings and JSON values: a batch of `tables.TEXTS`."""

    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Histograms:
    """Edges and counts as stored: a batch of `tables.HISTOGRAMS`."""

    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Console:
    """What the run printed: a batch of `tables.CONSOLE`.

    `seq` is the order of the lines. Their place among other rows is known only where the source
    wrote both in one order; a log file of its own is numbered by itself.
    """

    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Media:
    """Media with their bytes."""

    items: tuple[MediaItem, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the run; `path` is the source's, with `/`, and is data, never a place on a disk."""

    path: str
    role: FileRole
    blob: Blob


@dataclass(frozen=True, slots=True)
class Artifact:
    """A version of an artifact that the run produced or used."""

    name: str
    type: str
    relation: Literal["produced", "used"]
    version: str | None = None
    artifact_id: str | None = None
    aliases: tuple[str, ...] = ()
    description: str | None = None
    metadata: Tree = None
    digest: str | None = None
    entries: tuple[ArtifactEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report, a sweep's definition, a dataset: something of its own kind, kept as a tree."""

    kind: str
    name: str
    body: Tree


@dataclass(frozen=True, slots=True)
class Raw:
    """A record that nothing above can hold, and why it is here.

    The payload is the source's bytes, or where the source has fields, these as `tables.dumps`
    spells them.
    """

    record_type: str
    reason: str
    payload: bytes
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The reader could not carry something; a count below zero takes back that it said so."""

    loss: Loss


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that was yielded so far can be continued from `position`, the reader's own words."""

    position: Tree


Chunk: TypeAlias = (
    Header
    | Attributes
    | SeriesFacts
    | Points
    | Texts
    | Histograms
    | Media
    | Console
    | File
    | Artifact
    | Document
    | Raw
    | Lost
    | Checkpoint
)
