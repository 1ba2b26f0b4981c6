"""Config, environment and what else a run says of itself, from its event files and those beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runferry.dialects.run_folder import Beside
from runferry.dialects.tensorboard.names import file_fact_path, session_path, tag_path
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Role, Tree, same_value
from runferry.readers.tensorboard.statements import Statements, is_among, unlike


class Assembly:
    """The attributes that the files of a run, in their order, and those beside make together."""

    def __init__(self, said: Mapping[str, Statements], beside: Beside) -> None:
        """`said`: by the labels of the event files."""
        self.losses: list[Loss] = []
        self._said = said
        self._beside = beside

    def items(self) -> tuple[Attribute, ...]:
        """All of them; then `losses` tells what could not be taken as it was."""
        return (*self._hparams(), *self._session(), *self._environment(), *self._tags())

    def _hparams(self) -> Iterator[Attribute]:
        """The first file that names a hyperparameter has its value."""
        first: dict[str, Tree] = {}
        others: list[Attribute] = []
        for label, said in self._said.items():
            before = len(others)
            for name, value in said.hparams.items():
                known = first.setdefault(name, value)
                apart: list[Tree] = []
                for one in (value, *said.again.get(name, ())):
                    if not is_among(one, [known, *apart]):
                        apart.append(one)
                others += _apart(label, name, apart)
            detail = "an earlier session says otherwise; these are other attributes of their file"
            count = len(others) - before
            if count:
                self.losses.append(Loss("stated-twice", Fate.RENAMED, label, count, detail))
        yield from self._config(first)
        yield from others

    def _config(self, hparams: Mapping[str, Tree]) -> Iterator[Attribute]:
        """hparams and what stands beside, which says whether a number is an integer."""
        stated = {(name,): value for name, value in hparams.items()}
        for item in self._beside.attributes:
            if item.role == "config" and item.path in stated:
                stated[item.path] = _finer(stated[item.path], item.value)
        for path, value in stated.items():
            yield Attribute(path, "config", value)
        for item in self._beside.attributes:
            if item.role != "config" or item.path not in stated:
                yield item
            elif not same_value(stated[item.path], item.value):
                yield Attribute(session_path("beside", *item.path), "other", item.value)

    def _session(self) -> Iterator[Attribute]:
        first: dict[str, Tree] = {}
        for said in self._said.values():
            first = {**said.session, **first}
        for name, value in first.items():
            yield Attribute(session_path(name), "other", value)

    def _environment(self) -> Iterator[Attribute]:
        first: dict[str, Tree] = {}
        role: Role = "environment"
        for label, said in self._said.items():
            for name, value in said.environment.items():
                path = file_fact_path(name)
                if name not in first:
                    first[name] = value
                    yield Attribute(path, role, value)
                elif value != first[name]:
                    yield Attribute((*path, label), role, value)

    def _tags(self) -> Iterator[Attribute]:
        first: dict[str, dict[str, Tree]] = {}
        for said in self._said.values():
            for key, facts in said.tags.items():
                other = unlike(first.setdefault(key, facts), facts) + said.retold.get(key, 0)
                if other:
                    detail = "a tag was described again in other words; the first ones stay"
                    self.losses.append(Loss("tag-metadata", Fate.MERGED, key, other, detail))
        for key, facts in first.items():
            for name, value in facts.items():
                yield Attribute(tag_path(key, name), "other", value)


def _apart(label: str, name: str, values: list[Tree]) -> Iterator[Attribute]:
    """Values that a file has for a hyperparameter beside the one that holds."""
    for number, value in enumerate(values, 1):
        called = name if number == 1 else f"{name}~{number}"
        yield Attribute(session_path(label, called), "other", value)


def _finer(plain: Tree, typed: Tree) -> Tree:
    """hparams know only floats: an integer beside that says the same number is the finer word."""
    is_number = isinstance(typed, int) and not isinstance(typed, bool)
    return typed if is_number and isinstance(plain, float) and plain == typed else plain
