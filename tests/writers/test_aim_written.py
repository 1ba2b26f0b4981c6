"""What runferry wrote for Aim, as Aim itself stores, locks, edits and queries it."""

from __future__ import annotations

import io
import json
import math
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.writers.aim_runs import BEGAN, QUERY, RUN, at, by_aim, facts, points, read, written

from runferry import chunks, tables
from runferry.dialects.aim.places import HOME, STORE
from runferry.model import Address, Attribute, Blob, MediaItem, Run, RunKey, Series
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.aim import AimReader
from runferry.readers.row_batches import text_batch
from runferry.testing.content import Content
from runferry.writers.aim.others import _even

OWN = Path(__file__).with_name("aim_own_script.py")


@pytest.fixture
def place(aim_repository: Path, tmp_path: Path) -> Location:
    return Location("aim", str(shutil.copytree(aim_repository, tmp_path / "repo")))


def png() -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (3, 2)).save(content, "png")
    return content.getvalue()


NUMBERS: list[tuple[str, dict[str, Any], Address, Any]] = [
    *(("loss", {"subset": "train", "fold": 1}, at(n), 1 / (n + 1)) for n in range(4)),
    *(("count", {}, at(n), 2**53 + n) for n in range(4)),
    ("nan", {}, at(0), math.nan),
    ("nan", {}, at(1), -math.inf),
    ("mixed", {}, at(0), 1),
    ("mixed", {}, at(1), 0.5),
    ("mixed", {}, at(2), 2),
    ("claim", {}, at(0), True),
    ("claim", {}, at(1), False),
    ("falls", {}, at(0, -3), 0.25),
    ("falls", {}, at(1, 7), 0.5),
    ("falls", {}, at(2, 5), -1.0),
    ("falls", {}, at(3, 7), 0.75),
    ("part", {}, at(0, 1, step_frac=500_000), 0.5),
    ("__system__gpu", {}, at(0), 33.5),
]


EPOCHS = {("loss", 0): 3, ("loss", 1): 0.5, ("count", 2): 7, ("words", 2): 1}


def test_records_are_those_that_aims_own_run_would_store(place: Location, tmp_path: Path) -> None:
    """Byte by byte, of numbers of every kind and of objects."""
    series = (
        Series("loss", ("loss", "fold=1", "subset=train")),
        *(Series(key, (key,)) for key in ("count", "nan", "mixed", "claim", "falls", "part")),
        Series("gpu", ("gpu",), stream="system"),
        Series("loss.epoch", ("loss", "fold=1", "subset=train", "epoch")),
        *(Series(f"{key}.epoch", (key, "epoch")) for key in ("count", "words")),
        Series("words", ("words",), kind="text"),
        Series("pictures", ("pictures",), kind="media"),
    )
    context = Attribute(("aim", "contexts", "7"), "other", {"subset": "train", "fold": 1})
    rows = [(name.removeprefix("__system__"), where, told) for name, _, where, told in NUMBERS]
    pictures = [MediaItem("pictures", at(3), "image", Blob.from_bytes(png()), n) for n in (0, 1)]
    pictures.append(MediaItem("pictures", at(4), "image", Blob.from_bytes(png())))
    written(
        place,
        replace(RUN, key=RunKey("aim", "", "0123456789")),
        chunks.SeriesFacts(series),
        chunks.Attributes((context,)),
        points(rows[:9]),
        points(rows[9:]),
        points([(f"{name}.epoch", at(seq), epoch) for (name, seq), epoch in EPOCHS.items()]),
        chunks.Texts(text_batch([("words", at(n), "it", "text") for n in (0, 2)])),
        chunks.Media(tuple(pictures)),
    )
    told = [(name, about, where, value) for name, about, where, value in NUMBERS]
    told += [("words", {}, at(n), {"text": "it"}) for n in (0, 2)]
    told += [("pictures", {}, at(3), {"images": [png().hex()] * 2})]
    told += [("pictures", {}, at(4), {"images": [png().hex()]})]
    shown = [
        (name, about, _step(where), EPOCHS.get((name, where.seq)), _seconds(where), value)
        for name, about, where, value in told
    ]
    (tmp_path / "other").mkdir()
    run_hash = "0123456789"
    args = (str(Path(place.where) / HOME), run_hash, str(tmp_path / "other"), json.dumps(shown))
    assert by_aim(OWN, *args, cwd=tmp_path) == []


def _step(where: Address) -> float:
    assert where.step is not None
    return where.step if where.step_frac is None else where.step + where.step_frac / 1e6


def _seconds(where: Address) -> float:
    assert where.time_ns is not None
    return where.time_ns // 1000 / 1e6


def test_aims_queries_find_what_was_written(place: Location, tmp_path: Path) -> None:
    """In a process of their own: the index that they go by has the run."""
    wave = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\0\0\0\0"
    media = (
        MediaItem("media", at(0), "image", Blob.from_bytes(png(), "image/png"), caption="c"),
        MediaItem("media", at(1), "image", Blob.from_bytes(b"no picture")),
        MediaItem("media", at(2), "audio", Blob.from_bytes(wave, "audio/wav")),
        MediaItem("media", at(3), "plot", Blob.from_bytes(b'{"data": [], "layout": {}}')),
        MediaItem("media", at(3), "video", Blob.from_bytes(b"GIF89a")),
    )
    attributes = (
        Attribute(("deep", "lr"), "config", 0.1),
        Attribute(("deep",), "config", "in the way"),
        Attribute(("summary",), "config", [1, None, {"a": math.inf}]),
        Attribute(("runferry",), "config", "theirs"),
        Attribute(("huge",), "config", 2**70),
        Attribute(("",), "config", "\ud800"),
        Attribute(("best",), "summary", 0.25),
    )
    run_hash = written(
        place,
        RUN,
        facts("loss", "media", "words"),
        points([("loss", at(n), n / 4) for n in range(3)]),
        points([("loss", Address(3, None), 0.75), ("loss", Address(4, 9), None)]),
        chunks.Texts(text_batch([("loss", at(0), "of another kind", "text")])),
        chunks.Media(media),
        chunks.Attributes(attributes),
        console("one\n", "two"),
    )
    found = by_aim(QUERY, place.where, cwd=tmp_path)[run_hash]
    assert (found["name"], found["description"], found["experiment"]) == ("my run", "of it", "zoo")
    assert (sorted(found["tags"]), found["archived"]) == (["a", "b"], False)
    assert (found["created"], found["end_time"]) == (BEGAN // 1000 / 1e6, BEGAN // 1000 / 1e6 + 5)
    (metric,) = found["metrics"]
    assert (metric["steps"], metric["values"]) == ([0, 1, 2, 3], [0, 0.25, 0.5, 0.75])
    assert metric["times"][2:] == [(BEGAN + 2_000_000) // 1000 / 1e6] * 2
    params = found["params"]
    assert params.pop("wandb") == {"run_id": "abc123", "status": "finished"}
    assert params == {
        "deep": {"lr": 0.1}, "deep~": "in the way", "summary": [1, None, {"a": math.inf}],
        "summary~": {"best": 0.25}, "runferry": {"uid": RUN.uid}, "runferry~": "theirs",
        "huge": str(2**70), "_": "\N{REPLACEMENT CHARACTER}",
    }  # fmt: skip
    assert found["objects"] == {
        "text": ["loss~2"], "image": ["media"], "audio": ["media~2"], "figure": ["media~3"]
    }  # fmt: skip
    assert found["logs"] == ["one", "two"]
    header, chunks_read = read(place)
    assert header.key == RUN.key
    media_read = [it for c in chunks_read if isinstance(c, chunks.Media) for it in c.items]
    assert len(media_read) == len(media)


def test_of_objects_of_one_step_the_last_stand_wherever_steps_fall(place: Location) -> None:
    put = [(5, 2), (3, 2), (5, 1), (4, 1), (3, 1)]
    media = [
        MediaItem("media", at(seq, step), "image", Blob.from_bytes(png()), n)
        for seq, (step, count) in enumerate(put)
        for n in range(count)
    ]
    written(place, RUN, facts("media"), chunks.Media(tuple(media)))
    shutil.rmtree(Path(place.where) / HOME / STORE)
    found = _media(read(place)[1])
    assert [(step, index) for _, step, index, _ in found] == [(3, 0), (4, 0), (5, 0)]


def test_a_picture_that_claims_to_be_huge_is_beside_only(place: Location) -> None:
    """Pillow opens none beyond what fits into memory."""

    def part(kind: bytes, content: bytes) -> bytes:
        summed = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", summed)

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", size) + part(b"IDAT", b"") + part(b"IEND", b"")
    items = (png(), huge)
    media = [MediaItem("media", at(n), "image", Blob.from_bytes(it)) for n, it in enumerate(items)]
    written(place, RUN, facts("media"), chunks.Media(tuple(media)))
    assert len(_media(read(place)[1])) == 2
    shutil.rmtree(Path(place.where) / HOME / STORE)
    assert [step for _, step, _, _ in _media(read(place)[1])] == [0]


def console(*lines: str) -> chunks.Console:
    printed = [{"line": line, "stream": "stdout", "seq": n} for n, line in enumerate(lines)]
    return chunks.Console(pa.RecordBatch.from_pylist(printed, schema=tables.CONSOLE))


def test_histograms_are_equal_bins_with_all_that_was_counted() -> None:
    assert _even([0.0, 1.0, 2.0], [3.0, 4.0]) is not None
    found = _even([-math.inf, 0.0, 1.0, 4.0, math.inf], [0.0, 2.0, 6.0, 0.0])
    assert found is not None
    low, high, weights = found
    assert (low, high, weights.tolist()) == (0.0, 4.0, [4.0, 4.0])
    for edges, counts in (([0.0, math.nan], [1.0]), ([1.0, 1.0], [1.0]), ([1.0], []), (None, None)):
        assert _even(edges, counts) is None  # type: ignore[arg-type]


def test_a_run_of_aims_is_in_aim_what_it_was(place: Location, tmp_path: Path) -> None:
    """Without the exact copy beside: names, contexts, steps, epochs, objects and parameters."""
    logged = Path(__file__).parents[1] / "readers" / "aim_script.py"
    (tmp_path / "theirs" / "repo").mkdir(parents=True)
    command = [sys.executable, "-W", "ignore", str(logged), str(tmp_path / "theirs" / "repo"), "6"]
    subprocess.run(
        command, check=True, capture_output=True, timeout=120, env=environment_apart(),
        cwd=tmp_path / "theirs",
    )  # fmt: skip
    origin = Location("aim", str(tmp_path / "theirs" / "repo"))
    before = _by_project(origin)
    for run, found in before.values():
        given = [chunk for chunk in found if not isinstance(chunk, chunks.Artifact)]
        written(place, run, *given)
    shutil.rmtree(Path(place.where) / HOME / STORE)
    after = _by_project(place)
    assert after.keys() == before.keys() == {"exp", "other"}
    for project, (run, found) in before.items():
        again, found_again = after[project]
        wanted, content = Content.of(found), Content.of(found_again)
        assert content.attributes == wanted.attributes
        assert (again.key, again.origin_uid) == (run.key, run.uid)
        assert (again.name, again.notes, again.tags) == (run.name, run.notes, run.tags)
        assert (again.created_ns, again.ended_ns) == (run.created_ns, run.ended_ns)
        for kind in (chunks.Points, chunks.Texts, chunks.Histograms, chunks.Console):
            assert _rows(found_again, kind) == _rows(found, kind), kind
        assert _media(found_again) == _media(found)


def _by_project(where: Location) -> dict[str | None, tuple[Run, list[chunks.Chunk]]]:
    reader = AimReader.open(where, ReadOptions())
    found = {}
    for run in reader.runs():
        read = list(reader.read(run))
        last = [chunk.run for chunk in read if isinstance(chunk, chunks.Header)][-1]
        found[run.project] = (last, read)
    return found


def _rows(found: Sequence[chunks.Chunk], kind: type[Any]) -> list[str]:
    rows = [row for chunk in found if isinstance(chunk, kind) for row in chunk.batch.to_pylist()]
    return sorted(repr({name: it for name, it in row.items() if name != "seq"}) for row in rows)


def _media(found: Sequence[chunks.Chunk]) -> list[tuple[str, int | None, int, int | None]]:
    items = [item for chunk in found if isinstance(chunk, chunks.Media) for item in chunk.items]
    return sorted((item.key, item.at.step, item.index, item.blob.size) for item in items)
