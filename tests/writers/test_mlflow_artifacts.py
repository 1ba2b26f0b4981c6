"""Every artifact folder keeps what it is given, under names that never meet."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.writers.mlflow_runs import blob_bytes, content, header, pulled, push

from runferry.chunks import Artifact, Chunk, File
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.local_folder import LocalFolder
from runferry.dialects.mlflow.paths import safe_path
from runferry.dialects.mlflow.server import Server
from runferry.dialects.mlflow.vendor import MissingDriver, open_store
from runferry.dialects.mlflow.vendor_folder import VendorFolder
from runferry.errors import Refused, Unreachable, UsageError
from runferry.model import Address, ArtifactEntry, Blob, MediaItem
from runferry.ports import Location
from runferry.writers.mlflow import MlflowWriter
from runferry.writers.mlflow.media import media_path, shown_table_path, small_image_path
from runferry.writers.mlflow.server import ServerBackend

Make = Callable[[], ArtifactFolder]


@pytest.fixture(params=["local", "vendor", "served"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Opens the same folder as another process would."""
    if request.param == "local":
        yield lambda: LocalFolder(tmp_path / "artifacts")
        return
    if request.param == "vendor":  # MLflow's own code, here with a folder of this disk behind it
        yield lambda: VendorFolder(f"file://{tmp_path}/artifacts")
        return
    url, _ = request.getfixturevalue("served")
    writer, server = MlflowWriter.open(Location("mlflow", url)), Server.at(url)
    remote = push(writer, header(f"artifacts-{request.node.name}"), [], seal=False)
    yield lambda: ServerBackend(server).folder(remote)
    server.close()
    writer.close()


def files(folder: ArtifactFolder) -> dict[str, object]:
    return {
        entry.path: blob_bytes(folder.blob(entry))
        for entry in folder.walk()
        if not entry.path.startswith("runferry/")
    }


def test_a_file_that_is_there_stays_and_the_new_one_is_where_it_says(make: Make) -> None:
    folder = make()
    assert folder.put("a/x.txt", io.BytesIO(b"first")) == "a/x.txt"
    for again in (folder, make()):
        assert again.put("a/x.txt", io.BytesIO(b"other")) == "a/x~2.txt"
        assert again.put("a/x.txt", io.BytesIO(b"first")) == "a/x.txt"
        assert again.put("a/x.txt", io.BytesIO(b"third")) == "a/x~3.txt"  # of the same size
        assert again.put("a", io.BytesIO(b"file")) == "a~f"
        assert again.put("a~f/b", io.BytesIO(b"below")) == "a~f~d/b"
    folder.replace("a/x~3.txt", io.BytesIO(b"replaced"))
    assert folder.put("a/x.txt", io.BytesIO(b"replaced")) == "a/x~3.txt"
    assert files(make()) == {
        "a/x.txt": b"first",
        "a/x~2.txt": b"other",
        "a/x~3.txt": b"replaced",
        "a~f": b"file",
        "a~f~d/b": b"below",
    }


def test_a_link_in_the_folder_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = LocalFolder(tmp_path / "artifacts")
    folder.root.mkdir()
    (folder.root / "sub").symlink_to(outside)
    (folder.root / "gone").symlink_to(outside / "nothing")
    assert folder.put("sub/x", io.BytesIO(b"x")) == "sub~d/x"
    assert folder.put("gone", io.BytesIO(b"x")) == "gone~2"
    assert list(outside.iterdir()) == []


PLACES = ("runferry/a", "artifacts/model/v1/m.pt", "long/0011223344556677.txt")
words = st.sampled_from(("images", "media", "tables", "artifacts", "runferry", "long", "x", "k/7"))


@given(st.lists(words, min_size=1, max_size=3).map("/".join), st.sampled_from([".png", ".json"]))
@example("images/a", ".png")
def test_a_file_never_stands_where_we_put_another_thing(path: str, suffix: str) -> None:
    at = Address(3, 7, None, 0)
    for kind, number in itertools.product(("image", "table", "html"), range(3)):
        item = MediaItem("k", at, kind, Blob(1), number, path=f"x{suffix}")  # type: ignore[arg-type]
        ours = media_path(number, item)
        shown = [shown_table_path(ours)] if kind == "table" else []
        places = [ours, small_image_path(ours), *shown, *PLACES]
        for place in filter(None, places):
            assert safe_path(place).casefold() != place.casefold()
            assert safe_path(place.upper()).casefold() != place.casefold()
    top = path.partition("/")[0]
    assert safe_path(path) == path or top in ("artifacts", "runferry", "long")


@given(st.lists(st.text(alphabet="/amrtifcs=~.2+", max_size=12), unique=True, max_size=20))
def test_different_paths_stay_different(paths: list[str]) -> None:
    assert len({safe_path(path) for path in paths}) == len(paths)


@pytest.mark.parametrize("name", ["images/x.png", "media/x.mp4", "tables/a.json", "model/a.pt"])
def test_a_readable_name_that_nothing_of_ours_could_have_stays(name: str) -> None:
    assert safe_path(name) == name


def test_a_file_and_an_artifacts_entry_of_one_path_are_both_kept(
    database: Path, served: tuple[str, Path]
) -> None:
    run = header("both")
    sent: list[Chunk] = [
        File("artifacts/m/v1/w.bin", "other", Blob.from_bytes(b"file")),
        Artifact("m", "model", "produced", version="v1",
                 entries=(ArtifactEntry("w.bin", Blob.from_bytes(b"entry")),)),
    ]  # fmt: skip
    for where in (f"sqlite:///{database}", served[0]):
        writer = MlflowWriter.open(Location("mlflow", where))
        remote = push(writer, run, sent)
        assert content(pulled(where, remote)) == content(sent)
        writer.close()


def test_a_file_that_changed_since_it_was_pushed_takes_its_own_place(
    database: Path, served: tuple[str, Path]
) -> None:
    run = header("log")

    def stated(log: bytes, weights: bytes) -> list[Chunk]:
        entry = ArtifactEntry("w.bin", Blob.from_bytes(weights))
        return [
            File("output.log", "console", Blob.from_bytes(log)),
            Artifact("m", "model", "produced", version="v1", entries=(entry,)),
        ]

    for where in (f"sqlite:///{database}", served[0]):
        writer = MlflowWriter.open(Location("mlflow", where))
        remote = push(writer, run, stated(b"one\n", b"1"))
        for number, chunk in enumerate(stated(b"one\ntwo\n", b"2"), start=2):
            writer.append(remote, number, chunk)
        writer.seal(remote, run)
        assert content(pulled(where, remote)) == content(stated(b"one\ntwo\n", b"2"))
        writer.close()


def test_what_a_clouds_sdk_says_becomes_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    class EndpointConnectionError(Exception):
        pass

    class AccessDeniedError(Exception):
        pass

    folder = VendorFolder(f"file://{tmp_path}/artifacts")
    for raised, expected in (
        (EndpointConnectionError("no route"), Unreachable),
        (AccessDeniedError("s3://key:secret@bucket"), Refused),
        (ModuleNotFoundError("no boto3", name="boto3"), MissingDriver),
    ):

        def fails(*_: object, raised: Exception = raised) -> None:
            raise raised

        monkeypatch.setattr(LocalArtifactRepository, "log_artifact", fails)
        with pytest.raises(expected) as failure:
            folder.put("a", io.BytesIO(b"x"))
        assert "secret" not in str(failure.value)


def test_a_missing_driver_is_named_with_the_package_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not installed
    with pytest.raises(MissingDriver) as failure:
        open_store("postgresql+psycopg://127.0.0.1:9/x")
    assert failure.value.hint == "pip install 'psycopg[binary]'"


def test_an_mlflow_that_is_too_old_for_a_database_is_told_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    monkeypatch.delattr(SqlAlchemyStore, "get_trace")
    with pytest.raises(UsageError, match="too old") as failure:
        open_store("postgresql://user:secret@127.0.0.1:9/x")
    assert "secret" not in str(failure.value)
