"""Renames keys so that a destination takes them: injectively, and never the same key twice.

A name that is legal and free is kept. Any other gets its forbidden characters replaced and a hash
of the original behind it, so what it becomes does not depend on its neighbours. Only where two
names clash does order matter: first come, first served. That is why names go through here in the
order in which the run got them: what a growing run has published never changes.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterable
from functools import cache

from runferry.ports import KeyRule

_HASH_LENGTHS = (6, 10, 16, 26, 40)
_MARKS = ("~", "-", "_", ".", "")
_FILLERS = ("_", "-", ".", *string.digits, *string.ascii_letters)


class Namer:
    """Gives names under one rule; remembers which are taken."""

    def __init__(self, rule: KeyRule) -> None:
        self._rule = rule
        self._grammar = _Grammar.of(rule)
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()  # folded
        self._folders: set[str] = set()  # folded proper prefixes of what is taken

    def name(self, key: str, identity: str | None = None) -> str:
        """The destination's name for this key; the same one on every call.

        `identity` tells two things apart that would have one key (a joined path).
        """
        identity = key if identity is None else identity
        known = self._given.get(identity)
        if known is not None:
            return known
        name = key
        if not (self._grammar.accepts(key) and self._is_free(key)):
            name = next(
                candidate
                for candidate in self._grammar.candidates(key, identity)
                if self._grammar.accepts(candidate) and self._is_free(candidate)
            )
        self._take(identity, name)
        return name

    def _take(self, identity: str, name: str) -> None:
        self._given[identity] = name
        folded = self._fold(name)
        self._taken.add(folded)
        if self._rule.prefix_free:
            self._folders.update(_folders(folded))

    def _is_free(self, name: str) -> bool:
        folded = self._fold(name)
        if folded in self._taken:
            return False
        if not self._rule.prefix_free:
            return True
        return folded not in self._folders and self._taken.isdisjoint(_folders(folded))

    def _fold(self, name: str) -> str:
        return name.casefold() if self._rule.ignores_case else name


def rename(keys: Iterable[str], rule: KeyRule) -> dict[str, str]:
    """Every key with its name: injective, within the rule, and stable under growth at the end."""
    namer = Namer(rule)
    return {key: namer.name(key) for key in keys}


def _folders(name: str) -> list[str]:
    return [name[:at] for at, letter in enumerate(name) if letter == "/"]


class _Grammar:
    """What a rule allows, and how to spell a name that it does."""

    def __init__(self, rule: KeyRule) -> None:
        self._rule = rule
        self._allowed = None if rule.allowed is None else re.compile(rule.allowed)
        alphabet = [c for c in string.digits + string.ascii_lowercase if self._takes(c)]
        if len(alphabet) < 2:
            raise ValueError(f"no hash can be spelled in {rule.allowed!r}")
        self._alphabet = "".join(alphabet)
        self._mark = next(mark for mark in _MARKS if all(map(self._takes, mark)))
        self._filler = next(filler for filler in _FILLERS if self._takes(filler))

    @staticmethod
    @cache
    def of(rule: KeyRule) -> _Grammar:
        """The grammar of a rule."""
        return _Grammar(rule)

    def _takes(self, character: str) -> bool:
        return self._allowed is None or self._allowed.fullmatch(character) is not None

    def accepts(self, name: str) -> bool:
        """Whether the rule, taken alone, allows this name."""
        rule = self._rule
        folded = name.casefold() if rule.ignores_case else name
        reserved = {r.casefold() for r in rule.reserved} if rule.ignores_case else rule.reserved
        return (
            0 < len(name) <= rule.max_length
            and all(map(self._takes, name))
            and not any(part in name for part in rule.forbidden)
            and folded not in reserved
            and not name.startswith(rule.reserved_prefixes)
            and not name.endswith(rule.reserved_suffixes)
            and not (rule.must_be_path and _breaks_path(name))
        )

    def candidates(self, key: str, identity: str) -> Iterable[str]:
        """Names for a key that cannot have its own: readable first, sure at last."""
        plain = self._plain(key)
        flat = plain.replace("/", self._filler)
        for length in _HASH_LENGTHS:
            ending = self._mark + self._hash(identity, length)
            for stem in (plain, flat, self._filler + flat):
                room = self._rule.max_length - len(ending)
                if room > 0:
                    yield stem[:room] + ending
            yield ending.removeprefix(self._mark)[: self._rule.max_length]
        raise ValueError(f"the rule leaves no name for {key!r}")

    def _plain(self, key: str) -> str:
        text = "".join(c if self._takes(c) else self._filler for c in key)
        for part in self._rule.forbidden:
            while part and part in text:
                text = text.replace(part, self._filler)
                if part in self._filler:
                    break
        if self._rule.must_be_path:
            text = "/".join(
                self._filler if part in ("", ".", "..") else part for part in text.split("/")
            )
        return text

    def _hash(self, identity: str, length: int) -> str:
        digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        number, letters = int.from_bytes(digest, "big"), []
        for _ in range(length):
            number, digit = divmod(number, len(self._alphabet))
            letters.append(self._alphabet[digit])
        return "".join(letters)


def _breaks_path(name: str) -> bool:
    return any(part in ("", ".", "..") for part in name.split("/"))
