"""A run that SwanLab's own client has logged, and what we add to it.

    <log dir>/.runferry/adopted/<run folder>/
        run.swanlab, config.yaml    as its client left them
        added.json                  what was added: names, configuration, in order of coming
        lock                        held by whoever adds
        whole.json                  how large the log was that was made last
        <uid>.swanlab               what was added of one run to a log on the disk
        another-<n>/                the same of a run that had this folder's name before

The log that others see is made anew of these each time, and replaced in one step: so what is sent
again takes its own place, and what was interrupted shows nothing.
"""

from __future__ import annotations

import filecmp
import itertools
import json
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from runferry import _native
from runferry.dialects.protobuf import field as spelled_field
from runferry.dialects.protobuf import integer
from runferry.dialects.swanlab.adopted import (
    LOCAL,
    NOTE,
    ONLINE,
    OPEN,
    AdoptedNote,
    adopted_home,
    awaited,
    log_in,
)
from runferry.dialects.swanlab.names import CONFIG, CONSOLE, FILES, LOGS, MEDIA
from runferry.dialects.swanlab.wire import parsed
from runferry.durable import replace_file, sync, sync_tree, write_atomically
from runferry.errors import Declined, Refused
from runferry.losses import Loss
from runferry.model import Run, RunKey, Tree, Uid
from runferry.writers.plain_folder.run_files import put_link
from runferry.writers.swanlab import messages
from runferry.writers.swanlab.adopted_authoring import Into, Names
from runferry.writers.swanlab.adopted_dashboard import AdoptedDashboard
from runferry.writers.swanlab.adopted_log import Logged, differing, start_of, write_whole
from runferry.writers.swanlab.attributes import entries_of, free_name, plain
from runferry.writers.upload_lock import LOCK, one_upload

_ADDED: Final = "added.json"
_LOG: Final = "run.swanlab"
_WHOLE: Final = "whole.json"
_PROTOBUF: Final = 2  # the version of a log with such records
_CRASHED: Final = 2
_NO_END: Final = "the run never said that it ended"


@dataclass(frozen=True, slots=True)
class Added:
    """What was added of one run."""

    names: Names
    config: dict[str, Any]
    about: dict[str, Any]
    """What SwanLab has no place for."""
    has_lines: bool


class AdoptedRun:
    """One run folder of SwanLab's client, when that is through with it."""

    def __init__(self, folder: Path) -> None:
        """Raises Declined while its client is at work, Refused where nothing can be added."""
        self.folder = folder.resolve()  # by whatever name: its lock goes by this one
        self.home = adopted_home(self.folder)
        self._note = AdoptedNote.of(self.folder)
        log = log_in(self.folder)
        if log is None:
            raise Refused(
                "no run of SwanLab is here any more",
                where=str(folder),
                hint=f"bring its folder back, then run the command again; or {self._others}",
            )
        if (first := awaited(self.folder)) is not None:
            raise Declined(
                first.told,
                where=str(folder),
                hint="swanlab.finish() ends it, then run the command again; where its process is"
                f" gone, {self._others}",
            )
        if _native.SwanlabScanner(log).version != _PROTOBUF:
            raise Refused(
                "this run was logged by a client before SwanLab 0.8, and takes nothing more",
                where=str(log),
                hint=self._others,
            )
        self.log = log
        is_local = self._note is not None and self._note.mode == LOCAL
        self.dashboard = AdoptedDashboard(self.folder, is_expected=is_local)

    @property
    def is_online(self) -> bool:
        """Whether its client sends it to the cloud."""
        return self._note is not None and self._note.mode == ONLINE

    @property
    def _others(self) -> str:
        """Where runs can go that this one does not take, as a hint says it."""
        return f"send them to swanlab:{shlex.quote(str(self.folder.parent))}, as runs of their own"

    def alone(self, tracker: str) -> AbstractContextManager[tuple[int, ...]]:
        """Nobody else adds to it meanwhile. Raises what `one_upload` raises."""
        return one_upload(tracker, str(self.folder), beside=self.home)

    @property
    def run_id(self) -> str:
        """Its own."""
        return parsed(self.start).text(10) or self.log.stem.removeprefix("run-")

    @property
    def project(self) -> str:
        """Empty for the account's."""
        return parsed(self.start).text(1)

    @property
    def workspace(self) -> str:
        """Empty for the account's own."""
        return parsed(self.start).text(2)

    @cached_property
    def _before(self) -> Path:
        """The log as its client left it: a copy, made before anything is added."""
        kept = self.home / _LOG
        if kept.exists() and not self._is_ours(kept):
            self._set_aside()
        if not kept.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            scratch = kept.with_name(f".{kept.name}.{secrets.token_hex(6)}")
            shutil.copyfile(self.log, scratch)
            sync([scratch])
            replace_file(scratch, kept)
            # its folders are new, too: what it says is about to be replaced
            sync([self.home, *self.home.parents[:3]])
        return kept

    def _is_ours(self, kept: Path) -> bool:
        """Whether a log that was kept is of this very run, as its first record tells."""
        was, now = start_of(kept), start_of(self.log)
        return now == was or (was is None and now == self._noted_start)

    def _set_aside(self) -> None:
        """Keep what is of a run whose folder somebody removed, and no more add it to this one."""
        aside = self.home / f"another-{secrets.token_hex(6)}"
        aside.mkdir()
        # by its log the whole is known, so that goes last
        for path in sorted(self.home.iterdir(), key=lambda one: one.name == _LOG):
            if path.is_file() and path.name not in (NOTE, OPEN, LOCK):
                path.rename(aside / path.name)
        sync([self.home, aside])

    @cached_property
    def _logged(self) -> Logged:
        return Logged.of(self._before)

    @cached_property
    def start(self) -> bytes:
        """Its first record; made of our note where its client had not written it yet."""
        return self._noted_start if self._logged.start is None else self._logged.start

    @property
    def _noted_start(self) -> bytes:
        note = self._note or AdoptedNote(self.log.stem.removeprefix("run-"), "offline")
        named = Run(RunKey("swanlab", "", note.run_id), name=note.name or None)
        return messages.start(named, note.run_id, note.project, note.workspace, note.time_ns)

    def finish(self, now_ns: int) -> bytes | None:
        """Its last record. In the cloud one that has none would be running for ever."""
        if self._logged.finish is not None or not self.is_online:
            return self._logged.finish
        end = integer(1, _CRASHED) + spelled_field(2, _NO_END)
        return end + messages.timestamp(3, now_ns)

    def into(self, uid: Uid, now_ns: int) -> Into:
        """What there is beside what is added of this run."""
        start = self.start  # before all else: what was added may be another run's
        added = self.added()
        own = added.pop(uid, None)
        others = {name for one in added.values() for name in one.names.values()}
        listed = self.dashboard.names_beside(uid)
        is_shown = any(one.has_lines for one in added.values())
        return Into(
            start,
            self.finish(now_ns),
            # of a client that was killed the dashboard may know more than the log
            {*self._logged.names, *others, *(listed or ())},
            # what a client that was killed has sent, its log need not have
            self.is_online and self._logged.finish is None,
            {} if own is None else own.names,
            self._logged.has_lines or self.dashboard.has_lines or is_shown,
            is_listed=listed is not None,
        )

    # --- what was added ---------------------------------------------------------------------------

    def added(self) -> dict[Uid, Added]:
        """In the order in which it came."""
        try:
            told = json.loads((self.home / _ADDED).read_bytes())
        except FileNotFoundError:
            return {}
        return {Uid(uid): Added(**one) for uid, one in told.items()}

    def note_added(self, uid: Uid, one: Added) -> None:
        """Before anything of it is seen: what is sent again has the same names."""
        told = {known: asdict(it) for known, it in {**self.added(), uid: one}.items()}
        spelled = json.dumps(told, ensure_ascii=False).encode()
        write_atomically(self.home / _ADDED, spelled, scratch=secrets.token_hex(6))

    def standing(self) -> set[Uid]:
        """What was added to this very run, and is in its log; in the cloud, what was sent.

        A folder may be removed and come back, as it was before or as another run's.
        """
        kept = self.home / _LOG
        if not kept.exists() or not self._is_ours(kept):
            return set()
        if self.is_online:
            return {*self.added()}
        try:
            told = json.loads((self.home / _WHOLE).read_bytes())
        except FileNotFoundError:
            return set()
        is_whole = told == {"size": self.log.stat().st_size}
        return {uid for uid in self.added() if is_whole and self._section(uid).exists()}

    def config(self) -> dict[str, dict[str, Tree]]:
        """Entries of `config.yaml`: its own, as others have updated them.

        What was replaced stands below `runferry`, as does what has no place in SwanLab. Raises
        Refused for one that its client cannot have written, which nothing of ours then replaces.
        """
        path, kept = self.folder / FILES / CONFIG, self.home / CONFIG
        if not kept.exists():  # empty for one that has none: what we write there is not its own
            written = path.read_bytes() if path.exists() else b""
            write_atomically(kept, written, scratch=secrets.token_hex(6))
        entries = entries_of(kept)
        whose: dict[str, dict[str, Tree]] = {}
        about: dict[str, Tree] = {}
        for uid, one in sorted(self.added().items(), key=_began):
            ours: dict[str, Tree] = {**one.about}
            about[str(uid)] = ours
            for key, value in one.config.items():
                before = entries.get(key, {})
                if "value" in before and before["value"] != value:
                    told = whose.get(key, about)
                    replaced = told.setdefault("replaced_config", {})
                    assert isinstance(replaced, dict)
                    replaced[key] = before["value"]
                entries[key] = {**before, "value": value}
                whose[key] = ours
        return {**entries, free_name("runferry", entries): {"value": about}}

    # --- a log on the disk ------------------------------------------------------------------------

    def compose(self, made: Path, uid: Uid) -> tuple[Loss, ...]:
        """Add what lies in a folder, in place of what was added of this run before.

        What the log then has not, since it is damaged where it was. Raises Declined where what is
        written cannot be read back.
        """
        section = self._section(uid)
        (log,) = made.glob("run-*.swanlab")
        _put(log, section)
        self._put_files(made)
        sync_tree(self.home)
        for name in (FILES, MEDIA, LOGS, CONSOLE):
            if (self.folder / name).is_dir():
                sync_tree(self.folder / name)
        sections = [path for path in map(self._section, self.added()) if path.exists()]
        if section not in sections:
            raise Declined(
                "another process set aside meanwhile what was to be added",
                where=str(self.folder),
                hint="run the same command again",
            )
        scratch = self.home / f".{self.log.name}.{secrets.token_hex(6)}"
        start = self.start if self._logged.start is None else None
        try:
            lost = write_whole(scratch, self._before, start, sections)
            self._confirm(differing(scratch, (self._before, *sections)))
            sync([scratch])
            replace_file(scratch, self.log)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        sync([self.folder])
        whole = json.dumps({"size": self.log.stat().st_size}).encode()
        write_atomically(self.home / _WHOLE, whole, scratch=secrets.token_hex(6))
        if section != sections[0]:  # of the client's own log the first one tells
            del lost[self._before]
        return tuple(itertools.chain.from_iterable(lost.values()))

    def _section(self, uid: Uid) -> Path:
        """What was added of one run."""
        return self.home / f"{uid}.swanlab"

    def _confirm(self, differing: Sequence[str]) -> None:
        if differing:
            raise Declined(
                f"what was written does not read back as it was sent: {', '.join(differing[:5])}",
                where=str(self.folder),
                hint="see that the disk is sound, then send it again",
            )

    def _put_files(self, made: Path) -> None:
        """What lies below a folder; a medium that is there twice takes its room once."""
        placed: dict[int, Path] = {}
        for path in _files_below(made):
            place = path.relative_to(made)
            target = self.folder / place
            node = path.stat().st_ino if place.parts[0] == MEDIA else 0
            _put(placed.get(node, path), target, is_linked=node in placed)
            if node not in placed and not filecmp.cmp(path, target, shallow=False):
                self._confirm([str(place)])
            if node:
                placed[node] = target


def _began(item: tuple[Uid, Added]) -> int:
    """When a run began: what a later one says of the configuration stands."""
    return int(item[1].about.get("started_ns") or 0)


def about_of(run: Run, told: Mapping[str, Tree]) -> dict[str, Any]:
    """What the header says that is the adopted run's own there; with what else is told."""
    fields: dict[str, Tree] = {
        "name": run.name,
        "project": run.project,
        "notes": run.notes,
        "group": run.group,
        "job_type": run.job_type,
        "tags": list(run.tags),
        "started_ns": run.started_ns,
        "ended_ns": run.ended_ns,
    }
    stated = {name: value for name, value in fields.items() if value not in (None, "", [])}
    shown: dict[str, Any] = plain({**told, **stated})
    return shown


def _files_below(made: Path) -> Iterator[Path]:
    for path in sorted(made.rglob("*")):
        is_own = path.parent == made or path == made / FILES / "swanlab-metadata.json"
        if path.is_file() and not is_own:
            yield path


def _put(source: Path, target: Path, *, is_linked: bool = False) -> None:
    """A copy, or a link, in place of what is there, in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}")
    try:
        (put_link if is_linked else shutil.copyfile)(source, scratch)
        replace_file(scratch, target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
