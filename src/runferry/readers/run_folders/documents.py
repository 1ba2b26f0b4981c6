"""JSON documents of a run folder, and what of them could not be taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runferry import chunks
from runferry.dialects.json_stream import BrokenJson
from runferry.dialects.json_trees import JsonNotes, leaves, parse_json
from runferry.dialects.run_folder import text_beside, unreadable
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Role, Tree

_REPEATED = "a key comes again in one mapping; its last value was taken"
_LONG = "an integer of more than 4,300 digits is a text"
_BEYOND = "a number that no double holds is a text"
_HALVES = "U+FFFD stands for what is no text"


def json_mapping(folder: Path, name: str, losses: list[Loss]) -> dict[str, Tree]:
    """A file that holds one mapping; empty if there is none, or for what is told in `losses`."""
    text = text_beside(folder, name)
    if isinstance(text, Loss):
        losses.append(text)
        return {}
    if text is None:
        return {}
    notes = JsonNotes(halves=text.mended)
    try:
        found = parse_json(text.text, notes)
    except ValueError as error:
        losses.append(unreadable(name, f"no JSON: {error}"))
        return {}
    losses.extend(noted(notes, name))
    if isinstance(found, dict):
        return found
    losses.append(unreadable(name, "no mapping"))
    return {}


def noted(notes: JsonNotes, where: str) -> Iterator[Loss]:
    """What a document says that a tree could not hold."""
    for count, code, fate, why in (
        (notes.repeated_keys, "repeated-key", Fate.DROPPED, _REPEATED),
        (notes.long_integers, "long-integer", Fate.REENCODED, _LONG),
        (notes.beyond_double, "number-beyond-double", Fate.REENCODED, _BEYOND),
        (notes.halves, "bad-text", Fate.ROUNDED, _HALVES),
    ):
        if count:
            yield Loss(code, fate, where, count, why)


def broken(error: BrokenJson, where: str) -> Loss:
    """What stands behind a place where a document could not be read on."""
    code = "cut-json" if error.is_cut else "damaged-json"
    why = "the file ends inside its document" if error.is_cut else f"not read on: {error}"
    return Loss(code, Fate.DROPPED, f"{where}@{error.offset}", 1, why)


def attributes(value: Tree, role: Role) -> list[Attribute]:
    """The values of a mapping, by path."""
    return [Attribute(path, role, item) for path, item in leaves(value)]


def lost(losses: Iterable[Loss]) -> Iterator[chunks.Chunk]:
    """These losses as chunks."""
    return map(chunks.Lost, losses)
