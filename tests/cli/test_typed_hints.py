"""The command that a message names is one that can be typed, wherever things lie."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from tests.cli.calling import Caller

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("verb", ["ls", "plot", "sql", "sql-of-yesterday", "upgrade", "push"])
def test_a_place_with_a_space_is_one_word_of_it(runferry: Caller, nasty: Path, verb: str) -> None:
    place = runferry.folder / "our runs"
    if verb in ("ls", "upgrade"):
        place.mkdir()
    else:
        shutil.copytree(nasty, place)
    if verb == "sql-of-yesterday":
        manifest = place / "archive.json"
        manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 1'))
    calls: dict[str, tuple[str | Path, ...]] = {
        "ls": ("ls", f"archive:{place}"),
        "plot": ("plot", place, "--run", "nothing"),
        "sql": ("sql", place, "SELECT nothing"),
        "sql-of-yesterday": ("sql", place, "SELECT 1"),
        "upgrade": ("upgrade", place),
        "push": ("push", place, f"csv:{place} there", "--allow", "dropped"),
    }
    told = runferry(*calls[verb])
    if verb == "push":  # a second one says how what had been there got there
        assert told.code == 0, told.err
        told = runferry(*calls[verb])
    named = re.findall(r"(?:hint|told by): (?:wait.*: )?(runferry .*)", told.out + told.err)
    assert len(named) == 1, told
    words = [word.removeprefix("archive:") for word in shlex.split(named[0])]
    assert str(place) in words


def test_a_series_that_is_nested_is_found_by_the_glob_that_is_offered(runferry: Caller) -> None:
    refused = runferry("plot", ROOT / "examples" / "wandb", "--metric", "loss*", "--run", "8k*")
    assert refused.code == 2
    assert "no series of numbers matches --metric 'loss*'" in refused.err
    (offered,) = re.findall(r"hint: .*(--metric .*)", refused.err)
    drawn = runferry("plot", ROOT / "examples" / "wandb", *shlex.split(offered), "--json")
    assert [panel["title"] for panel in drawn.json["panels"]] == ["train/loss"]


@pytest.mark.parametrize(
    ("words", "what", "verb"),
    [("lss x", "no such command 'lss': did you mean 'ls'?", ""),
     ("ls", "missing argument 'WHERE'", "ls"),
     ("ls x --no", "no such option: --no (possible options: --json, --run)", "ls"),
     ("ls --run", "option '--run' requires an argument", "ls"),
     ("plot x --limit many", "invalid value for '--limit': ", "plot"),
     ("swanlab convert here", "got unexpected extra argument(s) (here)", "swanlab convert"),
     ("--no", "no such option: --no", "")],
)  # fmt: skip
def test_a_call_that_is_not_understood_is_told_as_any_error_is(
    runferry: Caller, words: str, what: str, verb: str
) -> None:
    told = runferry(*words.split())
    assert (told.code, told.out) == (2, "")
    said, nothing, hint = told.err.splitlines()
    assert said.startswith(f"error: {what}")
    assert nothing == ""
    assert hint == f"hint: {' '.join(['runferry', *verb.split(), '--help'])}"
    assert runferry(*shlex.split(hint)[2:]).code == 0


@pytest.mark.parametrize("words", ["", "swanlab"])
def test_a_call_without_a_verb_shows_which_there_are(runferry: Caller, words: str) -> None:
    told = runferry(*words.split())
    assert told.code == 2
    assert told.err.startswith(" ".join(["Usage: runferry", *words.split(), "[OPTIONS] COMMAND"]))


@pytest.mark.parametrize("words", ["push WHERE csv:out", "upgrade WHERE", "sql WHERE sql"])
def test_a_place_of_runs_where_an_archive_is_wanted_is_told_how_to_become_one(
    runferry: Caller, words: str
) -> None:
    example = ROOT / "examples" / "wandb"
    told = runferry(*(str(example) if word == "WHERE" else word for word in words.split()))
    assert told.code == 1
    assert f"here are runs, and no archive of them: wandb:{example}" in told.err
    assert f"hint: runferry pull wandb:{example}" in told.err
    absent = runferry(*("absent" if word == "WHERE" else word for word in words.split()))
    assert "no archive is here: absent" in absent.err


def test_a_folder_with_a_space_is_one_word_where_something_cannot_be_written(
    runferry: Caller,
) -> None:
    example, file = ROOT / "examples" / "wandb", runferry.folder / "a file"
    file.write_text("")
    calls: tuple[tuple[str, ...], ...] = (
        ("convert", str(example), "csv:out", "--report", "no folder/r.html"),
        ("plot", str(example), "--output", "no folder/p.svg"),
        ("convert", str(example), "csv:a file/out"),
    )
    for call in calls:
        told = runferry(*call)
        (command,) = re.findall(r"hint: (.*)", told.err)
        assert shlex.split(command, comments=True)[-1] in ("no folder", "a file/out"), told.err
