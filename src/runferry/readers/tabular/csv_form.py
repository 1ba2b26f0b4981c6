"""How a file of separated values is written: encoding, separator, header and first row."""

from __future__ import annotations

import codecs
import csv
import hashlib
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Literal, cast

from runferry.errors import Damaged, NotFound, SourceError
from runferry.paths import regular, spelled
from runferry.readers.lfs import POINTER, lfs_error

Encoding = Literal["utf-8", "utf-16-le", "utf-16-be"]

SEPARATORS = (",", "\t", ";", "|")
_BOMS: tuple[tuple[bytes, Encoding], ...] = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_PIECE = 1 << 20
_HEAD_AT_MOST = 64 << 20  # bytes of header and first row
_IN_MEMORY = 16 << 20  # of what is recoded; beyond that it lies in a temporary file

Separator = Callable[[str], str]
"""From the header's line to what stands between its names."""


@dataclass(frozen=True, slots=True)
class CsvForm:
    """What the first lines tell. Offsets are of the text as UTF-8, a byte order mark included."""

    separator: str
    names: tuple[str, ...]  # as they stand in the header
    first: tuple[str, ...]  # the cells of the first row; empty where there is none yet
    offset: int  # where rows begin
    line: int  # the first row's, from 0
    header: str  # the header's text, without its line break
    digest: str  # of all that stands before the rows
    encoding: Encoding = "utf-8"
    preamble: str = ""  # a first line that begins with `#`
    is_quoted: bool = False  # every name of the header stands in quotes

    def record(self) -> dict[str, str]:
        """The first row by its names, blanks left out: the same when columns are added later."""
        cells = zip(self.names, self.first, strict=False)
        return {name.strip(): cell for name, cell in cells if cell.strip()}


def guess_separator(header: str) -> str:
    """What splits the header into most names; a comma where nothing does."""
    counts = [(len(next(csv.reader([header], delimiter=mark))), mark) for mark in SEPARATORS]
    best = max(count for count, _ in counts)
    return next(mark for count, mark in counts if count == best)


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, Encoding]]:
    """The file's text as UTF-8, in a stream that can be sought in, and how it is written.

    UTF-16 is recoded aside, half a character at the end left out. Half a surrogate pair is then
    what no UTF-8 can hold, and met as such by who reads on.
    """
    with path.open("rb") as raw:
        start = raw.read(3)
        raw.seek(0)
        encoding: Encoding = "utf-8"
        for mark, name in _BOMS:
            encoding = name if start.startswith(mark) else encoding
        if encoding == "utf-8":
            yield raw, encoding
            return
        with SpooledTemporaryFile(_IN_MEMORY) as aside:
            _recode(raw, cast("BinaryIO", aside), encoding)
            aside.seek(0)
            yield cast("BinaryIO", aside), encoding


def _recode(raw: BinaryIO, aside: BinaryIO, encoding: Encoding) -> None:
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    while piece := raw.read(_PIECE):
        aside.write(decoder.decode(piece).encode("utf-8", "surrogatepass"))


def form_of(
    path: Path, separator: Separator = guess_separator, *, takes_unended: bool = False
) -> CsvForm:
    """The form of a file. Raises NotFound and Damaged for what is no table, with a command.

    `takes_unended`: its first row may lack a line break, as that of an export does.
    """
    try:
        with opened(path) as (stream, encoding):
            return _Head(path, stream, encoding, takes_unended=takes_unended).form(separator)
    except OSError as error:
        raise SourceError(
            f"cannot be read: {error.strerror}", where=str(path), hint=f"ls -l {_quoted(path)}"
        ) from error


def form_if_table(
    path: Path, separator: Separator = guess_separator, *, takes_unended: bool = False
) -> CsvForm | None:
    """The form of a file that nobody named; None for what is no table or no regular file."""
    if regular(path) is None:
        return None
    try:
        return form_of(path, separator, takes_unended=takes_unended)
    except SourceError:
        return None


def unended_cells(text: str, separator: str, width: int) -> list[str]:
    """The cells of a last row that no line break ends; none where it is surely cut.

    That is: a quote stands open, half a character ends it, or it has fewer cells than the header.
    """
    if text.count('"') % 2 or text.endswith("\N{REPLACEMENT CHARACTER}") or "\0" in text:
        return []
    try:
        cells = next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        return []
    return cells if len(cells) >= width else []


def head_digest(stream: BinaryIO, offset: int) -> str:
    """A hash of what stands before the rows."""
    stream.seek(0)
    return hashlib.blake2b(stream.read(offset), digest_size=16).hexdigest()


class _Head:
    """The first lines of a file."""

    def __init__(
        self, path: Path, stream: BinaryIO, encoding: Encoding, *, takes_unended: bool
    ) -> None:
        self._path = path
        self._stream = stream
        self._encoding = encoding
        self._takes_unended = takes_unended
        self._line = -1

    def form(self, separator: Separator) -> CsvForm:
        preamble = ""
        text = self._next_line()
        while not text.strip() and not self._is_over():
            text = self._next_line()
        if text.startswith("#{"):
            preamble, text = text, self._next_line()
        if not text.strip():
            raise self._missing("no header in it" if preamble else "nothing in it yet")
        try:
            mark = separator(text)
            names, text = self._record(text, mark)
            line, offset = self._line + 1, self._stream.tell()
            first = self._first_row(mark, len(names))
        except csv.Error as error:
            raise self._damaged(f"no table of separated values ({error})") from None
        self._check_names(names)
        is_quoted = text.startswith('"') and text.rstrip("\r\n").endswith('"')
        is_quoted = is_quoted and text.count('"') >= 2 * len(names)
        header, preamble = text.rstrip("\r\n"), preamble.rstrip("\r\n")
        digest = head_digest(self._stream, offset)
        return CsvForm(
            mark,
            names,
            first,
            offset,
            line,
            header,
            digest,
            self._encoding,
            preamble,
            is_quoted=is_quoted,
        )

    def _record(self, text: str, mark: str, errors: str = "strict") -> tuple[tuple[str, ...], str]:
        """The cells of the record that begins with this line, and its text."""
        lines = [text]

        def more() -> Iterator[str]:
            yield text
            while not self._is_over():
                lines.append(self._next_line(errors))
                yield lines[-1]

        cells = next(csv.reader(more(), delimiter=mark))
        return tuple(cells), "".join(lines)

    def _first_row(self, mark: str, width: int) -> tuple[str, ...]:
        """Empty unless the whole of it is there."""
        text = "\n"
        while text and not text.strip():
            if self._is_over():
                return ()
            text = self._next_line("replace")
        cells, text = self._record(text, mark, "replace")
        if text.endswith("\n"):
            return cells
        return tuple(unended_cells(text, mark, width)) if self._takes_unended else ()

    def _is_over(self) -> bool:
        at = self._stream.tell()
        found = self._stream.read(1)
        self._stream.seek(at)
        return not found

    def _next_line(self, errors: str = "strict") -> str:
        at = self._stream.tell()
        found = self._stream.readline(_HEAD_AT_MOST)
        self._line += 1
        if at == 0:
            if found.startswith(POINTER):
                raise lfs_error(self._path)
            found = found.removeprefix(_BOMS[0][0])
        if len(found) >= _HEAD_AT_MOST:
            raise self._damaged("the first line never ends: no table")
        if b"\0" in found:
            raise self._binary()
        try:
            return found.decode("utf-8", errors)
        except UnicodeDecodeError as error:
            name = _quoted(self._path)
            raise Damaged(
                "the header is not UTF-8",
                where=str(self._path),
                offset=at + error.start,
                hint=f"iconv -f WINDOWS-1252 -t UTF-8 {name} > recoded.csv",
            ) from None

    def _check_names(self, names: tuple[str, ...]) -> None:
        if names and all(is_number(name) for name in names):
            name = _quoted(self._path)
            raise Damaged(
                "the first line is no header: every cell of it is a number",
                where=str(self._path),
                hint=f"(echo 'step,loss'; cat {name}) > named.csv",
            )

    def _binary(self) -> Damaged:
        name = _quoted(self._path)
        hint = f"iconv -f UTF-16LE -t UTF-8 {name} > recoded.csv  # if it is UTF-16 without a mark"
        return Damaged("NUL bytes in the header: no text", where=str(self._path), hint=hint)

    def _damaged(self, what: str) -> Damaged:
        return Damaged(what, where=str(self._path), hint=f"head -c 300 {_quoted(self._path)}")

    def _missing(self, what: str) -> NotFound:
        return NotFound(what, where=str(self._path), hint=f"ls -l {_quoted(self._path)}")


def is_number(text: str) -> bool:
    """Whether a cell can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _quoted(path: Path) -> str:
    return shlex.quote(spelled(str(path)))
