"""Whatever became of a file: a reader gives runs, or one of our errors with what and where.

Each example damages one file of a source that is good otherwise, and reads all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from plain_folders import written
from run_folders import dvclive, hf, hydra, ray, sacred
from tests.exploring import examples
from tests.transfer.nasties import archive_of_nasties, few_runs

from runferry.archive.store import Archive
from runferry.errors import Damaged, RunferryError, SourceError
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.registry import reader
from runferry.testing.samples import curve
from runferry.transfer.push import push

WRITTEN = (
    *("archive", "clearml", "csv", "jsonl", "mlflow", "neptune", "parquet"),
    *("swanlab", "tensorboard", "trackio", "wandb"),
)
"""Trackers whose files our own writers make."""

FOLDERS: Mapping[str, Callable[[Path], None]] = {
    "dvclive": dvclive,
    "hf_trainer": hf,
    "hydra": hydra,
    "ray_tune": ray,
    "sacred": sacred,
}

TOKENS = (b"null", b"NaN", b"1e999", b"-1", b"{", b"]", b'"', b"\0", b"\xff\xfe", b"\n\n", b",,")


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A flipped bit, a range of zeros, a piece taken out, twice there or cut off, or a token."""
    kind = draw(st.sampled_from(("flip", "zero", "drop", "repeat", "cut", "token")))
    place = draw(st.integers(0, 10**6))
    size = draw(st.sampled_from((1, 2, 7, 64, 500, 5000)))
    token = draw(st.sampled_from(TOKENS))

    def damage(content: bytes) -> bytes:
        at = place * len(content) // 10**6
        head, piece, tail = content[:at], content[at : at + size], content[at + size :]
        match kind:
            case "flip":
                flipped = bytes(byte ^ 1 << place % 8 for byte in piece[:1])
                return head + flipped + piece[1:] + tail
            case "zero":
                return head + bytes(len(piece)) + tail
            case "drop":
                return head + tail
            case "repeat":
                return head + piece + piece + tail
            case "cut":
                return head
            case _:
                return head + token + piece + tail

    note(f"{kind} at {place / 10**6:.4f} of the file, {size} bytes, {token!r}")
    return damage


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return archive_of_nasties(tmp_path_factory.mktemp("nasty"), few_runs(5))


@pytest.fixture(scope="module", params=[*WRITTEN, *FOLDERS])
def source(
    request: pytest.FixtureRequest, nasty: Archive, tmp_path_factory: pytest.TempPathFactory
) -> Location:
    tracker: str = request.param
    folder = tmp_path_factory.mktemp(tracker) / "source"
    if tracker in FOLDERS:
        folder.mkdir()
        FOLDERS[tracker](folder)
        return Location(tracker, str(folder))
    if tracker == "mlflow":
        folder.mkdir()
        where = Location(tracker, f"sqlite:///{folder}/runs.db")
    else:
        where = Location(tracker, str(folder))
    sent = push(nasty, where, allow=Fate.DROPPED)
    assert not sent.failures
    return where


@contextmanager
def damaged(file: Path, damage: Callable[[bytes], bytes]) -> Iterator[None]:
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    try:
        yield
    finally:
        file.write_bytes(whole)


def read_all(where: Location) -> int:
    """How many chunks there are; of a run that cannot be read, those before its error."""
    found = 0
    with closing(reader(where.tracker).open(where, ReadOptions())) as opened:
        for run in opened.runs():
            with suppress(RunferryError):
                for _ in opened.read(run):
                    found += 1
    return found


def files_of(where: Location) -> list[Path]:
    path = Path(where.where.removeprefix("sqlite:///"))
    root = path if path.is_dir() else path.parent
    return sorted(file for file in root.rglob("*") if file.is_file() and file.stat().st_size)


def test_the_source_is_good_as_it_is(source: Location) -> None:
    assert read_all(source)


@settings(
    max_examples=examples(15),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 10**6), st.lists(damages(), min_size=1, max_size=2))
def test_a_damaged_file_is_read_or_told(
    source: Location, which: int, done: list[Callable[[bytes], bytes]]
) -> None:
    files = files_of(source)
    file = files[which % len(files)]
    note(f"{source}: {file.name}")

    def damage(content: bytes) -> bytes:
        for one in done:
            content = one(content)
        return content

    with damaged(file, damage), suppress(RunferryError):
        read_all(source)


@pytest.mark.parametrize("source", ["parquet", "neptune", "archive"], indirect=True)
def test_pages_that_cannot_be_decoded_are_told_as_damage(source: Location) -> None:
    """Of these Arrow says OSError, without a number: no error of the system's."""
    tables = [file for file in files_of(source) if file.suffix == ".parquet"]
    assert tables
    for file in tables:
        with damaged(file, without_pages), suppress(RunferryError):
            read_all(source)


def test_a_table_whose_pages_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    rows = pa.table({"step": range(1000), "loss": [step / 7 for step in range(1000)]})
    pq.write_table(rows, file, compression="zstd")
    where = Location("parquet", str(file))
    assert read_all(where)
    with damaged(file, without_pages), pytest.raises(SourceError, match="cannot decode"):
        read_all(where)


def test_bytes_that_are_no_text_are_damage_of_their_table(tmp_path: Path) -> None:
    """Arrow takes any bytes for text, and breaks where they are used."""
    where = written("parquet", tmp_path / "runs", [curve(20)])
    (file,) = where.path.rglob("points.parquet")
    alone = Location("parquet", str(tmp_path / "alone.parquet"))
    pq.write_table(pa.table({"step": [1], "note": no_text(1)}), alone.where)
    rows = pq.read_table(file)
    at = rows.schema.get_field_index("key")
    pq.write_table(rows.set_column(at, "key", no_text(len(rows))), file)
    for place, table in ((where, str(file)), (alone, alone.where)):
        with pytest.raises(RunferryError) as caught:
            read_all(place) if place is alone else read_run(place)
        assert "UTF8" in caught.value.what
        assert caught.value.where == table


def test_names_of_columns_that_are_no_text_are_damage(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    pq.write_table(pa.table({"step": [1], "somewhere": [2.5]}), file, store_schema=False)
    with (
        damaged(file, lambda content: content.replace(b"somewhere", b"some\xe1here")),
        pytest.raises(Damaged, match="no whole Parquet file"),
    ):
        read_all(Location("parquet", str(file)))


def no_text(rows: int) -> pa.Array:
    return pa.array([b"\xe6\xff"] * rows).cast(pa.string(), safe=False)


@pytest.mark.parametrize(
    ("inserted", "says"),
    [
        (b"null\n", "null where an object should be"),  # Arrow's reader of JSON would crash
        (b" \t null", "null where an object should be"),
        (b'{"key":"\xff\xfe"}\n', "UTF"),  # which it takes, and breaks where it is used
        (b"5\n", "changed from object to number"),
    ],
)
def test_a_line_that_is_no_row_is_damage_of_that_file(
    tmp_path: Path, inserted: bytes, says: str
) -> None:
    where = written("jsonl", tmp_path / "runs", [curve(20)])
    (file,) = where.path.rglob("points.jsonl")
    for content in (inserted + file.read_bytes(), file.read_bytes() + inserted):
        with damaged(file, lambda _, content=content: content), pytest.raises(Damaged) as caught:
            read_run(where)
        assert says in caught.value.what
        assert caught.value.where == str(file)


def read_run(where: Location) -> None:
    with closing(reader(where.tracker).open(where, ReadOptions())) as opened:
        (run,) = opened.runs()
        list(opened.read(run))


def without_pages(content: bytes) -> bytes:
    """A Parquet file whose footer is whole, and whose pages are zeros."""
    footer = 8 + int.from_bytes(content[-8:-4], "little")
    return content[:4] + bytes(len(content) - 4 - footer) + content[-footer:]
