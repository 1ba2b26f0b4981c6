"""Files and artifacts of an export of Neptune's: each by itself, and none from elsewhere."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from neptune_exports import full_run, old_run, put_file, row, sys_v3, write_run
from neptune_gathered import gather_one


def test_a_set_of_files_is_its_members_under_its_name(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    found = gather_one(tmp_path)
    assert set(found.files) == {
        "source_code/files/train.py",
        "source_code/files/lib/net.py",
        "weights",
    }
    assert {file.role for name, file in found.files.items() if name != "weights"} == {"source"}
    with found.files["source_code/files/lib/net.py"].blob.open() as content:  # type: ignore[misc]
        assert content.read() == b"net"


def test_a_damaged_archive_of_a_set_is_kept_as_it_is(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (archive,) = tmp_path.rglob("files.zip")
    archive.write_bytes(archive.read_bytes()[:40])
    found = gather_one(tmp_path)
    assert "source_code/files/files.zip" in found.files
    assert "damaged-archive" in found.codes()


def test_an_artifact_is_what_it_tracks(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (artifact,) = gather_one(tmp_path).artifacts
    assert (artifact.name, artifact.relation) == ("data", "used")
    first, second = artifact.entries
    assert (first.path, first.reference, first.digest) == ("a.csv", "file:///data/a.csv", "f" * 40)
    assert (second.reference, second.blob.is_missing) == ("S3:b.csv", True)


def test_a_missing_or_damaged_list_of_an_artifact_is_told(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (listed,) = tmp_path.rglob("files_list.json")
    listed.write_text("[{]")
    assert "damaged-list" in gather_one(tmp_path).codes()
    listed.unlink()
    assert "missing-list" in gather_one(tmp_path).codes()


def test_paths_of_files_never_lead_out_of_the_projects_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    put_file(tmp_path / "data", "r/x", b"x")
    rows = [
        row("r", name, kind, {"path": path})
        for name, path in (("up", "../../secret"), ("root", str(tmp_path / "secret")))
        for kind in ("file", "file_set", "artifact")
    ]
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *rows])
    found = gather_one(tmp_path)
    assert all(file.blob.is_missing for file in found.files.values())
    assert all(not one.entries for one in found.artifacts)


def test_a_member_of_an_archive_may_be_called_anything(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (archive,) = tmp_path.rglob("files.zip")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../../escaped.py", "x")
    found = gather_one(tmp_path)
    assert "source_code/files/../../escaped.py" in found.files  # a name, and never a place
    assert not list(tmp_path.rglob("escaped.py"))


def test_a_damaged_member_of_an_archive_is_an_error_that_names_it(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (archive,) = tmp_path.rglob("files.zip")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("train.py", "x" * 1000)
    archive.write_bytes(archive.read_bytes().replace(b"x" * 1000, b"y" * 1000))
    blob = gather_one(tmp_path).files["source_code/files/train.py"].blob
    assert blob.open is not None
    with blob.open() as stream, pytest.raises(OSError, match=r"train\.py is damaged"):
        stream.read()


def test_files_that_lie_nowhere_are_missing_bytes(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    (tmp_path / "files").rename(tmp_path / "elsewhere")
    found = gather_one(tmp_path)
    assert all(file.blob.is_missing for file in found.files.values())
    assert all(item.blob.is_missing for item in found.media)
