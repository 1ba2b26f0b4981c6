"""One archive's worth of nasty runs: what trackers really hold, and what breaks importers.

Each function gives one `Sample`; `all_samples` gives them all. Everything is the same on every
call: times, ids and bytes are constants, or follow from the seed.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks, tables
from runferry.losses import Fate, Loss
from runferry.model import (
    Address,
    ArtifactEntry,
    Blob,
    Fork,
    MediaItem,
    MediaType,
    Run,
    RunKey,
)
from runferry.testing.recording import Float32, Histogram, Logged, Recording, Sample

TRACKER = "reference"
SCOPE = "nasty"
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000

HOSTILE_NAMES = (
    "..",
    ".",
    "../../up",
    "/abs/olute",
    "C:\\windows\\win.ini",
    "\\\\host\\share",
    "con",
    "NUL.txt",
    "~root",
    "$HOME/`id`",
    "-rf",
    "a//b",
    "trailing/",
    "trailing.",
    "new\nline",
    "tab\tand null\x00byte",
    " ",
    "'; drop table runs; --",
    "<script>alert(1)</script>",
    "%2e%2e%2f",
    "run=0/points",
)
"""Names that are data: none of them may become a place on a disk, a query or markup."""

UNICODE_NAMES = (
    "损失/训练",
    "потеря",
    "🚀 speed 🏎️",
    "שלום/עולם",
    "\u202ereversed",
    "caf\u00e9",  # the same word twice, composed and decomposed
    "cafe\u0301",
    "\ufb01t",  # a ligature, and what it folds to
    "fit",
)


def nan_with_payload(payload: int, *, negative: bool = False) -> float:
    """A quiet NaN that carries these 51 bits."""
    bits = 0x7FF8_0000_0000_0000 | payload | (int(negative) << 63)
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def header(run_id: str, **known: object) -> Run:
    """A finished run of the sample project; anything can be said otherwise."""
    plain = Run(
        key=RunKey(TRACKER, SCOPE, run_id),
        name=run_id,
        project=SCOPE,
        created_ns=START_NS,
        started_ns=START_NS,
        ended_ns=START_NS + 3600 * SECOND_NS,
        status="finished",
        state="finished",
        exit_code=0,
        complete=True,
        client="reference 1",
    )
    return replace(plain, **known)  # type: ignore[arg-type]


def values() -> Sample:
    """Every number that is hard to carry: NaN with payloads, ±Inf, −0.0, big ints, nulls, bools."""
    floats = (
        math.nan,
        nan_with_payload(0xBEEF),
        nan_with_payload(1, negative=True),
        math.inf,
        -math.inf,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        0.1 + 0.2,
    )
    ints = (0, -1, 2**53, 2**53 + 1, 2**60, 2**60 + 1, 2**63 - 1, -(2**63))
    run = Recording(header("values"))
    for step, value in enumerate(floats):
        run.log({"float": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    for step, value in enumerate(ints):
        run.log({"int": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    mixed: tuple[Logged, ...] = (1, 1.0, True, Float32(0.5), None, False, math.nan)
    for step, item in enumerate(mixed):
        run.log({"mixed": item}, step=step, time_ns=START_NS + step * SECOND_NS)
    run.log({"beyond": 2**64, "sometimes": 1.0}, step=0, time_ns=START_NS)
    return run.log({"beyond": -(10**40)}, step=1, time_ns=START_NS + 1).sample()


def steps() -> Sample:
    """Duplicate, falling, fractional, null, negative and enormous steps; gaps; equal rows."""
    run = Recording(header("steps"))
    falling = (0, 1, 2, 2, 2, 1, 0, 10, 9, 11)
    for row, step in enumerate(falling):
        run.log({"falling": row / 4}, step=step, time_ns=START_NS + row * SECOND_NS)
    for row in range(4):
        at = START_NS + row * SECOND_NS
        run.log({"absent": float(row)}, time_ns=at)
        run.log({"fractional": float(row)}, step=row // 2, step_frac=280_000 + row, time_ns=at)
        run.log({"negative": float(row)}, step=row - 3, step_frac=500_000, time_ns=at)
        run.log({"twin": 1.5}, step=7, time_ns=START_NS)
    for row, step in enumerate((2**31, 2**53 + 1, 2**63 - 1)):
        run.log({"enormous": float(row)}, step=step, time_ns=START_NS + row * SECOND_NS)
    return run.sample()


def times() -> Sample:
    """Nanoseconds, no time at all, times before 1970, far away, and running backwards."""
    run = Recording(header("times", started_ns=-SECOND_NS, ended_ns=None, created_ns=None))
    stamps = (START_NS + 1, START_NS + 999, START_NS + 1_000, None, 0, -1, -1_001, -(10**18))
    for step, stamp in enumerate((*stamps, 4 * 10**18, START_NS, START_NS - SECOND_NS)):
        run.log({"value": float(step)}, step=step, time_ns=stamp)
    for row in range(3):
        run.log({"timeless": float(row)})
    return run.sample()


def names() -> Sample:
    """Names that look alike, alien names, long ones, hostile ones, and those of other people."""
    run = Recording(header("names"))
    alike = ("a/b", "a_b", "a.b", ("a", "b"), "a b", "A/B", "Loss", "loss", "LOSS", "a", "a~2")
    long = ("k" * 300, "k" * 299 + "j", "深" * 300)
    reserved = ("mlflow.runName", "_step", "_timestamp", "_runtime", "system/cpu", "value~2")
    for step in range(3):
        time_ns = START_NS + step * SECOND_NS
        for group in (alike, HOSTILE_NAMES, UNICODE_NAMES, long, reserved):
            row = {name: len(str(name)) + step / 8 for name in group}
            run.log(row, step=step, time_ns=time_ns)
        mine = {"system.cpu": 1.0 + step, "cpu": 2.0 + step, "": 3.0 + step}
        run.log(mine, step=step, time_ns=time_ns)
        machine: dict[str | tuple[str, ...], Logged] = {"cpu": 50.0 + step, ("system", "cpu"): 51.0}
        run.log(machine, step=step, time_ns=time_ns, stream="system")
    run.attributes("config", {name: index for index, name in enumerate((*alike, *long))})
    run.attributes("other", dict.fromkeys((*HOSTILE_NAMES, *UNICODE_NAMES), "data"))
    return run.sample()


def many_keys(count: int = 10_000, steps_each: int = 1) -> Sample:
    """A run with very many series; by default more than any page of any API holds."""
    run = Recording(header(f"keys-{count}"))
    for step in range(steps_each):
        for first in range(0, count, 1000):
            row = {f"layer.{n}/grad": n + step / 2 for n in range(first, min(first + 1000, count))}
            run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
        run.flush()
    return run.sample()


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


def texts() -> Sample:
    """Strings and JSON values in the history: short, empty, very long, shared with scalars."""
    run = Recording(header("texts"))
    logged: tuple[Logged, ...] = (
        "",
        "x" * 10_000,
        "深" * 6_000,
        "line\nline\x00",
        [1, [2.5, None], {"a": math.inf}],
        {"nested": {"$int": "7"}},
    )
    for step, value in enumerate(logged):
        run.log({"note": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    # one name under which first a number, then a word was logged
    run.log({("status", "code"): 1.0, ("status", "text"): "started"}, step=9, time_ns=START_NS)
    return run.sample()


def histograms() -> Sample:
    """Integer and floating counts, uneven and empty bins, infinite edges, and what else is kept."""
    run = Recording(header("histograms"))
    logged = (
        Histogram((0.0, 0.5, 1.0), (3, 4)),
        Histogram((-1.5, 0.0, 1e300, math.inf), (0.25, 0.0, 1e-9)),
        Histogram((), ()),
        Histogram((0.0, 1.0), (2**53 - 1,), extra='{"packedBins":{"min":0}}'),
    )
    for step, value in enumerate(logged):
        run.log({"weights": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    return run.sample()


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


def facts() -> Sample:
    """Series with a custom axis, a goal, a summary rule; hidden ones; facts restated later."""
    run = Recording(header("facts"))
    run.series(("epoch",), hidden=True)
    run.series(("val/loss",), x_axis="epoch", goal="minimize", summary_rule="min,last")
    for step in range(5):
        row = {"epoch": step, "val/loss": 1 / (step + 1), "acc": step / 8}
        run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
        run.checkpoint()
    return run.sample()


def relatives() -> tuple[Sample, ...]:
    """Parent, child, forked, resumed, unfinished, failed and killed runs; tags, labels, a sweep."""
    labels = {"owner": "ana", "empty": "", "mlflow.user": "not mlflow's"}
    heads = (
        header("parent", tags=("a", "b c", "🏷️"), labels=labels, notes="# notes\n", group="g"),
        header("child", parent="parent", job_type="eval", sweep="sweep-1", user="ana", host="box"),
        header("forked", forked_from=Fork("parent", 1)),
        header("resumed", forked_from=Fork("resumed", 2, "resume")),
        header(
            "unfinished",
            ended_ns=None,
            status="running",
            state="running",
            exit_code=None,
            complete=False,
        ),
        header("failed", status="crashed", state="failed", exit_code=1),
        header("killed", status="preempted", state="killed", exit_code=None),
        header("twin", name="parent", source_url="http://127.0.0.1/runs/1"),
    )
    return tuple(
        Recording(head)
        .attributes("config", {"index": index})
        .log({"loss": float(index)}, step=0, time_ns=START_NS)
        .sample()
        for index, head in enumerate(heads)
    )


def retagged() -> Sample:
    """A run whose tags and name were changed after it began: only the last header counts."""
    last = header("retagged", tags=("kept",), name="new name")
    run = Recording(last)
    run.put(chunks.Header(replace(last, tags=("kept", "deleted"), name="old name")))
    return run.log({"loss": 1.0}, step=0, time_ns=START_NS).sample()


def plain(run_id: str = "plain") -> Sample:
    """What every tracker can hold: tame names, numbers, whole milliseconds, words as config."""
    run = Recording(header(run_id)).attributes("config", {"optimizer": "adam", "note": "tame"})
    for step in range(5):
        row = {"loss": 1 / (step + 1), "accuracy": step / 8}
        run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
    return run.checkpoint().sample()


def curve(rows: int = 1000, keys: int = 3, *, seed: int = 0, batch: int = 250) -> Sample:
    """An ordinary training run, cut into several batches: the one to kill and to grow."""
    random_ = random.Random(seed)
    run = Recording(header(f"curve-{rows}x{keys}-{seed}"))
    run.attributes("config", {"seed": seed, "rows": rows})
    for step in range(rows):
        values_ = {f"metric/{n}": random_.gauss(0, 1) for n in range(keys)}
        run.log(values_, step=step, time_ns=START_NS + step * 7_777_777)
        if step % batch == batch - 1:
            run.checkpoint()
    return run.attributes("summary", {"metric/0": 0.0}).sample()


def bulk(rows: int, keys: int = 4, *, batch_rows: int = 20_000, seed: int = 0) -> Sample:
    """Very many rows, made column by column: to measure memory and time with."""
    random_ = random.Random(seed)
    run = Recording(header(f"bulk-{rows}-{seed}"))
    words = [run.series((f"metric/{n}",)) for n in range(keys)]
    run.flush()
    noise = pa.array([random_.gauss(0, 1) for _ in range(batch_rows)], pa.float64())
    index = pa.array([n % keys for n in range(batch_rows)], pa.int32())
    for first in range(0, rows, batch_rows):
        seq = pa.array([(first + n) // keys for n in range(batch_rows)], pa.int64())
        stamps = pc.add(pc.multiply(seq, 1_000_000), START_NS // 1000)
        columns = {
            "key": pa.DictionaryArray.from_arrays(index, pa.array(words)),
            "step": seq,
            "time": stamps.cast(tables.TIME),
            "value": noise,
            "kind": pa.array(["float64"] * batch_rows).cast(tables.POINTS.field("kind").type),
            "seq": seq,
        }
        batch = pa.RecordBatch.from_pydict(columns).slice(0, rows - first)
        run.put(chunks.Points(tables.conform(batch, tables.POINTS))).checkpoint()
    return run.sample()


def as_run(sample: Sample, run_id: str) -> Sample:
    """The same content under another key."""
    key = replace(sample.run.key, run_id=run_id)
    again = tuple(
        chunks.Header(replace(chunk.run, key=key)) if isinstance(chunk, chunks.Header) else chunk
        for chunk in sample.chunks
    )
    return Sample(replace(sample.run, key=key), again)


_EACH: tuple[Callable[[], Sample], ...] = (
    values,
    steps,
    times,
    names,
    attributes,
    empty,
    texts,
    histograms,
    media,
    console,
    files,
    lineage,
    facts,
    retagged,
)


def all_samples(*, keys: int = 500) -> tuple[Sample, ...]:
    """All of the above, each run once; `keys` sizes the run of very many series."""
    return (*(make() for make in _EACH), *relatives(), many_keys(keys), curve())
