from pathlib import Path

from tests.transfer.roads import archive_of, arrived, push_to, verify_with

from runferry.testing.reference import StrictWriter
from runferry.testing.samples import all_samples


def test_everything_arrives_and_a_second_push_moves_nothing(tmp_path: Path) -> None:
    archive = archive_of(all_samples(), tmp_path)
    first = push_to(archive, tmp_path / "there")
    assert [o.error for o in first.failures] == []
    report = verify_with(archive, tmp_path / "there")
    assert report.unexpected == ()
    assert report.is_clean
    before = arrived(tmp_path / "there")
    second = push_to(archive, tmp_path / "there")
    assert second.counts == {"unchanged": len(before)}
    assert arrived(tmp_path / "there") == before


def test_what_a_strict_destination_loses_was_foretold(tmp_path: Path) -> None:
    archive = archive_of(all_samples(), tmp_path)
    first = push_to(archive, tmp_path / "there", StrictWriter)
    assert [o.error for o in first.failures] == []
    report = verify_with(archive, tmp_path / "there", StrictWriter.limits)
    assert [(r.run, r.unexpected, r.error) for r in report.runs if not r.is_clean] == []
