"""Two pushes into one folder of plain files: one run, one content, nothing left over."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from tests.readers.plain_folders import WRITERS, folder_of, written

from runferry.errors import RunMissing
from runferry.ports import Location, Writer
from runferry.testing.content import Content, everything
from runferry.testing.recording import Sample
from runferry.testing.samples import as_run, curve, files, plain
from runferry.writers.csv_folder import CsvFolderWriter


def opened(where: Location) -> Writer:
    return CsvFolderWriter.open(where)


def hidden(where: Location) -> list[str]:
    return [p.name for p in (where.path / ".runferry").iterdir() if p.name != "listed.json"]


@pytest.fixture
def where(tmp_path: Path) -> Location:
    return Location("csv", str(tmp_path / "out"))


def append_all(writer: Writer, sample: Sample) -> None:
    remote = writer.find(sample.run.uid)
    assert remote is not None
    for number, chunk in enumerate(sample.chunks):
        writer.append(remote, number, chunk)


def test_what_another_push_took_over_is_missing_to_the_first(where: Location) -> None:
    sample = files()
    first, second = opened(where), opened(where)
    remote = first.create(sample.run, sample.run.uid)
    append_all(first, sample)
    second.discard(remote)
    second.create(sample.run, sample.run.uid)
    for number, chunk in enumerate(files().chunks):  # some of it would make the folders anew
        with suppress(RunMissing):
            first.append(remote, number, chunk)
    with pytest.raises(RunMissing):
        first.seal(remote, sample.run)
    first.close()
    append_all(second, sample)
    second.seal(remote, sample.run)
    second.close()
    (content,) = everything(_reader(), where).values()
    expected = Content.of(sample.chunks)
    expected.header = sample.run
    assert content.comparable() == expected.comparable()
    assert not hidden(where)


def test_of_two_attempts_the_one_that_is_sealed_stays_and_the_other_is_missing(
    where: Location,
) -> None:
    sample = plain()
    first, second = opened(where), opened(where)
    for writer in (first, second):
        remote = writer.create(sample.run, sample.run.uid)
        append_all(writer, sample)
    first.seal(remote, sample.run)
    with pytest.raises(RunMissing):
        second.seal(remote, sample.run)
    first.close()
    second.close()
    assert len(list((where.path / "runs").iterdir())) == 1
    assert not hidden(where)


def test_a_writer_that_is_closed_leaves_nothing_half_written(where: Location) -> None:
    writer = opened(where)
    remote = writer.create(curve(10).run, curve(10).run.uid)
    writer.claim(remote, "somebody 0")
    append_all(writer, curve(10))
    writer.close()
    assert opened(where).find(curve(10).run.uid) is None
    assert not hidden(where)


def test_runs_of_one_name_have_folders_of_their_own(where: Location) -> None:
    samples = [as_run(plain("same"), f"id-{n}") for n in range(5)]
    written("csv", where.path, samples)
    found = [path.name for path in (where.path / "runs").iterdir()]
    assert len(found) == 5
    assert all(name.startswith("same-") for name in found)


def test_the_index_is_right_again_after_a_folder_was_removed(where: Location) -> None:
    import shutil

    written("csv", where.path, [plain(), curve(10)])
    shutil.rmtree(folder_of(where, curve(10)))
    opened(where).close()
    assert len((where.path / "runs.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize("form", sorted(WRITERS))
def test_an_index_of_no_runs_is_an_empty_table(form: str, tmp_path: Path) -> None:
    WRITERS[form].open(Location(form, str(tmp_path / "out"))).close()
    assert (tmp_path / "out" / f"runs.{form}").is_file()


def _reader() -> type:
    from runferry.readers.plain_folder import CsvFolderReader

    return CsvFolderReader
