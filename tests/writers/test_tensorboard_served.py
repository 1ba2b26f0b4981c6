"""TensorBoard shows what we write: by its data server, and by its readers in Python."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard_shown import Served, event_file, loaded, picture, sound, tensorboard, written

from runferry import settings
from runferry.chunks import SeriesFacts
from runferry.losses import Fate, Loss
from runferry.model import Address, Blob, MediaItem, MediaType, RunKey
from runferry.ports import Location, RemoteId
from runferry.testing.recording import Float32, Histogram, Recording, Sample
from runferry.testing.samples import SECOND_NS, START_NS, curve, header, names, values
from runferry.testing.writer_laws import numbered
from runferry.writers.tensorboard import TensorboardWriter

_ENDED = ["STATUS_SUCCESS"]


def item(kind: MediaType, content: bytes, caption: str | None = None) -> MediaItem:
    return MediaItem("", Address(0), kind, Blob.from_bytes(content), caption=caption)


def shown_run() -> Sample:
    """Whatever TensorBoard has a tab for."""
    run = Recording(header("runs/shown", group="g"))
    run.attributes("config", {"lr": 0.1, "optimizer": "adam", "nested": [1, 2], "amp": True})
    for step in range(4):
        at = START_NS + step * SECOND_NS
        run.log(
            {"loss": 1 / (step + 1), "half": Float32(step / 2), "n": step}, step=step, time_ns=at
        )
        run.log({"weights": Histogram((0.0, 1.0, 3.0), (step, 2))}, step=step, time_ns=at)
        run.log({"note": f"step **{step}**"}, step=step, time_ns=at)
    pictures = (item("image", picture()), item("image", picture(shade=9)))
    run.log({"pictures": pictures, "sound": item("audio", sound(), "a tone")}, step=3)
    return run.attributes("summary", {"loss": 0.25}).sample()


@pytest.mark.parametrize("data_server", [True, False], ids=["data-server", "python"])
def test_tensorboard_shows_every_tab(tmp_path: Path, data_server: bool) -> None:
    (remote,) = written(tmp_path, shown_run())
    assert remote == "runs/shown"
    with tensorboard(tmp_path, data_server=data_server, runs=1) as served:
        points = served.get("/plugin/scalars/scalars", run=remote, tag="loss")
        assert [point[:2] for point in points] == [[1_700_000_000 + n, n] for n in range(4)]
        assert [point[2] for point in points] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
        assert set(served.get("/plugin/scalars/tags")[remote]) == {"loss", "half", "n"}
        bins = served.get("/plugin/histograms/histograms", run=remote, tag="weights")
        assert bins[3][2] == [[0.0, 1.0, 3.0], [1.0, 3.0, 2.0]]
        texts = served.get("/plugin/text/text", run=remote, tag="note")
        assert "<strong>3</strong>" in texts[3]["text"]
        _shows_media(served, remote)
        _shows_hparams(served, remote)


def _shows_media(served: Served, remote: str) -> None:
    for sample, shade in ((0, 200), (1, 9)):
        query = {"run": remote, "tag": "pictures", "sample": sample}
        (image,) = served.get("/plugin/images/images", **query)
        assert image["step"] == 3
        shown = served.content(f"/plugin/images/individualImage?{image['query']}")
        assert shown == picture(shade=shade)
    (clip,) = served.get("/plugin/audio/audio", run=remote, tag="sound", sample=0)
    assert clip["contentType"] == "audio/wav"
    assert served.content(f"/plugin/audio/individualAudio?{clip['query']}") == sound()


def _shows_hparams(served: Served, remote: str) -> None:
    experiment = served.post("/plugin/hparams/experiment", {})
    names = {one["name"] for one in experiment["hparamInfos"]}
    assert names == {"lr", "optimizer", "nested", "amp"}
    metrics = [one["name"] for one in experiment["metricInfos"]]
    assert {metric["tag"] for metric in metrics} == {"loss", "half", "n"}
    columns = [{"hparam": name} for name in names] + [{"metric": metric} for metric in metrics]
    asked = {"startIndex": 0, "sliceSize": 10, "colParams": columns}
    found = served.post("/plugin/hparams/session_groups", {**asked, "allowedStatuses": _ENDED})
    (group,) = found["sessionGroups"]
    assert group["hparams"] == {"lr": 0.1, "optimizer": "adam", "nested": "[1,2]", "amp": True}
    assert {one["name"]["tag"]: one["value"] for one in group["metricValues"]}["loss"] == 0.25
    assert [session["name"] for session in group["sessions"]] == [remote]


def grouped(name: str, lr: float, key: RunKey) -> Sample:
    run = Recording(replace(header(name, group="g"), key=key)).attributes("config", {"lr": lr})
    return run.log({"loss": lr}, step=0, time_ns=START_NS).sample()


def test_hparams_shows_a_row_for_each_run_unless_tensorboard_took_runs_together(
    tmp_path: Path,
) -> None:
    """What TensorBoard calls a group are sessions of one configuration, repeated."""
    trackers = ("wandb", "mlflow", "tensorboard", "tensorboard")
    samples = [
        grouped(f"run-{number}", 0.5 if tracker == "tensorboard" else number, key)
        for number, tracker in enumerate(trackers)
        for key in [RunKey(tracker, "", f"run-{number}")]
    ]
    brought = grouped("run-4", 4.0, RunKey("tensorboard", "", "run-4"))
    origin = RunKey("wandb", "", "first").uid
    samples.append(replace(brought, run=replace(brought.run, origin_uid=origin)))
    remotes = written(tmp_path, *samples)
    with tensorboard(tmp_path, data_server=True, runs=5) as served:
        asked = {"startIndex": 0, "sliceSize": 10, "colParams": [{"hparam": "lr"}]}
        found = served.post("/plugin/hparams/session_groups", {**asked, "allowedStatuses": _ENDED})
    rows = [sorted(one["name"] for one in row["sessions"]) for row in found["sessionGroups"]]
    alone, together = [[remotes[0]], [remotes[1]], [remotes[4]]], sorted(remotes[2:4])
    assert sorted(rows) == sorted([*alone, together])


def test_every_name_and_every_number_is_shown_by_the_data_server(tmp_path: Path) -> None:
    written(tmp_path, names(), values())
    facts = [chunk for chunk in names().chunks if isinstance(chunk, SeriesFacts)]
    series = {one.key for chunk in facts for one in chunk.items}
    with tensorboard(tmp_path, data_server=True, runs=2) as served:
        assert set(served.get("/plugin/scalars/tags")["names"]) >= series - {""}
        ints = served.get("/plugin/scalars/scalars", run="values", tag="int")
        assert [point[2] for point in ints][:2] == [0, -1]
        floats = served.get("/plugin/scalars/scalars", run="values", tag="float")
        assert [point[2] for point in floats][:5] == ["NaN", "NaN", "NaN", "Infinity", "-Infinity"]


def test_tensorboard_follows_a_run_that_is_being_written(tmp_path: Path) -> None:
    """It reads on in the file that it has open: nothing that stands there is written again."""
    sample = curve(40, keys=1, batch=10)
    writer = TensorboardWriter.open(Location("tensorboard", str(tmp_path)))
    remote = writer.create(sample.run, sample.run.uid)
    chunks = list(numbered(sample))
    half = len(chunks) // 2
    for number, chunk in chunks[:half]:
        writer.append(remote, number, chunk)
    with tensorboard(tmp_path, data_server=True, runs=1) as served:

        def points() -> int:
            return len(served.get("/plugin/scalars/scalars", run=remote, tag="metric/0"))

        assert 0 < points() < 40
        for number, chunk in chunks[half:]:
            writer.append(remote, number, chunk)
        writer.seal(remote, sample.run)
        deadline = time.monotonic() + 60
        while points() < 40 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert points() == 40


def test_the_vendors_loader_reads_equal_values(tmp_path: Path) -> None:
    """Numbers to the precision that TensorBoard has, which is a float of 32 bits."""
    (remote,) = written(tmp_path, shown_run())
    found = loaded(tmp_path, remote)
    assert found["loss"] == [
        (step, START_NS / 1e9 + step, float(np.float32(1 / (step + 1)))) for step in range(4)
    ]
    assert [value for _, _, value in found["half"]] == [0.0, 0.5, 1.0, 1.5]
    assert [value for _, _, value in found["n"]] == [0, 1, 2, 3]
    assert [value for _, _, value in found["note"]] == [
        f"step **{step}**".encode() for step in range(4)
    ]
    for step, (_, _, bins) in enumerate(found["weights"]):
        assert bins.tolist() == [[0.0, 1.0, step], [1.0, 3.0, 2.0]]
    ((_, _, images),) = found["pictures"]
    assert images.tolist() == [b"3", b"2", picture(), picture(shade=9)]


def test_what_was_logged_together_is_shown_at_one_time(tmp_path: Path) -> None:
    """Numbers, images, sounds, curves and the session: the double nearest to whole and rest."""
    ns = next(ns for ns in range(START_NS, START_NS + 10**6) if ns / 1e9 != shown_time(ns))
    lists = b'{"true_positives":[1.0],"false_positives":[0.0]}'
    curves = MediaItem(
        "", Address(0), "plot", Blob.from_bytes(lists), metadata={"plugin": "pr_curves"}
    )
    run = Recording(header("times", started_ns=ns, ended_ns=ns)).attributes("config", {"lr": 1})
    together = {
        "n": 1.0, "image": item("image", picture()), "sound": item("audio", sound()), "pr": curves
    }  # fmt: skip
    (remote,) = written(tmp_path, run.log(together, step=0, time_ns=ns).sample())
    events = EventFileLoader(str(event_file(tmp_path, remote))).Load()
    times = {event.wall_time for event in events} - {0.0}  # records of ours have no time
    assert times == {shown_time(ns)}


def shown_time(ns: int) -> float:
    return ns // 10**9 + ns % 10**9 / 1e9


def told_of(folder: Path, sample: Sample) -> tuple[RemoteId, tuple[Loss, ...]]:
    """Writes a run; where it is, and the losses that are reported."""
    writer = TensorboardWriter.open(Location("tensorboard", str(folder)))
    remote = writer.create(sample.run, sample.run.uid)
    for number, chunk in numbered(sample):
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    return remote, writer.losses(remote)


def test_what_tensorboard_cannot_show_is_reported_and_kept(tmp_path: Path) -> None:
    run = Recording(header("hidden"))
    run.log({"a": item("image", b"II*\0 a TIFF"), "b": item("audio", b"OggS")}, step=0)
    remote, losses = told_of(tmp_path, run.sample())
    told = {(loss.code, loss.where, loss.count, loss.fate) for loss in losses}
    assert told == {("not-shown", key, 1, Fate.REENCODED) for key in "ab"}
    kept = {path.read_bytes() for path in (tmp_path / remote / "runferry_files").iterdir()}
    assert kept == {b"II*\0 a TIFF", b"OggS"}


def told_of_numbers(folder: Path) -> dict[tuple[str, Fate], dict[str, int]]:
    """Losses by their code, of a run whose numbers are near the ends of 32 bits and beyond."""
    run = Recording(header("beyond"))
    edge = float(np.finfo(np.float32).max)
    for step, number in enumerate([1.7e308, -1e39, edge, -edge, math.inf, math.nan, 5e-324]):
        run.log({"wide": number, "n": 2**63 - 1}, step=step)
    run.log({"narrow": -1e-46, "none": None}, step=7).log({"narrow": 1e-45}, step=8)
    run.log({"narrow": 0.0}, step=9)
    told: dict[tuple[str, Fate], dict[str, int]] = {}
    for loss in told_of(folder, run.sample())[1]:
        told.setdefault((loss.code, loss.fate), {})[loss.where] = loss.count
    return told


def test_numbers_that_are_shown_as_infinite_or_zero_are_told_by_series(tmp_path: Path) -> None:
    told = told_of_numbers(tmp_path)
    assert told == {("beyond-float32", Fate.REENCODED): {"wide": 3, "narrow": 1}}


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is written is exact for every program, and not for the data server."""
    monkeypatch.setenv("RUNFERRY_TENSORBOARD_DOUBLES", "1")
    settings.install(None)
    yield
    settings.install(None)


@pytest.mark.usefixtures("doubles")
def test_doubles_are_shown_as_they_are(tmp_path: Path) -> None:
    assert not told_of_numbers(tmp_path)


@pytest.mark.usefixtures("doubles")
def test_doubles_are_exact_for_everybody_who_asks_for_them(tmp_path: Path) -> None:
    run = Recording(header("exact"))
    numbers = [1 / 3, 1e300, 5e-324, -0.0, 0.5, math.pi]
    for step, number in enumerate(numbers):
        run.log({"loss": number, "n": 2**24 + 1 + step}, step=step, time_ns=START_NS + step)
    (remote,) = written(tmp_path, run.sample())
    found = loaded(tmp_path, remote)
    assert [math.copysign(1, value) for _, _, value in found["loss"]] == [1, 1, 1, -1, 1, 1]
    assert [value for _, _, value in found["loss"]] == numbers
    assert [value for _, _, value in found["n"]] == [2**24 + 1 + n for n in range(len(numbers))]
    with tensorboard(tmp_path, data_server=False, runs=1) as served:
        points = served.get("/plugin/scalars/scalars", run=remote, tag="loss")
        assert [value for _, _, value in points] == numbers
