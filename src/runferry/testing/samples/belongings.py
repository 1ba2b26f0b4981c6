"""Runs with what belongs to a run besides its series: attributes, media, files, lineage."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import Address, ArtifactEntry, Blob, MediaItem, MediaType
from runferry.testing.recording import Logged, Recording, Sample
from runferry.testing.samples.basics import (
    HOSTILE_NAMES,
    SECOND_NS,
    START_NS,
    UNICODE_NAMES,
    header,
)


def attributes() -> Sample:
    """Every type of attribute, in every role; values that look like other values."""
    run = Recording(header("attributes"))
    run.attributes(
        "config",
        {
            "lr": 0.1,
            "one": 1,
            "one as float": 1.0,
            "one as bool": True,
            "one as text": "1",
            "none": None,
            "none as text": "None",
            "empty": "",
            "empty mapping": {},
            "empty list": [],
            "nan": math.nan,
            "nan as text": "NaN",
            "inf": -math.inf,
            "minus zero": -0.0,
            "big": 2**80 + 1,
            "beyond float": 2**53 + 1,
            "bytes": b"\x00\xff\xfe",
            "time": datetime(1969, 7, 20, 20, 17, 40, 123456, UTC),
            "nested list": [1, [2.0, [None, {"deep": [True, b"\x01", {}]}]], []],
            "looks tagged": {"$float": "nan"},
            "long": "0123456789" * 1000,
            "lines": "first\nsecond\r\nthird\x00\u2028",
            "emoji": "👩‍👩‍👧",
            ("optimizer", "name"): "adam",
            "optimizer.name": "another",
            ("optimizer", "betas"): [0.9, 0.999],
        },
    )
    run.attributes("summary", {"loss": 0.25, "best": {"epoch": 3}, "lr": "in another role"})
    run.attributes("environment", {"python": "3.12.1", ("gpu", "0"): "none", "argv": ["a.py"]})
    # a later statement replaces an earlier one
    run.attributes("config", {"lr": 0.2})
    return run.log({"loss": 0.25}, step=0, time_ns=START_NS).sample()


def empty() -> Sample:
    """A run with nothing in it: no config, no series."""
    return Recording(header("empty", name=None, project=None, notes="")).sample()


def _media(kind: MediaType, blob: Blob, caption: str | None = None, path: str = "") -> MediaItem:
    # Recording fills in key, place and index
    return MediaItem("", Address(0), kind, blob, path=path or None, caption=caption)


def media() -> Sample:
    """Media of every type, several in a row with captions, metadata, and bytes that are gone."""
    run = Recording(header("media"))
    picture = Blob.from_bytes(b"\x89PNG\r\n\x1a\n not really", "image/png")
    gone = Blob(size=10, media_type="image/png", sha256="0" * 64)
    boxes = replace(_media("image", picture, "cat"), metadata={"boxes": [{"x": 0.5}], "width": 3})
    run.log(
        {"images": (boxes, _media("image", picture, "dog 🐕"), _media("image", gone))},
        step=0,
        time_ns=START_NS,
    )
    kinds: dict[str, Logged] = {
        "audio": _media("audio", Blob.from_bytes(b"RIFF....WAVE", "audio/wav"), path="a/b.wav"),
        "video": _media("video", Blob.from_bytes(b"\x00mp4", "video/mp4")),
        "table": _media(
            "table", Blob.from_bytes(b'{"columns":["a"],"data":[[1]]}', "application/json")
        ),
        "plot": _media("plot", Blob.from_bytes(b'{"data":[]}', "application/json")),
        "page": _media("html", Blob.from_bytes(b"<script>1</script>", "text/html")),
        "mesh": _media("object3d", Blob.from_bytes(b"v 0 0 0", "model/obj")),
        "molecule": _media("molecule", Blob.from_bytes(b"ATOM", "chemical/x-pdb")),
        "empty": _media("file", Blob.from_bytes(b"")),
        "hostile": _media("image", picture, path="../../etc/passwd"),
    }
    run.log(kinds, step=1, time_ns=START_NS + SECOND_NS)
    return run.log({"images": _media("image", picture)}, step=1, time_ns=START_NS).sample()


def console() -> Sample:
    """Both streams, colours, progress bars, no line end, no time."""
    lines = [
        ("stdout", "epoch 1\n", START_NS),
        ("stderr", "\x1b[31mwarning\x1b[0m: slow\n", START_NS + 1),
        ("stdout", "\r 10%|█         |\r 20%|██        |\n", START_NS + SECOND_NS),
        ("stdout", "\n", None),
        ("stderr", "", None),
        ("stdout", "no line end", START_NS + 2 * SECOND_NS),
    ]
    return Recording(header("console")).console(lines).sample()


def files() -> Sample:
    """Files by role, empty ones, missing ones, hostile names, a file that is also a folder."""
    run = Recording(header("files"))
    run.put(chunks.File("code/train.py", "source", Blob.from_bytes(b"print('hi')\n")))
    run.put(chunks.File("requirements.txt", "requirements", Blob.from_bytes(b"numpy==2.0\n")))
    run.put(chunks.File("output.log", "console", Blob.from_bytes(b"hello\n")))
    run.put(chunks.File("model.ckpt", "checkpoint", Blob.from_bytes(bytes(range(256)) * 64)))
    run.put(chunks.File("gone.ckpt", "checkpoint", Blob(size=5)))
    run.put(chunks.File("empty", "other", Blob.from_bytes(b"")))
    run.put(chunks.File("Case", "other", Blob.from_bytes(b"upper")))
    run.put(chunks.File("case", "other", Blob.from_bytes(b"lower")))
    run.put(chunks.File("dir", "other", Blob.from_bytes(b"a file")))
    run.put(chunks.File("dir/inside", "other", Blob.from_bytes(b"below it")))
    for number, name in enumerate((*HOSTILE_NAMES, *UNICODE_NAMES, "n" * 300)):
        run.put(chunks.File(name, "other", Blob.from_bytes(b"hostile %d" % number)))
    return run.sample()


def lineage() -> Sample:
    """Artifacts made and used, with missing bytes, references, aliases; documents; raw records."""
    run = Recording(header("lineage"))
    held = Blob.from_bytes(b"weights", "application/octet-stream")
    entries = (
        ArtifactEntry("model.bin", held, digest="abc="),
        ArtifactEntry("gone.bin", Blob(size=3)),
        ArtifactEntry("remote.bin", Blob(), reference="s3://bucket/key?versionId=1"),
        ArtifactEntry("../escape", Blob.from_bytes(b"no")),
    )
    run.put(
        chunks.Artifact(
            "model",
            "model",
            "produced",
            version="v0",
            artifact_id="QXJ0",
            aliases=("latest", "best"),
            description="two\nlines",
            metadata={"accuracy": 0.5, "none": None, "nested": {"list": [1, 2]}},
            digest="d41d8cd9",
            entries=entries,
        )
    )
    run.put(chunks.Artifact("data/set:v1", "dataset", "used", version="v1"))
    run.put(chunks.Document("sweep", "sweep-1", {"method": "bayes", "parameters": {"lr": [1, 2]}}))
    run.put(chunks.Raw("telemetry", "unknown record", b"\x0a\x03abc\xff", seq=3))
    run.put(chunks.Raw("telemetry", "unknown record", b""))
    loss = Loss("damaged-bytes", Fate.DROPPED, "run-1.wandb@131072", 3, "a flipped byte")
    return run.put(chunks.Lost(loss)).sample()
