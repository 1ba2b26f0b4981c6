"""One run from two sources: known from the one, it gets nothing a second time from the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.transfer.roads import archive_of

from runferry.archive.store import Archive
from runferry.ports import Location
from runferry.testing.samples import curve
from runferry.transfer.pull import pull
from runferry.transfer.push import push


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "swanlab", "trackio", "neptune"])
def test_a_run_that_comes_back_by_another_form_is_not_there_twice(
    form: str, tmp_path: Path
) -> None:
    """The cursor in the archive is one of the first source."""
    logs = Location("tensorboard", str(tmp_path / "logs"))
    assert not push(archive_of([curve(50)], tmp_path / "before"), logs).failures
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull(logs, archive, reserve_bytes=0)
    other = Location(form, str(tmp_path / ("other.db" if form == "trackio" else "other")))
    assert not push(archive, other).failures
    for source in (other, logs, other):
        report = pull(source, archive, reserve_bytes=0)
        assert [outcome.status for outcome in report.outcomes] == ["unchanged"], source
        for record in archive.records():
            counts = [one.counts for one in archive.series(record)]
            assert {one.points for one in counts if one is not None} == {50}
