"""What the text of a location means."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from runferry.archive.store import Archive
from runferry.errors import BadLocation, BadPlugin, Damaged, NotFound
from runferry.locations import locate
from runferry.model import Run
from runferry.ports import Location
from runferry.registry import blamed, headers, is_path, reader, reader_names, writer, writer_names
from runferry.writer_ports import PlaceWriter, ServerWriter


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Archive.open(Path("an-archive"), create=True)
    Path("empty").mkdir()
    Path("strange").mkdir()
    Path("strange", "notes.txt").write_text("mine")
    Path("wandb").mkdir()


@pytest.mark.parametrize(
    ("text", "role", "tracker", "where"),
    [
        ("an-archive", "source", "archive", "an-archive"),
        ("an-archive", "destination", "archive", "an-archive"),
        ("./an-archive", "source", "archive", "./an-archive"),
        ("archive:./an-archive", "source", "archive", "./an-archive"),
        ("archive:new", "destination", "archive", "new"),
        ("new", "destination", "archive", "new"),
        ("new/deep", "destination", "archive", "new/deep"),
        ("empty", "destination", "archive", "empty"),
        ("mlflow:sqlite:///runs.db", "destination", "mlflow", "sqlite:///runs.db"),
        ("mlflow:http://127.0.0.1:5000", "source", "mlflow", "http://127.0.0.1:5000"),
        ("mlflow:./mlruns", "source", "mlflow", "./mlruns"),
        ("wandb:./wandb", "source", "wandb", "./wandb"),
        ("wandb:team/project", "source", "wandb", "team/project"),
        (r"C:\runs", "destination", "archive", r"C:\runs"),
        (r"mlflow:C:\mlruns", "source", "mlflow", r"C:\mlruns"),
    ],
)
def test_a_location_is_a_name_and_a_place_or_a_path(
    text: str, role: str, tracker: str, where: str
) -> None:
    found = locate(text, role=role)  # type: ignore[arg-type]
    assert (found.tracker, found.where) == (tracker, where)


def test_an_archive_that_another_process_is_making_is_a_destination(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".archive.json.0a1b.tmp").touch()  # what is renamed as the last step
    where = str(tmp_path / "new")
    assert locate(where, role="destination") == Location("archive", where)


@pytest.mark.parametrize(
    ("text", "role", "error", "says"),
    [
        ("wnadb:./x", "source", BadLocation, "did you mean wandb"),
        ("mlfow:./x", "destination", BadLocation, "did you mean mlflow"),
        ("zzz:./x", "source", BadLocation, "known are"),
        ("tensorboard:", "source", BadLocation, "nothing stands behind"),
        ("mlflow", "source", BadLocation, "nothing stands behind"),
        ("http://127.0.0.1:5000", "source", BadLocation, "put its name in front"),
        ("", "source", BadLocation, "empty"),
        ("not-there", "source", NotFound, "no such file"),
        ("strange", "source", NotFound, "recognises"),
        ("strange", "destination", BadLocation, "neither an archive"),
        (r"C:\runs", "source", NotFound, "no such file"),
        ("a\0b", "source", NotFound, "no such file"),
    ],
)
def test_what_cannot_be_understood_is_said_with_a_hint(
    text: str, role: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        locate(text, role=role)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "hint:" in str(caught.value)


def test_an_existing_path_wins_over_a_name() -> None:
    Path("mlflow:x").mkdir()
    Archive.open(Path("mlflow:x"), create=True)
    assert locate("mlflow:x", role="source").tracker == "archive"


def test_credentials_are_never_shown() -> None:
    place = locate("mlflow:https://me:secret@host/?token=abc", role="source")
    assert "secret" in place.where
    assert "secret" not in str(place)
    assert "abc" not in str(place)
    with pytest.raises(BadLocation) as caught:
        locate("https://me:secret@host", role="source")
    assert "secret" not in str(caught.value)


def test_every_built_in_name_can_be_imported() -> None:
    assert {reader(name).name for name in reader_names()} == set(reader_names())
    assert {writer(name).name for name in writer_names()} == set(writer_names())


def test_a_project_is_no_path() -> None:
    for tracker in ("clearml", "neptune", "swanlab", "trackio", "wandb"):
        assert not is_path(Location(tracker, "project")), tracker
        assert is_path(Location(tracker, "./project")), tracker
    for name in writer_names():
        assert hasattr(writer(name), "is_path") == isinstance(writer(name), ServerWriter), name


def test_a_writer_that_tells_places_apart_says_what_each_can_hold() -> None:
    for name in writer_names():
        kind = writer(name)
        assert hasattr(kind, "limits_at") == isinstance(kind, PlaceWriter), name
        if isinstance(kind, PlaceWriter):
            held = [kind.limits_at(Location(name, where)) for where in ("./here", "there/there")]
            assert held == [kind.limits, *kind.elsewhere.values()], name


class _Garbled(Damaged):
    """As a plugin derives one for its own format."""


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (_Garbled("no frame here", offset=3), _Garbled),
        (PermissionError(13, "closed"), PermissionError),
        (KeyError("frame"), BadPlugin),
    ],
    ids=lambda it: getattr(it, "__name__", type(it).__name__),
)
def test_what_a_plugin_may_raise_is_its_own_word_and_all_else_its_fault(
    raised: Exception, told: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = EntryPoint("odd", "ferry_odd:Odd", "runferry.readers")
    monkeypatch.setattr("runferry.registry._plugins", lambda role: {"odd": odd})
    with pytest.raises(told), blamed("odd", "cannot list its runs"):
        raise raised


def test_a_plugin_that_lists_its_runs_at_once_is_blamed_for_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def listing() -> list[Run]:
        raise KeyError("no such layout")

    odd = EntryPoint("odd", "ferry_odd:Odd", "runferry.readers")
    monkeypatch.setattr("runferry.registry._plugins", lambda role: {"odd": odd})
    with pytest.raises(BadPlugin, match="cannot list its runs"):
        list(headers("odd", listing))
