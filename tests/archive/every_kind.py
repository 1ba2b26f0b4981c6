"""Content of every kind, and rows as odd as an archive has to keep them."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st
from tests.archive.runs import EXACT, Row, bits_of

from runferry.chunks import (
    Artifact,
    Attributes,
    Checkpoint,
    Chunk,
    Console,
    Document,
    File,
    Histograms,
    Lost,
    Media,
    Raw,
    SeriesFacts,
    Texts,
)
from runferry.losses import Fate, Loss
from runferry.model import Address, ArtifactEntry, Attribute, Blob, MediaItem, Series

ODD_BITS = [
    bits_of(0.0),
    bits_of(-0.0),
    bits_of(1.5),
    bits_of(float("inf")),
    bits_of(float("-inf")),
    0x7FF8000000000000,  # NaN
    0x7FF80000DEADBEEF,  # NaN with a payload
    0xFFF8000000000001,  # negative NaN
    0x7FF0000000000001,  # signalling NaN
    1,  # the smallest subnormal
]
steps = st.none() | st.integers(-3, 6) | st.sampled_from([2**62, -(2**62)])


@st.composite
def rows_strategy(draw: st.DrawFn) -> list[Row]:
    rows = []
    for seq in range(draw(st.integers(1, 12))):
        step = draw(steps)
        frac = None if step is None else draw(st.none() | st.integers(1, 999_999))
        time = draw(st.none() | st.integers(0, 5) | st.integers(-(10**15), 10**15))
        ns = None if time is None else draw(st.none() | st.integers(0, 999))
        for key in draw(st.sets(st.sampled_from(["loss", "a.b/ü", "\u200b", "x" * 300, "A"]))):
            kind = draw(st.sampled_from(["float64", "float32", "int", "bool", "null"]))
            bits = None if kind == "null" else draw(st.sampled_from(ODD_BITS))
            exact = None
            if kind == "int":
                whole = draw(st.sampled_from([3, EXACT + 1, -(2**63), 2**63 - 1]))
                exact = whole if abs(whole) > EXACT else None
                bits = bits_of(float(whole))
            rows.append(Row(key, seq, step, frac, time, ns, bits, exact, kind))
    return rows


def everything() -> list[Chunk]:
    address = {"key": ["text"], "step": [2], "time": pa.array([7], pa.timestamp("us", "UTC"))}
    return [
        Attributes(
            (
                Attribute(("a", "b"), "config", 2**80),
                Attribute(("a.b",), "config", -0.0),
                Attribute(("nan",), "summary", float("nan")),
                Attribute(("bytes",), "other", b"\x00\xff"),
                Attribute(("tree",), "config", {"$int": [1, {"x": None}], "é": ""}),
                Attribute(("empty",), "config", {}),
            )
        ),
        SeriesFacts((Series("text", ("text",), kind="text"),)),
        SeriesFacts((Series("h", ("h",), kind="histogram"),)),
        Texts(pa.record_batch({**address, "text": ["ünï\n"], "form": ["text"], "seq": [9]})),
        Histograms(
            pa.record_batch(
                {
                    "key": ["h"],
                    "step": [2],
                    "edges": [[0.0, -0.0, float("nan")]],
                    "counts": [[1.0, 2.0]],
                    "counts_kind": ["int"],
                    "seq": [9],
                }
            )
        ),
        Console(pa.record_batch({"stream": ["stderr"], "line": ["a\r\n"], "seq": [1]})),
        Media(
            (
                MediaItem(
                    "img", Address(4, 4, 250_000, 1_000_000_007), "image",
                    Blob.from_bytes(b"png", "image/png"), 1, "media/x.png", "cap", {"w": 3},
                ),
                MediaItem("img", Address(5), "image", Blob(12, "image/png", None)),
            )
        ),
        File("../../etc/passwd", "other", Blob.from_bytes(b"root")),
        File("CON", "source", Blob(5)),
        File("x" * 300 + "\0", "other", Blob.from_bytes(b"root")),
        Artifact(
            "model", "model", "produced", "v1", "id", ("latest",), "words", {"acc": 1.0}, "d1g",
            (
                ArtifactEntry("w.bin", Blob.from_bytes(b"weights"), None, "md5"),
                ArtifactEntry("s3", reference="s3://bucket/key"),
            ),
        ),
        Document("sweep", "s1", {"method": "grid", "n": 2**70}),
        Raw("future", "unknown record", b"\x08\x01", 3),
        Lost(Loss("damaged-bytes", Fate.DROPPED, "at 17", 3, "three records")),
        Checkpoint({"offset": 2**60, "nested": [None, float("inf")]}),
    ]  # fmt: skip
