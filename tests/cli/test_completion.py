"""Completion, as the shells themselves have it: the same words in each, and at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.calling import Caller, environment, in_new_process
from tests.cli.terminals import Terminal

from runferry.cli.completions import script
from runferry.cli.options import FATES
from runferry.registry import reader_names, writer_names

SHELLS = ("bash", "zsh", "fish")
QUICK_SECONDS = 0.1

Completed = Callable[[str], tuple[set[str], float]]
"""From what was typed to what may stand in place of its last word, and the seconds it took."""


@pytest.fixture
def typed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Completed:
    """One of the shells, in a folder with some runs, having read its script."""
    shell: str = request.param
    if sys.platform == "win32":
        pytest.skip("shells of POSIX")
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    for name in ("wandb/run-1", "my runs/deep"):
        (tmp_path / "here" / name).mkdir(parents=True)
    (tmp_path / "here" / "kept.parquet").touch()
    (tmp_path / "home").mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    file = tmp_path / f"completion.{shell}"
    file.write_text(script(shell), encoding="utf-8")
    asked = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return lambda line: asked(file, line)


in_each_shell = pytest.mark.parametrize("typed", SHELLS, indirect=True)

_BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
compopt() { :; }  # it works within a completion only
_runferry
COMPREPLY=()
before=$(date +%s%N)
_runferry
after=$(date +%s%N)
echo $((after - before))
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _bash(file: Path, line: str) -> tuple[set[str], float]:
    told = _run("bash", "--norc", "-c", _BASH, "bash", file, line)
    spent, *words = told.splitlines()
    return {_last(word) for word in words if word}, int(spent) / 1e9


def _fish(file: Path, line: str) -> tuple[set[str], float]:
    asked = "complete -C $argv[1] >/dev/null; date +%s%N; complete -C $argv[1]; date +%s%N"
    asked = f"source {file}; {asked}"
    before, *words, after = _run("fish", "--no-config", "-c", asked, line).splitlines()
    return {_last(word.partition("\t")[0]) for word in words}, (int(after) - int(before)) / 1e9


_ZSHRC = r"""
PS1= ; unsetopt zle_bracketed_paste prompt_cr prompt_sp 2>/dev/null
autoload -U compinit; compinit -u -D
source FILE
zmodload zsh/datetime
zstyle ':completion:*' insert-tab false
compadd() {
    local -a hits
    if [[ ${(j: :)@} != *-[OAD]\ * ]]; then
        builtin compadd -O hits "$@"
        offered+=("${hits[@]}")
    fi
    builtin compadd "$@"
}
told() {
    offered=()
    zle complete-word
    offered=()
    BUFFER=LINE CURSOR=${#BUFFER}
    local began=$EPOCHREALTIME
    zle list-choices
    print -r -- $(( EPOCHREALTIME - began )) > OUT
    print -rl -- "${offered[@]}" >> OUT
    exit
}
zle -N told
bindkey '^I' told
"""


def _zsh(file: Path, line: str) -> tuple[set[str], float]:
    out = file.with_name("zsh-told")
    rc = _ZSHRC.replace("FILE", str(file)).replace("OUT", str(out)).replace("LINE", _quoted(line))
    (file.parent / "home" / ".zshrc").write_text(rc, encoding="utf-8")
    terminal = Terminal(["zsh", "-i"], Path.cwd(), environment())
    terminal.type("\t")
    try:
        terminal.ended()
    finally:
        terminal.close()
    spent, *words = out.read_text(encoding="utf-8").splitlines()
    return {_last(word) for word in words if word}, float(spent)


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=True
    )
    assert not done.stderr, done.stderr
    return done.stdout


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _last(word: str) -> str:
    """The part that every shell names: behind a tracker, an option and a folder."""
    return re.split("[:=/]", word.rstrip(":/"))[-1]


@in_each_shell
def test_verbs_are_completed(typed: Completed) -> None:
    assert typed("runferry conv")[0] == {"convert"}
    assert {"convert", "ls", "sql", "swanlab"} <= typed("runferry ")[0]
    assert typed("runferry swanlab ")[0] == {"convert"}


@in_each_shell
def test_options_are_those_of_the_verb(typed: Completed) -> None:
    assert typed("runferry convert --dr")[0] == {"--dry-run"}
    assert typed("runferry status --wa")[0] == {"--watch"}
    assert not typed("runferry convert --wa")[0]
    assert typed("runferry swanlab convert --wb-run")[0] == {"--wb-runid", "--wb-run-dir"}


@in_each_shell
def test_values_of_options_are_completed(typed: Completed) -> None:
    assert typed("runferry convert a b --allow ")[0] == set(FATES.split(", "))
    assert typed("runferry convert a b --allow=me")[0] == {"merged"}
    assert typed("runferry swanlab convert --type wandb-")[0] == {"wandb-local"}
    assert typed("runferry follow a --to mlf")[0] == {"mlflow"}
    assert typed("runferry ls --log-file ke")[0] == {"kept.parquet"}
    assert typed("runferry completion f")[0] == {"fish"}


@in_each_shell
def test_sources_are_offered_first_and_destinations_then(typed: Completed) -> None:
    """And files at both."""
    files = {"wandb", "my runs", "kept.parquet"}
    assert _plain(typed("runferry convert ")[0]) == _plain({*reader_names(), *files})
    for line in ("runferry convert wandb:./wandb ", "runferry convert --workers 2 --dry-run a "):
        assert _plain(typed(line)[0]) == _plain({*writer_names(), *files})
    assert typed("runferry follow a b c tensor")[0] == {"tensorboard"}


@in_each_shell
def test_paths_are_completed_alone_and_behind_a_tracker(typed: Completed) -> None:
    assert typed("runferry convert ./wa")[0] == {"wandb"}
    assert typed("runferry convert wandb:./wa")[0] == {"wandb"}
    assert typed("runferry convert wandb:wandb/r")[0] == {"run-1"}
    assert typed("runferry convert x mlflow:sqlite:///no")[0] == set()
    assert not typed("runferry convert nobody:./wa")[0]


@in_each_shell
def test_behind_two_hyphens_stands_a_command(typed: Completed) -> None:
    assert "basename" in typed("runferry run --to mlflow:./m -- basena")[0]


@in_each_shell
def test_nobody_waits(typed: Completed) -> None:
    for line in ("runferry conv", "runferry convert ", "runferry convert wandb:./wa"):
        spent = min(typed(line)[1] for _ in range(5))
        assert spent < QUICK_SECONDS, line


def test_bash_puts_what_is_completed_behind_the_colon(tmp_path: Path) -> None:
    """Readline breaks words there: at the keys themselves, nothing is there twice."""
    if sys.platform == "win32" or shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    (tmp_path / "my-wandb").mkdir()
    rc = tmp_path / "rc"
    rc.write_text(script("bash") + "\nPS1=\n", encoding="utf-8")
    terminal = Terminal(["bash", "--rcfile", str(rc), "-i"], tmp_path, environment())
    try:
        terminal.type("runferry convert wandb:./my-\tr mlf\t./db --allow=renam\t")
        terminal.type("\x01printf '%s ' \x05 > out; exit\n")
        terminal.ended()
    finally:
        terminal.close()
    told = (tmp_path / "out").read_text(encoding="utf-8").split()
    assert told[2:] == ["wandb:./my-wandb/r", "mlflow:./db", "--allow=renamed"]


def _plain(words: set[str]) -> set[str]:
    """Bash has no escapes where it offers."""
    return {word.replace("\\ ", " ") for word in words}


def test_an_unknown_shell_is_a_usage_error(runferry: Caller) -> None:
    told = runferry("completion", "tcsh")
    assert told.code == 2
    assert "hint: runferry completion bash|zsh|fish" in told.err


def test_powershell_asks_the_command() -> None:
    registers = in_new_process(_RUNFERRY_COMPLETE="source_powershell").out
    assert "Register-ArgumentCompleter" in registers
    asked = {"_TYPER_COMPLETE_ARGS": "runferry conv", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "conv"}
    told = in_new_process(_RUNFERRY_COMPLETE="complete_powershell", **asked).out
    assert told.startswith("convert:::")
