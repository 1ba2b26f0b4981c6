"""Run folders of ours: what they hold besides what W&B knows.

    offline-run-<YYYYMMDD_HHMMSS>-<id>/
        run-<id>.wandb       W&B's records, and ours among them
        files/               the run's files and media, for W&B to upload
        runferry_files/      bytes that W&B has no place for, or would write over
        runferry.json        whose folder it is: written last

A record of ours is a footer with field 1517, which holds `[kind, tree]` in JSON as `tables.dumps`
spells it. W&B passes over footers, and over fields that it does not know. `mark` comes first:
{"uid", "run"}; `seal` last; kinds between them are those of `dialects.chunk_trees`, and
`addresses`: the stream, the path in W&B and the key of each series.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, cast

from runferry.dialects import codec
from runferry.dialects.chunk_trees import blob_facts
from runferry.dialects.protobuf import field
from runferry.errors import Refused
from runferry.model import Blob, Run, Tree, Uid
from runferry.paths import inside, regular, spelled
from runferry.tables import dumps, loads

TRACKER: Final = "wandb"
FILES: Final = "files"
BLOBS: Final = "runferry_files"
SIDE_FILE: Final = "runferry.json"
HIDDEN: Final = ".runferry"
"""Where runs lie while they are written, below the folder of all runs."""

FOOTER: Final = 22
"""The type of record that ours are, by its number in `Record`."""
OWN_FIELD: Final = 1517
OWN_KEY: Final = f"#{OWN_FIELD}"
"""How the native reader calls the field."""

MARK: Final = "mark"
SEAL: Final = "seal"
ADDRESSES: Final = "addresses"

MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What a codec raises for JSON that we did not write."""

_FORMAT: Final = "runferry-wandb"
_VERSION: Final = 1


def own_record(kind: str, tree: Tree) -> bytes:
    """The message of a footer that only we read."""
    return field(OWN_FIELD, dumps([kind, tree]).encode("utf-8", "surrogatepass"))


def own_content(message: dict[str, Any]) -> bytes | None:
    """What a footer of ours holds; None for W&B's own."""
    found = message.get(OWN_KEY)
    content = found[0] if isinstance(found, list) and found else found
    return content if isinstance(content, bytes) else None


def said(content: bytes) -> tuple[str, Tree]:
    """Kind and tree of a record of ours. Raises one of MALFORMED."""
    kind, tree = cast("tuple[str, Tree]", loads(content))
    return kind, tree


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose file it is."""

    uid: Uid
    run: Run

    def tree(self) -> Tree:
        """As the tree of the record `mark`."""
        return {"uid": self.uid, "run": codec.run_tree(self.run)}

    @classmethod
    def of(cls, tree: Tree) -> Self:
        """The inverse of `tree`."""
        stated = cast("dict[str, Any]", tree)
        return cls(Uid(stated["uid"]), codec.run_of(stated["run"]))


# --- the folder -----------------------------------------------------------------------------------


def side_text(uid: Uid, run_id: str, project: str | None) -> str:
    """The content of `runferry.json`."""
    stated = {
        "format": _FORMAT, "version": _VERSION, "uid": uid, "id": run_id, "project": project,
    }  # fmt: skip
    return json.dumps(stated, indent=2) + "\n"


def uid_of(folder: Path) -> Uid | None:
    """The mark of a complete folder of ours; None for any other.

    Raises Refused where there is a mark that this user may not read: whose it is nobody knows.
    """
    path = folder / SIDE_FILE
    if regular(path) is None:
        return None
    try:
        stated = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise Refused(
            f"cannot read whose run this is ({error.strerror or error})",
            where=str(path),
            hint=f"ls -l {shlex.quote(spelled(str(path)))}",
        ) from error
    is_ours = isinstance(stated, dict) and stated.get("format") == _FORMAT
    return Uid(str(stated.get("uid"))) if is_ours else None


def at_place(blob: Blob, place: str | None) -> dict[str, Tree]:
    """A blob whose bytes lie at a path below the run's folder; None where they are missing."""
    return {**blob_facts(blob), "place": place}


def kept_blob(folder: Path, tree: Tree) -> Blob:
    """The inverse of `at_place`; nothing in the tree can name a file outside."""
    stated = cast("dict[str, Any]", tree)
    place, opener = stated["place"], None
    if isinstance(place, str) and place.startswith((f"{FILES}/", f"{BLOBS}/")):
        found = inside(folder, place)
        opener = None if found is None else partial(_opened, found)
    return Blob(stated["size"], stated["media_type"], stated["sha256"], opener)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")
