"""Every error that runferry raises on purpose has an example here, and a line in docs/errors.md."""

from __future__ import annotations

import ast
import io
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tests.cli.calling import Caller
from tests.http_server import Clock, says, serving, to

from runferry.archive.store import Archive
from runferry.cli.failure import tell
from runferry.cli.wandb_records import read_records
from runferry.dialects.aim.environment import NoEnvironment
from runferry.dialects.aim.process import OWN
from runferry.dialects.mlflow.vendor import MissingDriver, open_store
from runferry.dialects.wandb.account import Account
from runferry.dialects.wandb.service import Expired, Service
from runferry.errors import (
    ArchiveError,
    AuthFailed,
    BadLocation,
    BadPlugin,
    BadSetting,
    Conflict,
    Corrupt,
    Damaged,
    Declined,
    ExitCode,
    Locked,
    MissingExtra,
    NewerFormat,
    NoSpace,
    NotFound,
    OlderFormat,
    PlanChanged,
    Refused,
    RunferryError,
    RunMissing,
    SourceChanged,
    SourceError,
    Throttled,
    UnknownVersion,
    Unreachable,
    UsageError,
)
from runferry.locations import locate
from runferry.losses import Fate
from runferry.model import Cursor, Uid
from runferry.ports import Limits, Location, ReadOptions, RemoteId
from runferry.registry import reader, writer
from runferry.settings import resolve
from runferry.testing.recording import Sample
from runferry.testing.reference import EVERYTHING, ReferenceReader, tracker
from runferry.testing.samples import curve, plain
from runferry.testing.writer_contract import WriterContract
from runferry.transfer.exclusions import Exclusions
from runferry.transfer.pull import pull

ROOT = Path(__file__).parents[1]
RUNS = Location("wandb", str(ROOT / "examples" / "wandb"))
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")

Example = Callable[[Path], object]
"""What fails, in a folder of its own."""


def _kept(folder: Path) -> Archive:
    archive = Archive.open(folder / "kept", create=True, reserve=0)
    pull(RUNS, archive, reserve_bytes=0)
    return archive


def _nothing_is_there(folder: Path) -> None:
    locate(str(folder / "nothing"), role="source")


def _a_table_ends_in_its_middle(folder: Path) -> None:
    (folder / "runs.csv").write_bytes(b"step,loss\n\0\0\0")
    _read(Location("csv", str(folder / "runs.csv")))


def _a_log_of_another_version(folder: Path) -> None:
    (folder / "run-x.wandb").write_bytes(b":W&B\xe1\xbe\x09")
    read_records(str(folder / "run-x.wandb"))


def _a_cursor_of_somebody_else(_: Path) -> None:
    source = reader("wandb").open(RUNS, ReadOptions())
    list(source.read(next(source.runs()), Cursor("elsewhere")))


def _a_table_cannot_be_opened(folder: Path) -> None:
    (folder / "runs.csv").mkdir()
    from runferry.readers.tabular.csv_form import form_of

    form_of(folder / "runs.csv")


def _a_file_stands_where_a_folder_should(folder: Path) -> None:
    (folder / "events").write_text("mine")
    writer("tensorboard").open(Location("tensorboard", str(folder / "events")))


class _Road(WriterContract):
    reader = ReferenceReader


def _pushed_elsewhere(folder: Path) -> None:
    """The same run, from an archive that has more of it, to one that did not send it."""
    road, whole = _Road(), curve(60, batch=20)
    road.writer = tracker(Limits(holds=EVERYTHING, resend="continue"))  # type: ignore[misc]
    there = Location("reference", str(folder / "there"))
    road.pushed(road.archive_of(folder / "a", [whole]), there)
    other = road.archive_of(folder / "b", [Sample(whole.run, whole.chunks[:4])])
    _raise_cause(road.push(other, there).failures[0].cause)


def _half_sent_under_another_plan(folder: Path) -> None:
    road = _Road()
    road.writer = tracker(Limits(holds=EVERYTHING, resend="continue"))  # type: ignore[misc]
    there = Location("reference", str(folder / "there"))
    archive = road.archive_of(folder, [curve(40, batch=10)])
    road.push_broken(archive, there, 3, after=True)
    road.writer = tracker(  # type: ignore[misc]
        Limits(holds={**EVERYTHING, "text": Fate.DROPPED}, resend="continue")
    )
    _raise_cause(road.push(archive, there).failures[0].cause)


def _raise_cause(cause: BaseException | None) -> None:
    assert cause is not None
    raise cause


def _a_run_that_is_not_there(folder: Path) -> None:
    with closing(writer("csv").open(Location("csv", str(folder / "tables")))) as pen:
        pen.stored(RemoteId("nobody"))


def _answered(status: int) -> Example:
    def asked(_: Path) -> None:
        with serving(says(status)) as server, to(server, Clock()) as client:
            client.request("GET", "/x")

    return asked


def _nobody_answers(_: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with to(url, Clock()) as client:
            client.request("GET", "/x")


def _a_link_is_too_old(_: Path) -> None:
    with serving(says(404)) as server, closing(Service(Account(server.url, "k" * 40))) as service:
        service.fetch("/file", io.BytesIO())


def _a_commit_record_cannot_be_read(folder: Path) -> None:
    archive = _kept(folder)
    commit = next((archive.path / "commits").rglob("*.json"))
    commit.unlink()
    commit.mkdir()
    archive.record(Uid(commit.stem))


def _two_write_one_run(folder: Path) -> None:
    archive = Archive.open(folder / "kept", create=True, reserve=0)
    run = plain().run
    with archive.draft(run):
        archive.draft(run)


def _an_archive_from_tomorrow(folder: Path) -> None:
    (folder / "archive.json").write_text('{"format": "runferry-archive", "version": 999}')
    Archive.open(folder)


def _an_archive_of_yesterday(folder: Path) -> None:
    (folder / "archive.json").write_text('{"format": "runferry-archive", "version": 1}')
    Archive.open(folder)


def _a_segment_lost_its_end(folder: Path) -> None:
    archive = _kept(folder)
    for segment in (archive.path / "data").rglob("*.parquet"):
        segment.write_bytes(segment.read_bytes()[:-1])
    for record in archive.records():
        archive.check(record)


def _more_is_to_stay_free_than_there_is(folder: Path) -> None:
    archive = Archive.open(folder / "kept", create=True, reserve=0)
    pull(RUNS, archive, reserve_bytes=1 << 60)


def _a_package_is_missing(_: Path) -> None:
    from runferry.dialects.neptune.client import client

    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "neptune", None)
        client()


def _a_driver_is_missing(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "psycopg", None)
        open_store("postgresql+psycopg://127.0.0.1:9/x", str(folder))


def _the_cache_is_no_folder(folder: Path) -> None:
    (folder / "cache").touch()
    with pytest.MonkeyPatch.context() as patched:
        where = "runferry.dialects.aim.environment.environments"
        patched.setattr(where, lambda: folder / "cache")
        OWN.python()


def _a_plugin_does_not_load(_: Path) -> None:
    odd = EntryPoint("odd", "a_package_that_is_not_there:Odd", "runferry.readers")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("runferry.registry._plugins", lambda role: {"odd": odd})
        reader("odd")


def _read(where: Location) -> None:
    source = reader(where.tracker).open(where, ReadOptions())
    for run in source.runs():
        list(source.read(run))


EXAMPLES: Mapping[type[RunferryError], Example] = {
    RunferryError: lambda folder: read_records(str(_closed(folder))),
    SourceError: _a_table_cannot_be_opened,
    NotFound: _nothing_is_there,
    Damaged: _a_table_ends_in_its_middle,
    UnknownVersion: _a_log_of_another_version,
    SourceChanged: _a_cursor_of_somebody_else,
    Refused: _a_file_stands_where_a_folder_should,
    Conflict: _pushed_elsewhere,
    RunMissing: _a_run_that_is_not_there,
    PlanChanged: _half_sent_under_another_plan,
    AuthFailed: _answered(401),
    Throttled: _answered(429),
    Unreachable: _nobody_answers,
    Declined: _answered(409),
    Expired: _a_link_is_too_old,
    ArchiveError: _a_commit_record_cannot_be_read,
    Locked: _two_write_one_run,
    NewerFormat: _an_archive_from_tomorrow,
    OlderFormat: _an_archive_of_yesterday,
    Corrupt: _a_segment_lost_its_end,
    NoSpace: _more_is_to_stay_free_than_there_is,
    UsageError: lambda _: Exclusions.between("wandb", "neptune", ["nonsense"]),
    MissingExtra: _a_package_is_missing,
    MissingDriver: _a_driver_is_missing,
    NoEnvironment: _the_cache_is_no_folder,
    BadLocation: lambda _: locate("wnadb:./x", role="source"),
    BadPlugin: _a_plugin_does_not_load,
    BadSetting: lambda _: resolve({"workers": "many"}),
}
"""One a class; `Interrupted`, which the command line makes of Ctrl-C, has a test of its own."""


def _closed(folder: Path) -> Path:
    """A file name that no system opens."""
    return folder / ("x" * 300)


@cache
def trees() -> tuple[ast.Module, ...]:
    """Every module of runferry."""
    files = sorted((ROOT / "src" / "runferry").rglob("*.py"))
    return tuple(ast.parse(file.read_text(encoding="utf-8")) for file in files)


@cache
def classes() -> frozenset[str]:
    """Every class of errors that any module has: those of RunferryError's that others inherit."""
    inherits = {
        (node.name, base.id)
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    found = {"RunferryError"}
    while more := {name for name, base in inherits if base in found} - found:
        found |= more
    return frozenset(found)


@cache
def raised() -> frozenset[str]:
    """Names that are called somewhere: a class of errors that nobody calls is a family."""
    calls = (node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call))
    return frozenset(call.func.id for call in calls if isinstance(call.func, ast.Name))


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_every_class_that_is_raised_has_an_example() -> None:
    shown = {kind.__name__ for kind in EXAMPLES}
    assert (classes() & raised()) - {"Interrupted"} == shown


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_the_example_raises_it_and_says_what_can_be_done(
    kind: type[RunferryError],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunferryError) as caught:
        EXAMPLES[kind](tmp_path)
    assert type(caught.value) is kind
    assert caught.value.what
    assert not caught.value.what.endswith(".")
    assert caught.value.exit_code == _documented()[kind.__name__]
    tell(caught.value)
    assert re.search(r"^error: .+\n\nhint: .+", capsys.readouterr().err, re.MULTILINE)


def test_ctrl_c_is_told_as_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runferry.cli.setting_values.spelled", pressed)
    monkeypatch.chdir(tmp_path)
    told = Caller(tmp_path)("settings", "--json")
    assert told.code == ExitCode.INTERRUPTED == _documented()["Interrupted"]
    assert told.json["error"]["kind"] == "Interrupted"


def test_every_class_has_a_line_in_the_documents() -> None:
    assert set(_documented()) == classes()


def _documented() -> dict[str, int]:
    """From the table of errors: the class, and the exit code of a call that ends with it."""
    return {name: int(code) for name, code in _rows()}


def _rows() -> Iterator[tuple[str, str]]:
    for line in PAGE.splitlines():
        row = re.fullmatch(r"\| `([A-Z]\w+)` \|[^|]+\|[^|]+\| (\d+) \|", line)
        if row is not None:
            yield row[1], row[2]
