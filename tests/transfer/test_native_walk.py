"""What a tracker is given, judged without our exact copy beside: the loss there is foretold too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.transfer.nasties import archive_of_nasties, crowd
from tests.transfer.native_places import NATIVE, reading, take_copies_away, tell
from tests.transfer.ways_there import Pair, pairs

from runferry.archive.store import Archive
from runferry.losses import Fate, Loss
from runferry.model import Address, Blob, MediaItem, Tree
from runferry.ports import Location
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, empty, header, relatives
from runferry.transfer.patience import Patience
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive
from runferry.writers.aim.showing import Showing as Aim
from runferry.writers.clearml.authoring import Authoring as Clearml
from runferry.writers.swanlab.authoring import Authoring as Swanlab
from runferry.writers.trackio.showing import Showing as Trackio

PAIRS = tuple(pair for pair in pairs() if str(pair) in NATIVE)
_GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
_WORDS = "损失/训练"
_BOXES: Tree = {"boxes": [{"label": "a cat", "x": 1}]}


def described() -> Sample:
    """What the other runs have little of: attributes of every role and type, and media."""
    run = Recording(header("described", tags=("one", "two"), notes="of it", exit_code=3))
    run.attributes("config", {"list": [1, [2.5, None]], ("deep", "er"): {"is": True}, "b": b"\x00"})
    run.attributes("config", {"nan": math.nan, "inf": -math.inf, "n": None, "s": "1"})
    run.attributes("config", {"at": datetime(2024, 2, 3, tzinfo=UTC), "tagged": {"$bytes": "AA=="}})
    run.attributes("summary", {"best": 0.25, "word": "good"})
    run.attributes("environment", {"python": "3.12", "gpu": {"count": 2}})
    png = Blob.from_bytes(b"\x89PNG\r\n\x1a\n", "image/png")
    media = {
        "boxed": MediaItem("", Address(0), "image", png, 0, "media/boxed.png", "it", _BOXES),
        "clip": MediaItem("", Address(0), "video", Blob.from_bytes(_GIF, "image/gif")),
    }
    run.log({**media, "loss": 0.5}, step=1, time_ns=START_NS)
    return run.sample()


@pytest.fixture(scope="module")
def nasties(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    kin = (sample for sample in relatives() if sample.run.key.run_id in {"forked", "unfinished"})
    samples = (crowd(), described(), empty(), *kin)
    return archive_of_nasties(tmp_path_factory.mktemp("few"), samples)


def untold(archive: Archive, pair: Pair, there: Location, folder: Path) -> dict[str, list[Loss]]:
    """Push, take the exact copies away, and compare with what is left."""
    place = NATIVE[str(pair)]
    sent = push(archive, there, allow=Fate.DROPPED, patience=Patience(seconds=0.0))
    assert not sent.failures
    take_copies_away(place, folder)
    tell(archive, there, place)
    report = verify_archive(
        archive, there, open_reader=reading(archive, there, place), limits=place.limits
    )
    assert report.others == 0
    assert [run.error for run in report.runs if run.error] == []
    return {run.run: list(run.unexpected) for run in report.runs if run.unexpected}


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_what_the_tracker_is_not_given_was_foretold_or_reported(
    nasties: Archive, tmp_path: Path, pair: Pair
) -> None:
    with pair.way(tmp_path) as there:
        assert untold(nasties, pair, there, tmp_path) == {}


def _nothing(*_: object, **__: object) -> Mapping[str, object]:
    return {}


SILENCED = {
    "aim-repository": (Aim, {"_send": "config.s"}),
    "swanlab-folder": (Swanlab, {
        "_scalars": "a_b", "_texts": _WORDS, "_media": "boxed", "_console": "console",
    }),
    "clearml-folder": (Clearml, {
        "_histograms": "weights", "_media": "boxed", "_printed": "console",
        "_singles": "summary.best", "_shown_parameters": "config.s",
    }),
    "trackio-project": (Trackio, {"_others": "boxed", "_config": "config.s"}),
}  # fmt: skip
"""What makes each part of what a tracker is shown, and where it is missed, or under which code."""


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_walk_tells_of_a_writer_that_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: Pair
) -> None:
    writer, parts = SILENCED[str(pair)]
    for part in parts:
        monkeypatch.setattr(writer, part, _nothing)
    nasties = archive_of_nasties(tmp_path / "origin", (crowd(), described()))
    with pair.way(tmp_path) as there:
        found = untold(nasties, pair, there, tmp_path)
    assert {*parts.values()} <= {
        loss.where or loss.code for lost in found.values() for loss in lost
    }
