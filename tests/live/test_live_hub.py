"""What is followed is in the hub's archive as a whole, or the hub says that it is not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.errors import Unreachable
from runferry.live.captured import Captured
from runferry.live.hub import Hub
from runferry.locations import locate
from runferry.model import Run
from runferry.readers.wandb.reader import WandbReader

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb"


def test_a_source_whose_listing_ends_half_way_keeps_it_from_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(reader: WandbReader) -> Iterator[Run]:
        yield from itertools.islice(runs(reader), 1)
        raise Unreachable("no answer")

    source = locate(f"wandb:{EXAMPLE}", role="source")
    hub = Hub(tmp_path / "hub", (), lambda: [(source, None)], lambda *_: False)
    runs = WandbReader.runs
    with monkeypatch.context() as broken:
        broken.setattr(WandbReader, "runs", ends)
        report = hub.bring(Captured(), is_ending=True)
    assert len(report.outcomes) == 1
    assert isinstance(report.cause, Unreachable)
    assert report.aborted == str(report.cause)
    assert hub.failing is not None
    assert "no answer" in hub.failing
    assert not hub.is_done
    assert len(hub.bring(Captured(), is_ending=True).outcomes) == 2
    assert hub.is_done
