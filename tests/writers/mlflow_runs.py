"""Runs full of what a tracker can hold, as chunks, and the comparison of what comes back."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa

from runferry.chunks import (
    Artifact,
    Attributes,
    Chunk,
    Console,
    Document,
    File,
    Header,
    Histograms,
    Lost,
    Media,
    Points,
    Raw,
    SeriesFacts,
    Texts,
)
from runferry.losses import Fate, Loss
from runferry.model import (
    Address,
    ArtifactEntry,
    Attribute,
    Blob,
    Fork,
    MediaItem,
    Run,
    RunKey,
    Series,
    Tree,
)
from runferry.ports import Location, ReadOptions, RemoteId
from runferry.readers.mlflow import MlflowReader
from runferry.tables import CONSOLE, HISTOGRAMS, POINTS, TEXTS, TIME, conform, dumps
from runferry.writers.mlflow import MlflowWriter

START = 1_700_000_000_000_000  # µs
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89"
    b"\0\0\0\nIDATx\x9cc\0\1\0\0\5\0\1\r\n-\xb4\0\0\0\0IEND\xaeB`\x82"
)


def header(run_id: str = "r1", **facts: object) -> Run:
    given: dict[str, object] = {
        "name": "brave-lion-7",
        "project": "études/α",
        "entity": "team",
        "group": "g",
        "job_type": "train",
        "forked_from": Fork("r0", 12),
        "sweep": "sw1",
        "tags": ("a, b", "ü"),
        "labels": {"plain": "1", "mlflow.runName": "x", "sp ace/..": "y", "long" * 90: "z" * 9000},
        "notes": "first line\nsecond",
        "user": "someone",
        "host": "box",
        "created_ns": START * 1000 + 17,
        "started_ns": START * 1000 + 1_234_567,
        "ended_ns": START * 1000 + 9_000_000_001,
        "status": "crashed",
        "state": "failed",
        "exit_code": 1,
        "complete": True,
        "client": "wandb 0.31.0",
    }
    return Run(key=RunKey("wandb", "études/α", run_id), **(given | facts))  # type: ignore[arg-type]


def points(rows: Iterable[tuple[str, object, object, int]]) -> pa.RecordBatch:
    """Rows of (key, step, value, seq); the kind follows the value's type."""
    listed = list(rows)
    kinds = [
        "null" if v is None else "bool" if isinstance(v, bool) else "int" if isinstance(v, int)
        else "float64" for _, _, v, _ in listed
    ]  # fmt: skip
    columns = {
        "key": pa.array([r[0] for r in listed]),
        "step": pa.array([None if r[1] is None else math.floor(r[1]) for r in listed], pa.int64()),
        "step_frac": pa.array(
            [None if r[1] is None or r[1] % 1 == 0 else round(r[1] % 1 * 1e6) for r in listed],
            pa.int32(),
        ),
        "time": pa.array([START + r[3] * 1500 for r in listed], pa.int64()).cast(TIME),
        "time_ns": pa.array([r[3] % 1000 for r in listed], pa.int16()),
        "value": pa.array([None if r[2] is None else float(r[2]) for r in listed], pa.float64()),
        "value_i64": pa.array(
            [r[2] if k == "int" and float(r[2]) != r[2] else None
             for r, k in zip(listed, kinds, strict=True)], pa.int64(),
        ),
        "kind": pa.array(kinds),
        "seq": pa.array([r[3] for r in listed], pa.int64()),
    }  # fmt: skip
    return conform(pa.RecordBatch.from_pydict(columns), POINTS)


def nasty_points() -> pa.RecordBatch:
    rows: list[tuple[str, object, object, int]] = []
    values = [0.0, -0.0, math.nan, math.inf, -math.inf, 1.7976931348623157e308, 5e-324, 2**60 + 1,
              -(2**62) - 1, True, False, None, 7, 0.1, 1.5]  # fmt: skip
    for seq, value in enumerate(values):
        rows.append(("loss", seq, value, seq))
    rows += [("loss", 3, 0.25, 100), ("loss", 3, 0.25, 100), ("loss", 2, 9.0, 101)]  # dup, falling
    rows += [("frac", 0.25, 1.0, 5), ("frac", 0.25, 1.0, 5), ("frac", -1.5, 2.0, 6)]
    rows += [("frac", 0.28, 1.0, 5), ("null step", None, 3.0, 7), ("null step", None, 3.0, 8)]
    rows += [("cpu", 1, 50.0, 9), ("big", 2**53 + 1, 1.0, 10), ("big", -(2**40), 1.0, 11)]
    return points(rows)


SERIES = (
    Series("loss", ("loss",), goal="minimize", summary_rule="min", x_axis="epoch"),
    Series("frac", ("a", "frac"), original_key="a.frac"),
    Series("null step", ("null step",), hidden=True),
    Series("cpu", ("cpu",), "system"),
    Series("big", ("bïg?",), original_key="bïg?"),
)

VALUES: dict[str, Tree] = {
    "bool": True,
    "int": 3,
    "huge": 2**70,
    "float": 1.0,
    "negative_zero": -0.0,
    "nan": math.nan,
    "inf": math.inf,
    "null": None,
    "text": "3",
    "empty": "",
    "long": "ü" * 7000,
    "bytes": b"\0\xff",
    "time": datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC),
    "list": [1, 1.0, [None]],
    "map": {},
    "nul": "a\0b",
    "surrogate": "a\ud800",
}


def attributes() -> tuple[Attribute, ...]:
    config = [Attribute(("c", name), "config", v, f"c.{name}") for name, v in VALUES.items()]
    return (
        *config,
        Attribute(("k" * 300,), "config", 1, "k" * 240 + "-1"),
        Attribute(("loss",), "summary", 0.5),
        Attribute(("git", "commit"), "environment", "abc"),
        Attribute(("anything",), "other", {"a": [b"x"]}),
    )


def texts() -> pa.RecordBatch:
    return conform(
        pa.RecordBatch.from_pydict(
            {"key": ["note", "note"], "step": [1, 1], "text": ["a", '{"a":1}'],
             "form": ["text", "json"], "seq": [0, 1]}
        ), TEXTS,
    )  # fmt: skip


def histograms() -> pa.RecordBatch:
    return conform(
        pa.RecordBatch.from_pydict(
            {"key": ["hist"], "step": [1], "edges": [[0.0, 1.0, math.inf]], "counts": [[2.0, 3.0]],
             "counts_kind": ["int"], "seq": [4]}
        ), HISTOGRAMS,
    )  # fmt: skip


def console() -> pa.RecordBatch:
    return conform(
        pa.RecordBatch.from_pydict(
            {"stream": ["stdout", "stderr"], "line": ["hello\n", "\x1b[31mred\r"], "seq": [0, 1]}
        ), CONSOLE,
    )  # fmt: skip


TABLE = b'{"columns": ["x", "y"], "data": [[1, "a"], [NaN, "b"]], "ncols": 2, "_type": "table"}'


def media() -> tuple[MediaItem, ...]:
    at = Address(3, 7, None, START * 1000)
    return (
        MediaItem("img/a", at, "image", Blob.from_bytes(PNG, "image/png"), 0, "m/a.png", "cap"),
        MediaItem("img/a", at, "image", Blob.from_bytes(b"second", "image/png"), 1, "m/b.png"),
        MediaItem("img/a", Address(4), "image", Blob(12, "image/png", "0" * 64), 0, "m/gone.png"),
        MediaItem("tab", at, "table", Blob.from_bytes(TABLE), 0, "t.json",
                  metadata={"ncols": 0}),
        MediaItem("snd", at, "audio", Blob.from_bytes(b"RIFF"), 0, "../../etc/x.wav"),
    )  # fmt: skip


FILES = (
    File("code/train.py", "source", Blob.from_bytes(b"print(1)\n")),
    File("../../etc/passwd", "other", Blob.from_bytes(b"root\n")),
    File("/abs/con.txt", "other", Blob.from_bytes(b"x")),
    File("nul\0byte\\back", "other", Blob.from_bytes(b"y")),
    File("p" * 300 + ".bin", "checkpoint", Blob.from_bytes(b"z")),
    File("runferry/header-0-00000000.json", "other", Blob.from_bytes(b"not ours")),
    File("a%2Fb#c?d", "other", Blob.from_bytes(b"q")),
    File("gone.bin", "other", Blob(5, None, "1" * 64)),
)


def chunks(run: Run | None = None) -> list[Chunk]:
    return [
        Header(run or header()),
        Attributes(attributes()),
        SeriesFacts(SERIES),
        Points(nasty_points()),
        SeriesFacts(
            (
                Series("note", ("note",), kind="text"),
                Series("hist", ("hist",), kind="histogram"),
                Series("img/a", ("img/a",), kind="media"),
                Series("tab", ("tab",), kind="media"),
                Series("snd", ("snd",), kind="media"),
            )
        ),
        Texts(texts()),
        Histograms(histograms()),
        Console(console()),
        Media(media()),
        *FILES,
        Artifact(
            "model/x", "model", "produced", "v3", "id1", ("latest",), "d", {"a": 1}, "dig",
            (ArtifactEntry("w/../b.bin", Blob.from_bytes(b"w")), ArtifactEntry("r", reference="s3://b")),
        ),
        Document("sweep", "sw1", {"method": "grid"}),
        Raw("odd", "unknown", b"\0\1", 5),
        Lost(Loss("damaged-bytes", Fate.DROPPED, "x", 3, "why")),
    ]  # fmt: skip


def push(writer: MlflowWriter, run: Run, sent: Iterable[Chunk], *, seal: bool = True) -> RemoteId:
    remote = writer.find(run.uid) or writer.create(run, run.uid)
    for number, chunk in enumerate(sent):
        writer.append(remote, number, chunk)
    if seal:
        writer.seal(remote, run)
    return remote


def pulled(where: str, remote: str) -> list[Chunk]:
    reader = MlflowReader.open(Location("mlflow", where), ReadOptions())
    try:
        (run,) = (run for run in reader.runs() if run.key.run_id == remote)
        return list(reader.read(run))
    finally:
        if "://" not in where:  # a server's bytes are fetched when they are compared
            reader.close()


# --- comparison -----------------------------------------------------------------------------------


def blob_bytes(blob: Blob) -> object:
    if blob.open is None:
        return ("missing", blob.size, blob.sha256)
    with blob.open() as source:
        return source.read()


def rows(batches: Iterable[pa.RecordBatch]) -> list[str]:
    """Rows in an order of their own, spelled so that −0.0, NaN and types are told apart."""
    return sorted(repr(sorted(row.items())) for batch in batches for row in batch.to_pylist())


def content(given: Iterable[Chunk]) -> dict[str, object]:
    """All that the chunks say, but for the order in which they say it."""
    listed = list(given)
    names = {
        s.key: s.original_key or s.key
        for c in listed if isinstance(c, SeriesFacts) for s in c.items
    }  # fmt: skip

    def renamed(batch: pa.RecordBatch) -> pa.RecordBatch:
        keys = pa.array([names.get(k, k) for k in batch.column("key").to_pylist()])
        return batch.set_column(0, "key", keys)

    def of(kind: type) -> list[Chunk]:
        return [c for c in listed if isinstance(c, kind)]

    return {
        "points": rows(renamed(c.batch) for c in of(Points)),
        "texts": rows(renamed(c.batch) for c in of(Texts)),
        "histograms": rows(renamed(c.batch) for c in of(Histograms)),
        "console": rows(c.batch for c in of(Console)),
        "attributes": sorted(
            (a.role, repr(a.path), dumps(a.value)) for c in of(Attributes) for a in c.items
        ),
        "series": sorted(
            repr((names[s.key], s.path, s.stream, s.kind, s.x_axis, s.goal, s.hidden))
            for c in of(SeriesFacts) for s in c.items
        ),
        "media": sorted(
            repr((i.key, i.at, i.media_type, i.index, i.path, i.caption, i.metadata,
                  blob_bytes(i.blob)))
            for c in of(Media) for i in c.items
        ),
        "files": sorted(repr((c.path, c.role, blob_bytes(c.blob))) for c in of(File)),
        "artifacts": sorted(
            repr((c.name, c.type, c.relation, c.version, c.artifact_id, c.aliases, c.description,
                  c.metadata, c.digest,
                  [(e.path, e.reference, e.digest, blob_bytes(e.blob)) for e in c.entries]))
            for c in of(Artifact)
        ),
        "documents": sorted(repr(c) for c in of(Document)),
        "raw": sorted(repr(c) for c in of(Raw)),
        "lost": sorted(repr(c) for c in of(Lost)),
    }  # fmt: skip


def last_header(given: Iterable[Chunk]) -> Run:
    return [chunk.run for chunk in given if isinstance(chunk, Header)][-1]


def random_points(seed: int, count: int) -> pa.RecordBatch:
    chance = random.Random(seed)
    values: list[object] = [0.0, -0.0, math.nan, math.inf, 2**60, True, None, 0.5]
    return points(
        (
            chance.choice(("loss", "cpu", "big")),
            chance.choice((None, 0, 0.5, 1, 2, 2, -3)),
            chance.choice(values),
            chance.randrange(20),
        )
        for _ in range(count)
    )
