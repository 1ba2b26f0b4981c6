"""Files that are cut, damaged or still being written: an exact prefix, then exactly the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams_v2
from tensorboard.plugins.text import summary_v2 as text_v2
from tensorboard_runs import (
    START,
    event_file,
    framed,
    gather_one,
    logged,
    losses,
    opened,
    scalar,
    version,
)
from tensorboardX import SummaryWriter
from tests.readers.gathered import Gathered, gather, pulled

from runferry.archive.store import Archive
from runferry.errors import ExitCode, SourceChanged
from runferry.losses import Fate
from runferry.ports import Location
from runferry.python_apart import command_apart, environment_apart
from runferry.transfer.pull import pull

_CLI = "from runferry.cli import main; main()"
TABLES = ("points", "texts", "histograms")


def small_run(steps: int = 4) -> list[event_pb2.Event]:
    events = [version()]
    for step in range(steps):
        events.append(scalar("loss", step, step / 7))
        text = text_v2.text_pb("note", f"step {step}")
        events.append(event_pb2.Event(wall_time=START + step, step=step, summary=text))
    return events


def rows_of(*found: Gathered) -> dict[str, list[dict[str, Any]]]:
    return {table: [row for one in found for row in one.rows(table)] for table in TABLES}


def ends(events: list[event_pb2.Event]) -> list[int]:
    """Where each record ends."""
    found, at = [], 0
    for event in events:
        at += 16 + event.ByteSize()
        found.append(at)
    return found


def test_truncated_anywhere_gives_an_exact_prefix(tmp_path: Path) -> None:
    events = small_run()
    path = event_file(tmp_path, events)
    content, whole = path.read_bytes(), rows_of(gather_one(tmp_path))
    boundaries = ends(events)
    for length in range(boundaries[0], len(content) + 1):
        path.write_bytes(content[:length])
        found = gather_one(tmp_path)
        records = sum(end <= length for end in boundaries) - 1
        rows = rows_of(found)
        assert rows["points"] == whole["points"][: (records + 1) // 2], length
        assert rows["texts"] == whole["texts"][: records // 2], length
        expected = set() if length in boundaries else {"cut-tail"}
        assert found.codes() - {"header-only"} == expected, length
        assert {loss.fate for loss in found.losses} <= {Fate.KEPT}


def test_cut_anywhere_and_pulled_again_equals_one_pull(tmp_path: Path) -> None:
    events = small_run(3)
    content = framed(events)
    path = event_file(tmp_path / "runs" / "run", events)
    once = held(pulled(tmp_path / "runs", tmp_path / "once", "tensorboard"))
    for length in range(ends(events)[0], len(content), 7):
        archive = tmp_path / f"twice-{length}"
        path.write_bytes(content[:length])
        pulled(tmp_path / "runs", archive, "tensorboard")
        path.write_bytes(content)
        assert held(pulled(tmp_path / "runs", archive, "tensorboard")) == once, length


def held(archive: Archive) -> dict[str, list[Any]]:
    """What the archive's tables hold of its one run, and what was lost of it."""
    (record,) = archive.records()
    found = {table: archive.table(record, table) for table in TABLES}
    rows: dict[str, list[Any]] = {
        name: sorted(table.to_pylist(), key=lambda row: (row["seq"], row["key"]))
        for name, table in found.items()
    }
    return {**rows, "losses": list(record.losses)}


def test_of_all_ends_that_pulls_have_met_the_last_one_is_told(tmp_path: Path) -> None:
    events = small_run(3)
    path = event_file(tmp_path / "runs" / "run", events)
    content, boundaries = path.read_bytes(), ends(events)
    for length in range(boundaries[1] + 3, len(content) + 1, 23):
        path.write_bytes(content[:length])
        grown = held(pulled(tmp_path / "runs", tmp_path / "grown", "tensorboard"))
        once = held(pulled(tmp_path / "runs", tmp_path / f"once-{length}", "tensorboard"))
        assert grown == once, length
        assert len(once["losses"]) == (length not in boundaries)


def test_bytes_that_were_reserved_and_then_written_are_no_damage(tmp_path: Path) -> None:
    content = framed(losses("loss", range(5)))
    path = event_file(tmp_path / "runs" / "run", [])
    for length in (100, 130, len(content)):
        path.write_bytes(content[:length] + bytes(len(content) - length))
        grown = held(pulled(tmp_path / "runs", tmp_path / "grown", "tensorboard"))
        once = held(pulled(tmp_path / "runs", tmp_path / f"once-{length}", "tensorboard"))
        assert grown == once
    assert not once["losses"]


def test_damage_that_others_follow_stays_told_once(tmp_path: Path) -> None:
    events = losses("loss", range(4))
    whole = framed(events)
    path = event_file(tmp_path / "runs" / "run", events)
    damaged = bytearray(whole)
    damaged[-1] ^= 0xFF  # the last record may still be being written
    for content in (damaged, damaged + framed([scalar("loss", 4, 1.0)])):
        path.write_bytes(content)
        found = held(pulled(tmp_path / "runs", tmp_path / "archive", "tensorboard"))
        (loss,) = found["losses"]
        assert (loss.code, loss.where.partition("@")[2]) == ("damaged-bytes", str(ends(events)[3]))
        assert loss.count == len(whole) - ends(events)[3]


def test_what_is_wrong_with_a_file_is_forgotten_once_it_is_mended(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    event_file(run, losses("loss", range(2)))
    later = event_file(run, [version()], START + 9)
    (run / "hparams.yaml").write_text("a: [")
    first = held(pulled(tmp_path / "runs", tmp_path / "archive", "tensorboard"))
    assert {loss.code for loss in first["losses"]} == {"header-only", "unreadable-file"}
    later.write_bytes(framed(losses("loss", range(2, 4))))
    (run / "hparams.yaml").write_text("a: []")
    assert not held(pulled(tmp_path / "runs", tmp_path / "archive", "tensorboard"))["losses"]


@pytest.mark.parametrize("pieces", [2, 7])
def test_read_piece_by_piece_equals_at_once(tmp_path: Path, pieces: int) -> None:
    content = framed(small_run(30))
    path = event_file(tmp_path, small_run(30))
    whole = rows_of(gather_one(tmp_path))
    parts: list[Gathered] = []
    for piece in range(1, pieces + 1):
        path.write_bytes(content[: len(content) * piece // pieces])
        after = parts[-1].cursor() if parts else None
        (run,) = opened(tmp_path).runs()
        parts.append(gather(opened(tmp_path), run, after))
        parts[-1].series.update({one.key: one for one in (after.series if after else ())})
    assert rows_of(*parts) == whole


def test_files_that_grow_beside_each_other_equal_one_read(tmp_path: Path) -> None:
    main = event_file(tmp_path, losses("loss", range(3)))
    (before,) = [gather_one(tmp_path)]
    cursor = before.cursor()
    with main.open("ab") as stream:
        stream.write(framed([scalar("loss", 3, 1.0)]))
    event_file(tmp_path / "loss_a", losses("loss", range(2)), START + 5)
    event_file(tmp_path, losses("loss", range(4, 6)), START + 9)
    rest = gather_one(tmp_path, cursor)
    joined = rows_of(before, rest)["points"]
    whole = rows_of(gather_one(tmp_path))["points"]
    assert sorted(joined, key=lambda row: row["seq"]) == whole


def test_hyperparameters_that_come_later_in_a_folder_of_their_own(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_hparams({"lr": 0.1}, {"best": 0.5})

    run = tmp_path / "runs" / "run"
    event_file(run, losses("loss", range(3)))
    (run / "hparams.yaml").write_text("depth: 3\n")
    pulled(tmp_path / "runs", tmp_path / "twice", "tensorboard")
    logged(run, fill)
    for its_own in run.glob("events.*"):  # without any event
        if str(START) not in its_own.name:
            its_own.unlink()
    twice = pulled(tmp_path / "runs", tmp_path / "twice", "tensorboard")
    once = pulled(tmp_path / "runs", tmp_path / "once", "tensorboard")
    assert held(twice) == held(once)
    (record,) = twice.records()
    config = {a.path: a.value for a in twice.inventory(record).attributes if a.role == "config"}
    assert config == {("lr",): 0.1, ("depth",): 3}
    (other,) = once.records()
    assert twice.inventory(record).attributes == once.inventory(other).attributes


def session(step: int, **hparams: float) -> event_pb2.Event:
    """What `add_hparams` begins with."""
    summary = hparams_v2.hparams_pb(hparams, trial_id=f"group {step}", start_time_secs=START + step)
    return event_pb2.Event(wall_time=START + step, summary=summary)


def ended(step: int, status: int) -> event_pb2.Event:
    content = plugin_data_pb2.HParamsPluginData()
    content.session_end_info.status = status
    content.session_end_info.end_time_secs = START + step
    value = summary_pb2.Summary.Value(tag="_hparams_/session_end_info")
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = content.SerializeToString()
    return event_pb2.Event(wall_time=START + step, summary=summary_pb2.Summary(value=[value]))


def test_whichever_of_a_runs_files_grows_first_they_say_the_same_in_the_end(
    tmp_path: Path,
) -> None:
    """The file of `add_hparams` is later by its name, and says other things."""
    run, inner = tmp_path / "runs" / "run", str(START + 5.5)
    described = scalar("loss", 0, 1.0)
    described.summary.value[0].metadata.display_name = "the loss"
    otherwise = scalar("loss", 0, 1.0)
    otherwise.summary.value[0].metadata.display_name = "another loss"
    mine = [version(), session(3, lr=0.1, depth=2), ended(4, 1), described]
    theirs = [version(), session(5, lr=0.2, width=3), ended(6, 2), otherwise]
    theirs.append(session(7, lr=0.3))
    event_file(run, mine[:1])
    event_file(run / inner, theirs, START + 5)
    pulled(tmp_path / "runs", tmp_path / "grown", "tensorboard")
    event_file(run, mine)
    grown = pulled(tmp_path / "runs", tmp_path / "grown", "tensorboard")
    once = pulled(tmp_path / "runs", tmp_path / "once", "tensorboard")
    (left,), (right,) = grown.records(), once.records()
    assert grown.inventory(left).attributes == once.inventory(right).attributes
    assert left.run == right.run
    assert sorted(left.losses, key=str) == sorted(right.losses, key=str)
    config = {a.path: a.value for a in right.attributes if a.role == "config"}
    assert config == {("lr",): 0.1, ("depth",): 2.0, ("width",): 3.0}
    values = {a.path[3:]: a.value for a in right.attributes if a.path[1:2] == ("hparams",)}
    assert values == {("lr",): 0.2, ("lr~2",): 0.3}
    assert right.run.group == "group 3"


def test_damage_is_told_by_its_place_and_read_over(tmp_path: Path) -> None:
    events = losses("loss", range(6))
    path = event_file(tmp_path, events)
    content = bytearray(path.read_bytes())
    start = ends(events)[2]
    content[start + 20] ^= 0xFF  # in the third value
    path.write_bytes(content)
    found = gather_one(tmp_path)
    assert [row["step"] for row in found.points("loss")] == [0, 1, 3, 4, 5]
    ((loss),) = found.losses
    assert (loss.code, loss.fate, loss.detail) == (
        "damaged-bytes",
        Fate.DROPPED,
        "bad-checksum",
    )
    assert loss.where == f"{path.name}@{start}"


def test_a_damaged_file_ends_in_exit_code_3(tmp_path: Path) -> None:
    path = event_file(tmp_path / "run", losses("loss", range(6)))
    content = bytearray(path.read_bytes())
    content[ends(losses("loss", range(6)))[2] + 20] ^= 0xFF
    path.write_bytes(content)
    ended = subprocess.run(
        command_apart(_CLI, "pull", f"tensorboard:{tmp_path}", str(tmp_path / "archive")),
        capture_output=True,
        text=True,
        timeout=60,
        env=environment_apart(),
        check=False,
    )
    assert ended.returncode == 3, ended.stderr
    assert "damaged-bytes" in ended.stdout + ended.stderr


def test_damage_that_comes_without_rows_ends_one_pull_with_a_loss(tmp_path: Path) -> None:
    path = event_file(tmp_path / "runs", losses("loss", range(3)))
    archive = Archive.open(tmp_path / "archive", create=True)
    place = Location("tensorboard", str(tmp_path / "runs"))
    assert pull(place, archive, reserve_bytes=0).exit_code == ExitCode.DONE
    with path.open("ab") as stream:
        stream.write(bytes(20))
    ended = [pull(place, archive, reserve_bytes=0).exit_code for _ in range(2)]
    assert ended == [ExitCode.LOSS, ExitCode.DONE]


def test_the_tail_of_a_file_that_nobody_writes_any_more_is_lost(tmp_path: Path) -> None:
    path = event_file(tmp_path, losses("loss", range(3)))
    path.write_bytes(path.read_bytes()[:-5])
    (loss,) = gather_one(tmp_path).losses
    assert (loss.code, loss.fate) == ("cut-tail", Fate.KEPT)
    event_file(tmp_path, losses("loss", range(3)), START + 60)
    (loss,) = gather_one(tmp_path).losses
    assert (loss.code, loss.fate) == ("cut-tail", Fate.DROPPED)


def test_a_file_that_was_replaced_is_refused(tmp_path: Path) -> None:
    path = event_file(tmp_path, losses("loss", range(3)))
    before = gather_one(tmp_path)
    path.write_bytes(framed([version(), *(scalar("loss", step, 9.0) for step in range(9))]))
    with pytest.raises(SourceChanged):
        gather(opened(tmp_path), before.run, before.cursor())


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    event_file(tmp_path, losses("loss", range(3)))
    later = event_file(tmp_path, losses("loss", range(3)), START + 60)
    before = gather_one(tmp_path)
    later.unlink()
    with pytest.raises(SourceChanged):
        gather(opened(tmp_path), before.run, before.cursor())


def test_a_plugin_that_only_the_first_value_named_is_known_later(tmp_path: Path) -> None:
    texts = [text_v2.text_pb("note", word) for word in ("a", "b", "c")]
    for summary in texts[1:]:
        summary.value[0].ClearField("metadata")
    events = [event_pb2.Event(wall_time=START, step=n, summary=one) for n, one in enumerate(texts)]
    path = event_file(tmp_path, [version(), events[0]])
    before = gather_one(tmp_path)
    with path.open("ab") as stream:
        stream.write(framed(events[1:]))
    rest = gather_one(tmp_path, before.cursor())
    assert [row["text"] for row in rows_of(before, rest)["texts"]] == ["a", "b", "c"]
