"""What can be said on the command line, as the application's own declarations have it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.core import TyperArgument, TyperGroup, TyperOption

_PATHS = ("PATH", "ARCHIVE", "JOURNAL")
"""What arguments and options are called whose values are paths."""

_COMMAND = "-- COMMAND"


@dataclass(frozen=True, slots=True)
class Values:
    """What may stand at one place: words, and files too. A word that ends in `:` is a tracker's
    name, behind which a path may stand."""

    words: tuple[str, ...] = ()
    is_path: bool = False
    is_command: bool = False  # of the machine, with arguments of its own

    @property
    def is_place(self) -> bool:
        """Whether a tracker's name may stand before the path."""
        return any(word.endswith(":") for word in self.words)


@dataclass(frozen=True, slots=True)
class Option:
    """An option by all its names; `values` is None where it takes none."""

    names: tuple[str, ...]
    help: str
    values: Values | None


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. The last of its arguments may be repeated where `repeats`."""

    names: tuple[str, ...]  # ("convert",), or ("swanlab", "convert")
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Values, ...]
    repeats: bool


@dataclass(frozen=True, slots=True)
class Grammar:
    """Every verb, in the order of the help, and the options that stand before any."""

    verbs: tuple[Verb, ...]
    options: tuple[Option, ...]
    groups: dict[str, str]  # verbs that have verbs of their own, with their help

    @property
    def first_words(self) -> dict[str, str]:
        """What may stand first, with its help."""
        found = {verb.names[0]: verb.help for verb in self.verbs if len(verb.names) == 1}
        return found | self.groups

    def below(self, group: str) -> tuple[Verb, ...]:
        """The verbs of a group."""
        return tuple(verb for verb in self.verbs if verb.names[:-1] == (group,))

    @property
    def valued(self) -> tuple[str, ...]:
        """The names of options that take a value, whatever the verb."""
        every = [*self.options, *(option for verb in self.verbs for option in verb.options)]
        names: dict[bool, set[str]] = {False: set(), True: set()}
        for option in every:
            names[option.values is not None].update(option.names)
        return tuple(sorted(names[True] - names[False]))


def grammar() -> Grammar:
    """The command line as it is declared."""
    from typer.core import TyperGroup
    from typer.main import get_command

    from runferry.cli.verbs import app

    root = get_command(app)
    assert isinstance(root, TyperGroup)
    groups = {
        name: _line(command.help)
        for name, command in root.commands.items()
        if isinstance(command, TyperGroup)
    }
    return Grammar(tuple(_verbs(root, ())), _options(root), groups)


def _verbs(group: TyperGroup, above: tuple[str, ...]) -> Iterator[Verb]:
    from typer.core import TyperArgument, TyperGroup

    for name, command in group.commands.items():
        names = (*above, name)
        if isinstance(command, TyperGroup):
            yield from _verbs(command, names)
            continue
        arguments = [one for one in command.params if isinstance(one, TyperArgument)]
        yield Verb(
            names,
            _line(command.help),
            _options(command),
            tuple(map(_values, arguments)),
            repeats=any(argument.nargs == -1 for argument in arguments),
        )


def _options(command: object) -> tuple[Option, ...]:
    from typer.core import TyperCommand, TyperGroup, TyperOption

    assert isinstance(command, (TyperCommand, TyperGroup))
    declared = [one for one in command.params if isinstance(one, TyperOption)]
    found = [
        Option(
            tuple(option.opts),
            _line(option.help),
            None if option.is_flag or option.count else _values(option),
        )
        for option in declared
        if not option.hidden
    ]
    return (*found, Option(("--help", "-h"), "Show help, and end.", None))


def _values(parameter: TyperArgument | TyperOption) -> Values:
    from typer import Context
    from typer.core import TyperCommand

    asked = parameter.shell_complete(Context(TyperCommand("runferry")), "")
    words = tuple(str(item.value) for item in asked if item.value)
    shown = (parameter.metavar or "").strip("[]")
    is_path = shown in _PATHS or any(name.endswith("dir") for name in parameter.opts)
    is_path = is_path or any(word.endswith(":") for word in words)
    return Values(words, is_path, is_command=shown == _COMMAND)


def _line(text: str | None) -> str:
    """The first sentence or so of a help text, on one line."""
    return re.sub(r"\s+", " ", (text or "").partition("\n\n")[0]).strip()
