"""ls, formats, settings, sql, compact, vacuum on an archive of nasty runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.calling import Caller, in_new_process, widest
from tests.rights import modes_that_hold
from tests.trees import LOGS, listings, written

from runferry.archive.store import Archive
from runferry.chunks import Header
from runferry.model import Run
from runferry.registry import reader_names, writer_names
from runferry.testing.samples import header

ROOT = Path(__file__).parents[2]


def test_ls_has_one_line_a_run_and_fits(runferry: Caller, nasty: Path) -> None:
    listed = runferry("ls", nasty)
    lines = listed.out.splitlines()
    ids = {record.run.key.run_id for record in Archive.open(nasty).records()}
    assert listed.code == 0
    assert len(lines) == len(ids) + 1
    assert {line.split()[0] for line in lines[1:]} == ids
    assert widest(listed.out) <= 80
    assert listed.err == ""


def test_ls_says_what_is_no_run_where_there_is_such(runferry: Caller) -> None:
    archive = Archive.open(Path("kinds"), create=True)

    def put(run: Run) -> None:
        with archive.draft(run) as draft:
            draft.put(Header(run))
            draft.commit()

    put(header("a"))
    put(header("b"))
    assert " kind " not in runferry("ls", "kinds").out
    put(replace(header("c"), kind="model_version"))
    lines = [line.split() for line in runferry("ls", "kinds").out.splitlines()]
    assert lines[0][:2] == ["id", "kind"]
    assert {line[0]: line[1] for line in lines[1:]} == {
        "a": "run", "b": "run", "c": "model_version",
    }  # fmt: skip


def test_ls_json_says_the_same_and_more(runferry: Caller, nasty: Path) -> None:
    runs = {run["run_id"]: run for run in runferry("ls", nasty, "--json").json["runs"]}
    assert runs["values"]["series"] == 5
    assert runs["values"]["points"] == 25
    assert runs["values"]["started"] == "2023-11-14T22:13:20.000000000Z"
    assert runs["times"]["started"].startswith("1969-12-31T23:59:59")


@pytest.mark.parametrize("kinds", [LOGS.keys(), ["rl/progress.csv"]], ids=["many", "one"])
def test_ls_lists_a_tree_once(
    runferry: Caller, monkeypatch: pytest.MonkeyPatch, kinds: list[str]
) -> None:
    """To find out what lies in it, to open that, and to list its runs."""
    tree = written(runferry.folder / "tree", {name: LOGS[name][1] for name in kinds})
    (tree / "rows.jsonl").write_text('{"a": 1}\n')
    listed = listings(monkeypatch)
    answer = runferry("ls", "tree")
    assert len(answer.out.splitlines()) == len(kinds) + 1
    assert answer.err.count("1 table is not taken for runs") == 1
    within = [path for path in listed if path.startswith("tree")]
    assert len(within) == len(set(within)) == 1 + len(kinds)


def test_filters_leave_what_matches_all_of_them(runferry: Caller, nasty: Path) -> None:
    def ids(*filters: str) -> set[str]:
        return {run["run_id"] for run in runferry("ls", nasty, "--json", *filters).json["runs"]}

    assert ids("--run", "values") == {"values"}
    assert ids("--run", "val*", "--run", "steps") == {"values", "steps"}
    assert ids("--run", "values", "--project", "elsewhere") == set()
    assert "values" in ids("--since", "2023-11-14")
    assert "values" not in ids("--until", "2023-11-14T22:13:20+00:00")
    assert "values" in ids("--until", "2023-11-14T22:13:21+00:00")
    assert "times" not in ids("--since", "1970-01-01")


def test_a_naive_date_is_read_in_the_timezone(runferry: Caller, nasty: Path) -> None:
    filters = ("--run", "values", "--since", "2023-11-14T23:00:00", "--json")
    assert runferry("ls", nasty, *filters).json["runs"] == []
    assert runferry("ls", nasty, *filters, "--timezone", "Europe/Berlin").json["runs"] != []


def test_a_date_that_is_none_is_refused(runferry: Caller, nasty: Path) -> None:
    refused = runferry("ls", nasty, "--since", "yesterday")
    assert refused.code == 2
    assert "--since" in refused.err


def test_no_name_from_the_data_drives_the_terminal(runferry: Caller, nasty: Path) -> None:
    shown = runferry("inspect", nasty, "--run", "names").out
    assert all(line.isprintable() for line in shown.splitlines())
    assert "tab\\tand null\\x00byte" in shown


def test_every_command_prints_nothing_but_json(runferry: Caller, nasty: Path) -> None:
    for args in (
        ("ls", nasty),
        ("inspect", nasty),
        ("formats",),
        ("settings",),
        ("sql", nasty, "select * from runs"),
        ("compact", nasty),
        ("vacuum", nasty),
        ("pull", nasty, "copy"),
    ):
        answer = runferry(*args, "--json")
        assert answer.code in (0, 3), answer.err
        assert answer.json["schema"] == 1


def test_sql_answers_with_typed_values(runferry: Caller, nasty: Path) -> None:
    query = (
        "select 1::bigint, 'NaN'::double, '-inf'::double, null, 'a', 1.5::decimal(4,2), "
        "timestamptz '2020-01-01 00:00:00+00', [1, 2], {'a': 1}, 'b'::blob"
    )
    (row,) = runferry("sql", nasty, query, "--json").json["rows"]
    assert row == [
        1,
        {"$float": "nan"},
        {"$float": "-inf"},
        None,
        "a",
        "1.50",
        {"$time": "2020-01-01T00:00:00+00:00"},
        [1, 2],
        {"a": 1},
        {"$bytes": "Yg=="},
    ]


def test_sql_says_how_many_rows_it_does_not_show(runferry: Caller, nasty: Path) -> None:
    shown = runferry("sql", nasty, "select * from range(25)", "--limit", "10")
    assert len(shown.out.splitlines()) == 11
    assert "15 more rows" in shown.err
    whole = runferry("sql", nasty, "select * from range(25)", "--limit", "10", "--json")
    assert len(whole.json["rows"]) == 25


@pytest.mark.parametrize("query", ["selec", "select cast('a' as int)", "copy"])
def test_a_query_that_fails_is_a_usage_error(runferry: Caller, nasty: Path, query: str) -> None:
    failed = runferry("sql", nasty, query)
    assert failed.code == 2
    assert failed.err.startswith("error: ")
    assert "hint: " in failed.err
    assert failed.out == ""


def test_formats_names_every_tracker(runferry: Caller) -> None:
    found = runferry("formats", "--json").json
    assert {"archive", "mlflow", "wandb"} <= set(found["readers"])
    assert set(found["writers"]["archive"].values()) == {"kept"}
    assert found["writers"]["wandb service"]["document"] == "dropped"
    assert set(found["gives"]) == set(found["readers"])
    assert set(found["gives"]["archive"]) == set(found["writers"]["archive"])
    assert "molecule" not in found["gives"]["tensorboard"]


@pytest.mark.parametrize("width", [80, 200])
def test_formats_fit_the_terminal(runferry: Caller, width: int) -> None:
    shown = runferry("formats", COLUMNS=str(width)).out
    assert width / 2 < widest(shown) <= width
    for name in reader_names() + writer_names():
        assert name in shown


def test_formats_are_a_page_too(runferry: Caller) -> None:
    assert runferry("formats", "--markdown").out == (ROOT / "docs" / "formats.md").read_text(
        "utf-8"
    )


def test_settings_tell_their_origin_and_no_password(runferry: Caller) -> None:
    Path("runferry.toml").write_text('workers = 3\nproxy = "http://me:pw@proxy:1"\n')
    found = runferry("settings", "--allow", "dropped", "--json", RUNFERRY_TIMEOUT="7",
                     RUNFERRY_PATIENCE="1234567.5").json  # fmt: skip
    values = found["settings"]
    assert values["workers"] == {"value": "3", "from": "runferry.toml, line 1"}
    assert values["proxy"]["value"] == "http://proxy:1"
    assert values["timeout"] == {"value": "7", "from": "the environment"}
    assert values["patience"]["value"] == "1234567.5"
    assert values["allow"] == {"value": "dropped", "from": "the command line"}
    assert values["ca_bundle"] == {"value": None, "from": "default"}


def test_a_bad_setting_is_a_usage_error_that_names_its_line(runferry: Caller) -> None:
    Path("runferry.toml").write_text("\nworker = 3\n")
    failed = runferry("settings")
    assert failed.code == 2
    assert "runferry.toml, line 2" in failed.err
    assert "did you mean `workers`?" in failed.err


def test_an_error_is_what_where_empty_line_hint(runferry: Caller) -> None:
    failed = runferry("ls", "nowhere")
    assert failed.code == 1
    assert failed.err.startswith("error: no such file or folder: nowhere\n\nhint: ")
    assert "Traceback" not in failed.err
    told = runferry("ls", "nowhere", "--json")
    assert told.code == 1
    assert told.json["error"]["kind"] == "NotFound"
    assert told.json["exit_code"] == 1


def test_very_verbose_adds_the_traceback_and_the_log_file_has_it(runferry: Caller) -> None:
    failed = runferry("ls", "nowhere", "-vv", "--log-file", "run.log")
    assert "Traceback" in failed.err
    assert "Traceback" in Path("run.log").read_text()


def test_quiet_leaves_data_and_errors(runferry: Caller, nasty: Path) -> None:
    shown = runferry("sql", nasty, "select * from range(25)", "--limit", "10", "-q")
    assert shown.err == ""
    assert runferry("ls", "nowhere", "-q").err.startswith("error: ")


def test_colour_only_where_it_is_wanted(runferry: Caller, nasty: Path) -> None:
    assert "\x1b" not in runferry("ls", nasty).out
    assert "\x1b[1m" in runferry("ls", nasty, "--color", "always").out
    assert "\x1b" not in runferry("ls", nasty, "--color", "never").out


def test_a_stream_that_has_no_unicode_gets_escapes(nasty: Path) -> None:
    for args in (("ls", nasty), ("inspect", nasty, "--run", "names"), ("inspect", nasty, "--json")):
        shown = in_new_process(*args, PYTHONIOENCODING="ascii")
        assert shown.code == 0, shown.err
        assert shown.out.isascii()


def test_a_reader_that_goes_away_is_no_error(nasty: Path) -> None:
    import subprocess

    from tests.cli.calling import command, environment

    with subprocess.Popen(
        command("sql", nasty, "select * from range(1000000)", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""


def test_compact_and_vacuum_say_what_they_did(runferry: Caller, nasty: Path) -> None:
    assert "0 runs compacted" in runferry("compact", nasty).out
    assert runferry("vacuum", nasty, "--grace", "0").out.startswith("0 files removed")
    assert runferry("compact").code == 1  # no ./.runferry here
    assert runferry("compact", "--archive", nasty).code == 0


def test_ids_that_leave_no_room_stand_on_lines_of_their_own(
    runferry: Caller, tmp_path: Path
) -> None:
    archive = Archive.open(tmp_path / "kept", create=True)
    ids = ["folder/" * 12 + "one", "folder/" * 12 + "two"]
    for run_id in ids:
        with archive.draft(replace(header(run_id), name="a name", user="ada")) as draft:
            draft.put(Header(replace(header(run_id), name="a name", user="ada")))
            draft.commit()
    lines = runferry("ls", tmp_path / "kept").out.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ids
    assert all(widest(line) <= 80 for line in lines if line not in ids)
    assert sum("a name" in line for line in lines) == 2
    wide = runferry("ls", tmp_path / "kept", COLUMNS="200").out.splitlines()
    assert len(wide) == 3


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_columns_stand_below_each_other_whatever_the_names(
    runferry: Caller, tmp_path: Path, columns: int
) -> None:
    """Wide characters take two cells, and combining ones none."""
    from rich.cells import cell_len

    archive = Archive.open(tmp_path / "kept", create=True)
    names = ["plain", "日本語のとても長い名前です" * 3, "e\u0301te\u0301", "\x1b[31mred\x07"]
    for n, name in enumerate(names):
        run = replace(header(f"id{n}"), name=name, project="zoo", state="finished", tags=("tag",))
        with archive.draft(run) as draft:
            draft.put(Header(run))
            draft.commit()
    shown = runferry("ls", tmp_path / "kept", COLUMNS=str(columns)).out
    lines = shown.splitlines()
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert widest(shown) <= columns
    places = {cell_len(line[: line.index("finished")]) for line in lines[1:]}
    assert places == {lines[0].index("state")}


def test_a_wider_terminal_shows_more_and_a_narrow_one_what_matters(
    runferry: Caller, nasty: Path
) -> None:
    widths = ("80", "120", "200")
    titles = [runferry("ls", nasty, COLUMNS=width).out.splitlines()[0] for width in widths]
    assert all(title.startswith("id") for title in titles)
    assert [len(title.split()) for title in titles] == sorted(len(t.split()) for t in titles)
    assert "state" in titles[0]


def test_states_have_colours_where_there_are_colours(runferry: Caller) -> None:
    example = ROOT / "examples" / "wandb"
    assert "\x1b[32mfinished" in runferry("ls", example, "--color", "always").out
    assert "\x1b" not in runferry("ls", example).out
    assert "\x1b[32mfinished" in runferry("inspect", example, "--color", "always").out


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (90_000, "1d"), (2_700_000, "1mo"),
     (10**8, "3y"), (-5, "")],
)  # fmt: skip
def test_how_long_ago_is_told_in_one_unit(seconds: int, said: str) -> None:
    from runferry.cli.listing import ago

    assert ago(1_000, 1_000 + seconds * 10**9) == said


def test_long_ids_leave_names_room_before_the_start_is_told(
    runferry: Caller, tmp_path: Path
) -> None:
    archive = Archive.open(tmp_path / "kept", create=True)
    names = ["resnet50-warm", "resnet50-cold"]
    for n, name in enumerate(names):
        run = replace(header(f"{n:032x}"), name=name, project="imagenet-abl", state="finished")
        with archive.draft(run) as draft:
            draft.put(Header(run))
            draft.commit()
    narrow = runferry("ls", tmp_path / "kept").out
    assert widest(narrow) <= 80
    assert all(f"{n:032x}  {name}  imagenet-abl" in narrow for n, name in enumerate(names))
    assert "started" not in narrow
    assert "started (UTC)" in runferry("ls", tmp_path / "kept", COLUMNS="120").out


@pytest.mark.parametrize(
    ("time_ns", "told"),
    [(10**30, "9999-12-31T23:59:59."), (-(10**30), "0001-01-01T00:00:00.")],
)
def test_a_time_beyond_all_years_hides_no_run(
    runferry: Caller, tmp_path: Path, time_ns: int, told: str
) -> None:
    run = replace(header("one"), created_ns=time_ns, started_ns=time_ns)
    with Archive.open(tmp_path / "kept", create=True).draft(run) as draft:
        draft.put(Header(run))
        draft.commit()
    (listed,) = runferry("ls", tmp_path / "kept", "--json").json["runs"]
    assert listed["started"].startswith(told)
    assert runferry("inspect", tmp_path / "kept").code == 0


@pytest.mark.parametrize("where", ["shut", "shut/inside", "inside/file.wandb"])
def test_what_is_closed_to_us_is_told_as_such_and_not_as_nothing(
    runferry: Caller, where: str
) -> None:
    for name, path in (("shut", "shut/inside"), ("inside/file.wandb", "inside/file.wandb")):
        made = runferry.folder / path
        made.parent.mkdir(exist_ok=True)
        made.write_bytes(b"")
        (runferry.folder / name).chmod(0)
    try:
        with modes_that_hold():
            told = runferry("ls", where)
    finally:
        (runferry.folder / "shut").chmod(0o700)
    assert told.code == 1
    assert f"error: this cannot be looked into (Permission denied): {where}" in told.err
    assert "hint: ls -ld" in told.err
    assert "WARNING" not in told.err
