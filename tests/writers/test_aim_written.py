"""What runferry wrote for Aim, as Aim itself stores, locks, edits and queries it."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from runferry import chunks, tables
from runferry.dialects.aim.places import DATABASE, HOME, STORE, chunk_at
from runferry.dialects.aim.process import Child
from runferry.errors import BadLocation, Refused
from runferry.model import Address, Attribute, Blob, MediaItem, Run, RunKey, Series
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.aim import AimReader
from runferry.readers.row_batches import PointRows, scalar_of, text_batch
from runferry.testing.content import Content
from runferry.writers.aim import AimWriter
from runferry.writers.aim.others import _even

OWN = Path(__file__).with_name("aim_own_script.py")
QUERY = Path(__file__).with_name("aim_query_script.py")
BEGAN = 1_700_000_000_123_456_000
RUN = Run(
    RunKey("wandb", "", "abc123"), name="my run", project="zoo", notes="of it", tags=("a", "b"),
    started_ns=BEGAN, ended_ns=BEGAN + 5_000_000_000, state="finished", complete=True,
)  # fmt: skip


def by_aim(script: str | Path, *args: str, cwd: Path) -> Any:
    """What a script that uses Aim prints as its last line, as JSON."""
    command = [sys.executable, "-W", "ignore", *(["-c"] if isinstance(script, str) else [])]
    done = subprocess.run(
        [*command, str(script), *args], capture_output=True, timeout=120, cwd=cwd,
        env=environment_apart(), text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that Aim made, to be copied."""
    if importlib.util.find_spec("aim") is None:
        pytest.skip("aim is not installed")
    root = tmp_path_factory.mktemp("aim")
    by_aim("import aim; aim.Repo('.', init=True); print(1)", cwd=root)
    return root


@pytest.fixture
def place(empty: Path, tmp_path: Path) -> Location:
    return Location("aim", str(shutil.copytree(empty, tmp_path / "repo")))


def at(seq: int, step: int | None = None, **more: int) -> Address:
    return Address(seq, seq if step is None else step, time_ns=BEGAN + seq * 1_000_000, **more)


def points(rows: Sequence[tuple[str, Address, Any]]) -> chunks.Points:
    batch = PointRows()
    for key, where, value in rows:
        scalar = scalar_of(value)
        assert scalar is not None
        batch.add(key, where, scalar)
    return chunks.Points(batch.record_batch())


def facts(*keys: str) -> chunks.SeriesFacts:
    return chunks.SeriesFacts(tuple(Series(key, (key,)) for key in keys))


def begun(place: Location, run: Run, *put: chunks.Chunk) -> AimWriter:
    writer = AimWriter.open(place)
    remote = writer.create(run, run.uid)
    for number, chunk in enumerate(put):
        writer.append(remote, number, chunk)
    return writer


def written(place: Location, run: Run, *put: chunks.Chunk) -> str:
    """The run's hash there."""
    writer = begun(place, run, *put)
    remote = writer.find(run.uid)
    assert remote is not None
    writer.seal(remote, run)
    writer.close()
    return run.uid[:24]


def read(place: Location) -> tuple[Run, list[chunks.Chunk]]:
    reader = AimReader.open(place, ReadOptions())
    (run,) = reader.runs()
    found = list(reader.read(run))
    header = [chunk.run for chunk in found if isinstance(chunk, chunks.Header)]
    return header[-1], found


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


def console(*lines: str) -> chunks.Console:
    printed = [{"line": line, "stream": "stdout", "seq": n} for n, line in enumerate(lines)]
    return chunks.Console(pa.RecordBatch.from_pylist(printed, schema=tables.CONSOLE))


def test_what_users_change_in_aims_pages_is_read_and_stays_while_a_run_grows(
    place: Location, tmp_path: Path
) -> None:
    values = [("loss", at(n), n / 4) for n in range(3)]
    run_hash = written(place, RUN, facts("loss"), points(values[:2]))
    edit = (
        "import aim, sys; props = aim.Repo(sys.argv[1]).request_props(sys.argv[2], False); "
        "props.name, props.archived = 'renamed', True; props.add_tag('c'); "
        "props.remove_tag('a'); props.add_note('look'); print(1)"
    )
    by_aim(edit, place.where, run_hash, cwd=tmp_path)
    for grown in (2, 3):
        header, found = read(place)
        assert (header.name, header.tags, header.key) == ("renamed", ("b", "c"), RUN.key)
        attributes = Content.of(found).attributes
        assert attributes["other", ("aim", "archived")] == "true"
        assert attributes["other", ("aim", "notes")] == '["look"]'
        assert sum(chunk.batch.num_rows for chunk in _points(found)) == grown
        assert set(AimWriter.open(place).present() or {}) == {RUN.uid}
        written(place, RUN, facts("loss"), points(values))


def _points(found: Sequence[chunks.Chunk]) -> list[chunks.Points]:
    return [chunk for chunk in found if isinstance(chunk, chunks.Points)]


def test_what_aim_logs_on_to_a_run_is_read_and_the_next_push_writes_it_anew(
    place: Location, tmp_path: Path
) -> None:
    run_hash = written(place, RUN, facts("loss"), points([("loss", at(0), 0.5)]))
    log = (
        "import aim, sys; run = aim.Run(sys.argv[2], repo=sys.argv[1], "
        "system_tracking_interval=None, log_system_params=False); "
        "run.track(0.25, name='loss', step=7); run.close(); print(1)"
    )
    by_aim(log, place.where, run_hash, cwd=tmp_path)
    header, found = read(place)
    assert header.origin_uid == RUN.uid
    steps = [row["step"] for chunk in _points(found) for row in chunk.batch.to_pylist()]
    assert steps == [0, 7]
    assert AimWriter.open(place).present() == {}
    assert written(place, RUN, facts("loss"), points([("loss", at(0), 0.5)])) == run_hash
    assert set(AimWriter.open(place).present() or {}) == {RUN.uid}


def test_a_lock_that_a_killed_process_left_is_no_hindrance_and_one_that_is_held_is_an_error(
    place: Location,
) -> None:
    import uuid

    put = (facts("loss"), points([("loss", at(0), 0.5)]))
    locks = Path(place.where) / HOME / "locks"
    for process, is_refused in ((os.getpid(), True), (_dead(), False)):
        (locks / f"{RUN.uid[:24]}.softlock").write_text(f"{uuid.getnode()}-{process}-1.5")
        (locks / "structured_db_lock").write_text(f"{_dead()}\n{socket.gethostname()}\n")
        if is_refused:
            with pytest.raises(Refused, match=r"logs to the run"):
                written(place, RUN, *put)
            assert not chunk_at(Path(place.where) / HOME, "meta", RUN.uid[:24]).exists()
        else:
            written(place, RUN, *put)


def _dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_killed_anywhere_while_it_is_published_and_pushed_again_is_one_run(
    place: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the rows have come, the header, the row in the database; and before all of it."""
    home, put = Path(place.where) / HOME, (facts("loss"), points([("loss", at(0), 0.5)]))

    frames = Child.frames

    def killed(child: Child, *args: Any) -> Any:
        os.kill(child._process.pid, signal.SIGKILL)
        return frames(child, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Child, "frames", killed)
        with pytest.raises(Refused):
            written(place, RUN, *put)
    run_hash = written(place, RUN, *put)
    before = by_aim(QUERY, place.where, cwd=tmp_path)
    for undo in (
        lambda: shutil.rmtree(chunk_at(home, "meta", run_hash)),
        lambda: _delete_row(home),
        lambda: None,
    ):
        undo()
        for folder in (home / STORE / "runs").iterdir():
            shutil.rmtree(folder)
        written(place, RUN, *put)
        assert [path.name for path in (home / "meta" / "chunks").iterdir()] == [run_hash]
        read(place)
    assert by_aim(QUERY, place.where, cwd=tmp_path) == before


def _delete_row(home: Path) -> None:
    with closing(sqlite3.connect(home / DATABASE)) as database:
        database.execute("DELETE FROM run")
        database.commit()


def test_a_run_of_aims_that_comes_back_keeps_its_hash_where_nobody_has_it(place: Location) -> None:
    ours = replace(RUN, key=RunKey("aim", "", "0123456789abcdef01234567"))
    other = replace(ours, key=RunKey("aim", "elsewhere", ours.key.run_id))
    put = (facts("loss"), points([("loss", at(0), 0.5)]))
    written(place, ours, *put)
    written(place, other, *put)
    chunks_there = Path(place.where) / HOME / "meta" / "chunks"
    found = {path.name for path in chunks_there.iterdir()}
    assert found == {ours.key.run_id, other.uid[:24]}


def test_histograms_are_equal_bins_with_all_that_was_counted() -> None:
    assert _even([0.0, 1.0, 2.0], [3.0, 4.0]) is not None
    found = _even([-math.inf, 0.0, 1.0, 4.0, math.inf], [0.0, 2.0, 6.0, 0.0])
    assert found is not None
    low, high, weights = found
    assert (low, high, weights.tolist()) == (0.0, 4.0, [4.0, 4.0])
    for edges, counts in (([0.0, math.nan], [1.0]), ([1.0, 1.0], [1.0]), ([1.0], []), (None, None)):
        assert _even(edges, counts) is None  # type: ignore[arg-type]


def test_a_server_of_aims_is_a_bad_location() -> None:
    with pytest.raises(BadLocation, match="tracking server"):
        AimWriter.open(Location("aim", "//10.0.0.1:53800"))


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
        assert content.attributes.pop(("config", ("runferry", "uid"))) == json.dumps(run.uid)
        assert content.attributes == wanted.attributes
        assert again.key == run.key
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
