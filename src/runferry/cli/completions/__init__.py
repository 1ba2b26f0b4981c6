"""Completion of the command line: a script for each shell, which knows all words by itself.

To start Python at each press of a key would take longer than one waits for. So the scripts hold
every verb, option and tracker, those of plugins too, and look for nothing but files. PowerShell
has typer's own way, which asks the command: docs/cli.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runferry.cli.completions import bash, fish, zsh
from runferry.cli.completions.words import Grammar, grammar

_WRITTEN: Mapping[str, Callable[[Grammar], str]] = {
    "bash": bash.script,
    "zsh": zsh.script,
    "fish": fish.script,
}
SHELLS = tuple(_WRITTEN)


def script(shell: str) -> str:
    """What this shell, one of SHELLS, has to run once."""
    return _WRITTEN[shell](grammar())
