"""Which offline experiments of Comet lie at a place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, Final

from runferry.dialects.json_trees import parse_json
from runferry.model import Kind, RunKey
from runferry.paths import Folder, folders_below, regular
from runferry.readers.comet.experiment import CometRun
from runferry.readers.comet.members import EXPERIMENT, MESSAGES, Members, members_of
from runferry.readers.comet.reading import stated_of
from runferry.readers.finding import key_of, label_of, signature_of
from runferry.readers.local_runs import LocalReader, LocalRun

_ENDING: Final = ".zip"
_FIRST_BYTES: Final = 65_536
_KEY: Final = re.compile(r"[0-9A-Za-z]{32,50}")
"""An experiment's, by which the client calls its zip (comet_ml, `EXPERIMENT_KEY` of its docs)."""


class CometReader(LocalReader):
    """Experiments that Comet's OfflineExperiment kept."""

    name: ClassVar[str] = "comet"
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "image", "audio", "video", "table", "plot", "html", "object3d", "file",
        "other", "config", "environment", "console", "artifact", "raw"
    })  # fmt: skip
    takes: ClassVar[str] = f"a {_ENDING} of Comet's OfflineExperiment, or a folder with some"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether an experiment lies here or below."""
        return next(_experiments(path), None) is not None

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """Nothing is a run in the folders of one that was unpacked."""
        is_one = {EXPERIMENT, MESSAGES} <= {*folder.names} and _is_experiment(folder.path)
        return tuple(entry.name for entry, _ in folder.within()) if is_one else ()

    def check(self) -> None:
        """Raises NotFound for a file that is none."""
        if not _is_experiment(self.root):
            raise self.nothing()

    def look(self) -> Iterator[LocalRun]:
        """Every experiment, by name of its folder or archive."""
        for path in _experiments(self.root):
            try:
                members = members_of(path)
            except OSError:  # reading it says what is wrong
                yield CometRun(RunKey(self.name, "", path.stem), path)
                continue
            if members is not None:
                yield CometRun(_key(members, label_of(self.root, path)), path)


def _experiments(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        if _is_experiment(root):
            yield root
        return
    for folder in folders_below(root):
        if MESSAGES in folder.names and _is_experiment(folder.path):
            yield folder.path
        for name in folder.names:
            if name.endswith(_ENDING) and _may_be_experiment(folder.path / name):
                yield folder.path / name


def _may_be_experiment(path: Path) -> bool:
    """Whether this zip is an experiment; one that is closed to us is, by the client's name."""
    try:
        return _is_experiment(path)
    except OSError:
        return _KEY.fullmatch(path.stem) is not None


def _is_experiment(path: Path) -> bool:
    """By what its first message is; of an archive without messages by `experiment.json`."""
    if not path.is_dir() and regular(path) is None:
        return False
    members = members_of(path)
    if members is None:
        return False
    first = _first_line(members)
    if first:
        try:
            message = parse_json(first.decode("utf-8", "replace"))
        except ValueError:
            return first.startswith(b'{"payload":') or b'"payload":' in first
        return isinstance(message, dict) and {"payload", "type"} <= message.keys()
    try:
        return "offline_id" in stated_of(members)
    except (ValueError, OSError, EOFError):
        return False


def _first_line(members: Members) -> bytes:
    """Empty where there are no messages, or they are damaged from the beginning."""
    try:
        return _line_of(members)
    except OSError:
        return b""  # reading the run tells it


def _line_of(members: Members) -> bytes:
    stream = members.open(MESSAGES)
    if stream is None:
        return b""
    with stream:
        return stream.readline(_FIRST_BYTES)


def _key(members: Members, label: str) -> RunKey:
    """The experiment's key is unique everywhere; a folder that is not ended yet has none."""
    try:
        stated = stated_of(members).get("offline_id")
    except (ValueError, OSError, EOFError):
        stated = None
    if isinstance(stated, str) and stated:
        return RunKey("comet", "", stated)
    return key_of("comet", label, signature_of(_first_line(members)))
