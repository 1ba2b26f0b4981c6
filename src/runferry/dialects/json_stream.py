"""Walks a large JSON document piece by piece: one value of it in memory at a time."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import BinaryIO, cast

from runferry.dialects.json_trees import JsonNotes, check_depth, mended, noting_decoder
from runferry.model import Tree

_PIECE = 1 << 18
_VALUE_AT_MOST = 64 << 20  # characters of one value, unless it is walked through
_CUT_AT_MOST = 16  # characters of a word or an escape that the end of a piece may cut
_BRACKET = re.compile(r"[\[\]{}]")
_NUMBER = re.compile(r"[-+.0-9eE]*")
_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class BrokenJson(ValueError):  # noqa: N818  the field's words, not the suffix
    """The document cannot be read on from `offset` (bytes); `is_cut` if it simply ends there."""

    def __init__(self, why: str, offset: int, *, is_cut: bool = False) -> None:
        super().__init__(why)
        self.offset = offset
        self.is_cut = is_cut


class JsonStream:
    """A place in a document. Every method raises BrokenJson.

    Bytes that are no UTF-8 become U+FFFD and are counted as halves in `notes`. `members` and
    `items` are walked in turn with the values in them: who is given a key takes its value.
    """

    def __init__(self, stream: BinaryIO, notes: JsonNotes, offset: int = 0) -> None:
        stream.seek(offset)
        self._stream = stream
        self._notes = notes
        self._decoder = noting_decoder(notes)
        self._text_decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._before = offset  # bytes before the text
        self._depth = 0  # of the lists and mappings that were gone into
        self._is_strange = False  # the text may hold surrogates
        if offset == 0 and self._peek() == "\ufeff":
            self._at += 1

    @property
    def offset(self) -> int:
        """Bytes up to here."""
        head = self._text[: self._at]
        return self._before + len(head.encode("utf-8", "surrogateescape"))

    def is_at(self, marks: str) -> bool:
        """Whether the next character is one of these."""
        return self._peek() in tuple(marks)

    def members(self) -> Iterator[str]:
        """The keys of the mapping that begins here; take the value of each before the next."""
        if self._enter("{", "}"):
            while True:
                key = self.value()
                if not isinstance(key, str):
                    raise self._broken("a key that is no text")
                self._expect(":")
                yield key
                if self._expect(",}") == "}":
                    self._depth -= 1
                    return

    def items(self) -> Iterator[None]:
        """Once for each item of the list that begins here; take its value before the next."""
        if self._enter("[", "]"):
            while True:
                yield
                if self._expect(",]") == "]":
                    self._depth -= 1
                    return

    def many_items(self) -> Iterator[list[Tree]]:
        """The items of the list that begins here, many at a time where they are scalars."""
        if not self._enter("[", "]"):
            return
        is_plain, is_last = True, False
        while not is_last:
            found: list[Tree] | None = None
            if is_plain:
                if len(self._text) - self._at < _PIECE // 2:
                    self._fill()
                found, is_last = self._scalars()
                is_plain = found is not None
            if not found:
                found = [self.value()]
                is_last = self._expect(",]") == "]"
            if is_last:
                self._depth -= 1
            yield found

    def value(self) -> Tree:
        """The value that begins here."""
        self._peek()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except JSONDecodeError as error:
                if self._may_go_on(error) and self._fill():
                    continue
                is_cut = self._may_go_on(error)
                raise self._broken(error.msg, is_cut=is_cut) from None
            except RecursionError:
                raise self._broken("nested too deeply") from None
            if self._past(_NUMBER, end) < len(self._text):
                break
            if not self._fill():  # what ends here may be the beginning of a longer number
                if self._depth and isinstance(found, (int, float)):
                    raise self._broken("the file ends in a number", is_cut=True)
                break
        return self._taken(cast("Tree", found), end)

    def skip(self) -> None:
        """Pass over the value that begins here, whatever its size."""
        open_ = 0
        while True:
            mark = self._peek()
            if mark == "{":
                self._at += 1
                open_ += 1
            elif mark == "}" and open_:
                self._at += 1
                open_ -= 1
            elif mark in (",", ":") and open_:
                self._at += 1
                continue
            elif mark == "[":
                for _ in self.many_items():
                    pass
            else:
                self.value()
            if not open_:
                return

    def end(self) -> None:
        """Nothing but space follows."""
        if self._peek():
            raise self._broken("something follows the value")

    def _scalars(self) -> tuple[list[Tree] | None, bool]:
        """Items up to the next bracket or the last comma that is held; whether they are the last.

        None if they cannot be had so: of nested items, or of texts that hold brackets.
        """
        bracket = _BRACKET.search(self._text, self._at)
        is_last = bracket is not None and bracket[0] == "]"
        until = len(self._text) if bracket is None else bracket.start()
        end = until if is_last else self._text.rfind(",", self._at, until)
        if end < 0:
            return None, False
        try:
            found = self._decoder.decode(f"[{self._text[self._at : end]}]")
        except JSONDecodeError:
            return None, False
        self._at = end + 1
        if self._is_strange:
            found = mended(found, self._notes)
        return (found, is_last) if found else (None, False)

    def _taken(self, found: Tree, end: int) -> Tree:
        try:
            check_depth(self._text[self._at : end])
        except ValueError as error:
            raise self._broken(str(error)) from None
        if self._is_strange:
            found = mended(found, self._notes)
        self._at = end
        return found

    def _may_go_on(self, error: JSONDecodeError) -> bool:
        """Whether the text only ends too early, in a string or nearly at its end."""
        is_open = error.msg.startswith("Unterminated string")
        return is_open or error.pos >= len(self._text) - _CUT_AT_MOST

    def _fill(self) -> bool:
        """Read more, as much again as is held; False at the end of the file."""
        held = len(self._text) - self._at
        if held > _VALUE_AT_MOST:
            raise self._broken(f"a value of more than {_VALUE_AT_MOST:,} characters")
        more = ""
        while not more:
            raw = self._stream.read(max(_PIECE, held))
            more = self._text_decoder.decode(raw, final=not raw)
            if not raw:
                break
        if not more:
            return False
        head = self._text[: self._at]
        self._before += len(head.encode("utf-8", "surrogateescape"))
        self._text, self._at = self._text[self._at :] + more, 0
        text = self._text
        self._is_strange = "\\u" in text or (
            not text.isascii() and _SURROGATE.search(text) is not None
        )
        return True

    def _peek(self) -> str:
        """The next character that is no space; empty at the end."""
        if self._at < len(self._text) and (mark := self._text[self._at]) not in " \t\n\r":
            return mark
        while True:
            self._at = self._past(_SPACE, self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def _past(self, characters: re.Pattern[str], at: int) -> int:
        found = characters.match(self._text, at)
        return at if found is None else found.end()

    def _enter(self, begin: str, end: str) -> bool:
        """Go into a list or mapping; False if it is empty, which is passed."""
        self._expect(begin)
        if self._peek() == end:
            self._at += 1
            return False
        self._depth += 1
        return True

    def _expect(self, marks: str) -> str:
        found = self._peek()
        if not found or found not in marks:
            raise self._broken(f"no {' or '.join(marks)} where one belongs", is_cut=not found)
        self._at += 1
        return found

    def _broken(self, why: str, *, is_cut: bool = False) -> BrokenJson:
        return BrokenJson(why, self.offset, is_cut=is_cut)
