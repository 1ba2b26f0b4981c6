"""The parts of an export of Neptune's: in no order, left over, cut, gone, of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gathered import Gathered, gather
from neptune_exports import PROJECT, full_run, points, shuffled, sys_v3, write_part, write_run
from neptune_gathered import gather_all, gather_one, neptune_at

from runferry.dialects.neptune.names import part_name, san
from runferry.errors import Damaged, NotFound, SourceChanged
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.content import digest_of


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_no_order_are_the_same_run(tmp_path: Path, seed: int) -> None:
    paths = full_run(tmp_path / "data")
    ordered = _unnumbered(gather_one(tmp_path))
    shuffled(paths, seed)
    assert _unnumbered(gather_one(tmp_path)) == ordered


def test_rows_in_no_order_are_read_of_their_own_folder_whatever_it_is_called(
    tmp_path: Path,
) -> None:
    """It is no pattern, and no column of the table."""
    home, like_it = tmp_path / "run_id=x [1]", tmp_path / "run_id=x 1"
    for place, value in ((home, 0.5), (like_it, 0.25)):
        rows = points("r", "m", [("1", value), ("0", value)])
        write_run(place / "data", "r", [*sys_v3("r"), *rows])
    assert gather_one(home).values("m") == [0.5, 0.5]


def _unnumbered(found: Gathered) -> dict[str, Any]:
    """Each series in its order, without the numbers of rows."""
    rows: dict[tuple[str, str], list[Any]] = {}
    for name in ("points", "texts", "histograms", "console"):
        for one in found.rows(name):
            one.pop("seq")
            rows.setdefault((name, one.get("key", one.get("stream"))), []).append(one)
    return {
        "rows": {name: [repr(one) for one in each] for name, each in rows.items()},
        "media": [(item.key, item.at.step, digest_of(item.blob)) for item in found.media],
        "attributes": found.attributes,
        "files": set(found.files),
    }


def test_rows_of_a_series_rise_in_steps_also_over_parts(tmp_path: Path) -> None:
    late = points("r", "loss", [(str(n), float(n)) for n in range(10, 20)])
    early = points("r", "loss", [(str(n), float(n)) for n in range(10)])
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *late], early)
    found = gather_one(tmp_path)
    assert found.values("loss") == [float(n) for n in range(20)]
    numbers = [p["seq"] for p in found.points("loss")]
    assert numbers == sorted(set(numbers))


def test_parts_in_the_old_layout_hold_many_runs(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "team_vision"
    one = [*sys_v3("one"), *points("one", "loss", [("0", 1.0)])]
    two = [*sys_v3("two"), *points("two", "loss", [("0", 2.0)])]
    write_part(folder / "part_0.parquet", [*one, *two])
    write_part(folder / "part_1.parquet", points("two", "loss", [("1", 3.0)]))
    found = gather_all(tmp_path)
    assert {name: each.values("loss") for name, each in found.items()} == {
        "one": [1.0],
        "two": [2.0, 3.0],
    }
    assert not any("foreign-rows" in each.codes() for each in found.values())


def test_somebody_elses_part_0_is_none_of_ours(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "part_0.parquet")
    assert not NeptuneReader.recognises(tmp_path)


def test_a_left_over_part_that_is_whole_is_read(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    whole = _unnumbered(gather_one(tmp_path))
    first.rename(f"{first}.tmp")  # part 0 is renamed last
    found = gather_one(tmp_path)
    assert _unnumbered(found) == whole
    assert "left-over-part" in found.codes()
    assert second.exists()


def test_a_left_over_part_that_was_cut_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    second.with_name(f"{second.name}.tmp").write_bytes(second.read_bytes()[:-9])
    second.unlink()
    found = gather_one(tmp_path)
    assert found.values("train.loss")
    assert not found.media
    (loss,) = (one for one in found.losses if one.code == "cut-part")
    assert loss.fate is Fate.DROPPED
    assert first.exists()


def test_a_run_of_which_nothing_is_whole_is_listed_and_fails(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    second.unlink()
    first.with_name(f"{first.name}.tmp").write_bytes(b"PAR1 and no end")
    first.unlink()
    reader = neptune_at(tmp_path)
    (run,) = reader.runs()
    with pytest.raises(Damaged, match="no part of this run"):
        list(reader.read(run))


def test_a_part_that_is_gone_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "data", "r", sys_v3("r"), points("r", "m", [("0", 1.0)]), sys_v3("r"))
    (tmp_path / "data" / san(PROJECT) / part_name("r", 1)).unlink()
    (loss,) = (one for one in gather_one(tmp_path).losses if one.code == "missing-part")
    assert (loss.fate, loss.count) == (Fate.DROPPED, 1)


def test_a_part_cut_anywhere_is_told_and_what_is_whole_is_read(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    content = second.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        second.write_bytes(content[:length])
        found = gather_one(tmp_path)
        assert found.values("train.loss")
        (loss,) = (one for one in found.losses if one.code == "damaged-part")
        assert loss.fate is Fate.DROPPED
    assert first.exists()


def test_a_byte_flipped_anywhere_never_crashes(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    content = second.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 60)):
        flipped = bytearray(content)
        flipped[place] ^= 0x55
        second.write_bytes(flipped)
        assert gather_one(tmp_path).values("train.loss")
    assert first.exists()


def test_rows_of_another_run_in_a_part_are_told(tmp_path: Path) -> None:
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *points("s", "m", [("0", 1.0)])])
    found = gather_one(tmp_path)
    assert not found.rows("points")
    (loss,) = (one for one in found.losses if one.code == "foreign-rows")
    assert (loss.fate, loss.count) == (Fate.DROPPED, 1)


def test_an_export_that_changed_is_refused(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    reader = neptune_at(tmp_path)
    (run,) = reader.runs()
    cursor = gather(reader, run).cursor()
    assert gather(reader, run, cursor).count == 2
    write_run(tmp_path / "data", "swift-owl", sys_v3("swift-owl"))
    with pytest.raises(SourceChanged):
        gather(reader, run, cursor)


def test_one_part_is_a_source_by_itself(tmp_path: Path) -> None:
    first, _ = full_run(tmp_path / "data")
    assert NeptuneReader.recognises(first)
    assert gather_one(first).values("train.loss")
    with pytest.raises(NotFound):
        neptune_at(tmp_path / "files").open(
            Location("neptune", str(tmp_path / "files" / "none")), ReadOptions()
        )
