"""The archive holds every bit of what a reader yields, in both orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from runferry import chunks
from runferry.archive.store import Archive
from runferry.testing.content import Content
from runferry.testing.recording import Sample
from runferry.testing.samples import all_samples
from runferry.testing.strategies import runs


def kept(stream: Iterable[chunks.Chunk]) -> dict[str, Any]:
    """What must be the same; the archive states each blob's size and hash itself."""
    content = Content.of(stream)
    content.series = {k: replace(s, counts=None) for k, s in content.series.items()}
    return content.comparable()


def assert_kept(sample: Sample, folder: Path) -> None:
    archive = Archive.open(folder / "archive", create=True, reserve=0)
    with archive.draft(sample.run) as draft:
        for chunk in sample.chunks:
            draft.put(chunk)
        record = draft.commit()
    for order in ("any", "step"):
        assert kept(archive.chunks(record, order=order)) == kept(sample.chunks), order


@pytest.mark.parametrize("sample", all_samples(), ids=lambda s: s.run.key.run_id)
def test_every_bit_of_a_nasty_run_is_kept(sample: Sample, tmp_path: Path) -> None:
    assert_kept(sample, tmp_path)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(runs())
def test_every_bit_of_any_run_is_kept(sample: Sample) -> None:
    with TemporaryDirectory() as folder:
        assert_kept(sample, Path(folder))
