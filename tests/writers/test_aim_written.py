"""What runferry wrote for Aim, as Aim itself stores, locks, edits and queries it."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runferry import chunks
from runferry.dialects.aim.places import HOME
from runferry.model import Address, Attribute, Blob, MediaItem, Run, RunKey, Series
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.aim import AimReader
from runferry.readers.row_batches import PointRows, scalar_of, text_batch
from runferry.writers.aim import AimWriter

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


def test_records_are_those_that_aims_own_run_would_store(place: Location, tmp_path: Path) -> None:
    """Byte by byte, of numbers of every kind and of objects."""
    series = (
        Series("loss", ("loss", "fold=1", "subset=train")),
        *(Series(key, (key,)) for key in ("count", "nan", "mixed", "claim", "falls", "part")),
        Series("gpu", ("gpu",), stream="system"),
        Series("words", ("words",), kind="text"),
        Series("pictures", ("pictures",), kind="media"),
    )
    context = Attribute(("aim", "contexts", "7"), "other", {"subset": "train", "fold": 1})
    rows = [(name.removeprefix("__system__"), where, told) for name, _, where, told in NUMBERS]
    pictures = [MediaItem("pictures", at(3), "image", Blob.from_bytes(png()), n) for n in (0, 1)]
    run_hash = written(
        place,
        RUN,
        chunks.SeriesFacts(series),
        chunks.Attributes((context,)),
        points(rows[:9]),
        points(rows[9:]),
        chunks.Texts(text_batch([("words", at(n), "it", "text") for n in (0, 2)])),
        chunks.Media(tuple(pictures)),
    )
    told = [(name, about, where, value) for name, about, where, value in NUMBERS]
    told += [("words", {}, at(n), {"text": "it"}) for n in (0, 2)]
    told += [("pictures", {}, at(3), {"images": [png().hex()] * 2})]
    shown = [(n, c, _step(where), _seconds(where), value) for n, c, where, value in told]
    (tmp_path / "other").mkdir()
    args = (str(Path(place.where) / HOME), run_hash, str(tmp_path / "other"), json.dumps(shown))
    assert by_aim(OWN, *args, cwd=tmp_path) == []


def _step(where: Address) -> float:
    assert where.step is not None
    return where.step if where.step_frac is None else where.step + where.step_frac / 1e6


def _seconds(where: Address) -> float:
    assert where.time_ns is not None
    return where.time_ns // 1000 / 1e6
