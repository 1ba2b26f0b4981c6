"""One run while it is written: its log from beginning to end, and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from runferry import _native
from runferry.chunks import (
    Artifact,
    Attributes,
    Chunk,
    Console,
    File,
    Header,
    Histograms,
    Media,
    Points,
    SeriesFacts,
    Texts,
)
from runferry.dialects.wandb.file_roles import role_of
from runferry.dialects.wandb.marks import ServiceMark
from runferry.dialects.wandb.own_files import FILES, MARK, SEAL, SIDE_FILE, TRACKER, Mark, side_text
from runferry.dialects.wandb.service_copy import (
    ADDED_ENVIRONMENT,
    COPY_FILE,
    ServiceCopy,
    is_changed,
)
from runferry.durable import sync_tree
from runferry.losses import Loss
from runferry.model import Attribute, FileRole, KeyPath, Run, Tree, Uid
from runferry.tables import CONSOLE, POINTS, TEXTS, conform
from runferry.writers.wandb import messages
from runferry.writers.wandb.addresses import Addresses
from runferry.writers.wandb.arrived_artifacts import BroughtBefore
from runferry.writers.wandb.belongings import Belongings
from runferry.writers.wandb.beside_rows import BesideRows
from runferry.writers.wandb.blob_files import BlobFiles
from runferry.writers.wandb.declared import DeclaredSeries
from runferry.writers.wandb.environment import environment
from runferry.writers.wandb.histograms import shown_histograms
from runferry.writers.wandb.latest import LatestValues
from runferry.writers.wandb.limits import LONGEST_ROW
from runferry.writers.wandb.number_kinds import NumberKinds
from runferry.writers.wandb.place import Place
from runferry.writers.wandb.records import Records
from runferry.writers.wandb.service_texts import ServiceTexts
from runferry.writers.wandb.shown_json import config_json, history_json
from runferry.writers.wandb.unsent import Unsent, unsent_header
from runferry.writers.wandb.unsent_attributes import is_shown, unsent_attributes

_LOG: Final = "log.part"
_INTERNAL: Final = "_wandb"
_SHOWN: Final = ("config", "summary")


class Draft:
    """One attempt to write a run, in a new folder of its own."""

    def __init__(
        self,
        home: Path,
        place: Place,
        run: Run,
        uid: Uid,
        *,
        is_marked: bool = False,
        before: BroughtBefore | None = None,
    ) -> None:
        """With `is_marked` W&B is shown our mark, as a tag; `before` need not be sent again."""
        self.home = home
        self.place = place
        self.uid = uid
        self._run = run
        self._is_marked = is_marked
        self._tags: tuple[str, ...] = ()
        self._log = _native.WandbLog(
            home / _LOG,
            started_ns=messages.started_ns(run),
            longest_row=LONGEST_ROW if is_marked else None,
        )
        self._records = Records(self._log, place.folder)
        self._series = DeclaredSeries(self._records)
        self._belongings = Belongings(
            self._records,
            BlobFiles(home, is_for_service=is_marked),
            place,
            uid,
            None if before is None else before.has,
        )
        self.before = before
        self._beside = BesideRows(home) if is_marked else None
        self._renamed: dict[str, tuple[str, FileRole]] = {}  # files, by their names in W&B
        self.produced = self._belongings.produced  # the artifacts that W&B is shown as its own
        self._config, self._summary = Addresses(), Addresses()
        self._attributes: tuple[Attribute, ...] = ()
        self._latest = LatestValues()
        self._kinds = NumberKinds()
        self._texts = ServiceTexts(run.key.tracker == TRACKER)
        self._unsent = Unsent()
        self._is_begun = self._is_ended = False
        self._records.put(messages.HEADER, messages.header())
        self._records.own(MARK, Mark(uid, run).tree())

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        if not self._is_begun and not isinstance(chunk, (Header, Attributes)):
            self._begin(chunk)
        self._unsent.look_at(chunk, self._series.is_user)
        if self._beside is not None:
            self._beside.look_at(chunk, self._series.is_user)
        match chunk:
            case Points(batch):
                rows = conform(batch, POINTS)
                self._latest.look_at(rows)
                self._kinds.look_at(rows)
                self._records.rows(self._log.points, rows)
            case Texts(batch):
                rows = conform(batch, TEXTS)
                rows = self._texts.sendable(rows) if self._is_marked else rows
                self._records.rows(self._log.texts, rows)
            case Histograms(batch):
                self._records.rows(self._log.histograms, shown_histograms(batch))
            case Console(batch):
                self._records.rows(self._log.console, conform(batch, CONSOLE))
            case SeriesFacts(items):
                self._series.declare(items)
            case Attributes(items):
                self._put_attributes(chunk, items)
            case Media(items):
                stored = self._belongings.media(items, self._series)
                if self._is_marked:
                    self._unsent.media(stored)
            case File():
                self._put_file(chunk)
            case Artifact():
                self._belongings.artifact(chunk)
            case _:
                if isinstance(chunk, Header):
                    self._run = chunk.run
                self._records.keep(chunk)

    def _put_file(self, file: File) -> None:
        stored = self._belongings.file(file)
        name = None if stored is None else stored.below_files
        if name is not None and (name != file.path or role_of(name) != file.role):
            self._renamed[name] = (file.path, file.role)

    # --- the run ----------------------------------------------------------------------------------

    def _begin(self, first: Chunk | None) -> None:
        """The run, once its first configuration is known: W&B's viewer looks for it there only."""
        self._is_begun = True
        if self._is_marked:
            series = first.items if isinstance(first, SeriesFacts) else ()
            has_runtime = any(one.path == ("_runtime",) for one in series)
            mark = ServiceMark(self.uid, not has_runtime, not self._of_role("summary"))
            self._tags = (mark.tag,)
        config = self._items("config", config_json)
        message = messages.run(self._named(self._run), self.place.run_id, config, self._tags)
        self._records.put(messages.RUN, message)
        begun = messages.started_ns(self._run)
        stated = self._of_role("environment")
        message = environment(self._run, stated, begun, messages.timestamp)
        if message:
            self._records.put(messages.ENVIRONMENT, message)

    def _named(self, run: Run) -> Run:
        """As the service is shown it: to one without a name it would give any."""
        return run if run.name or not self._is_marked else replace(run, name=self.place.run_id)

    def _of_role(self, role: str) -> list[Attribute]:
        return [item for item in self._attributes if item.role == role]

    def _items(self, role: str, spell: Callable[[Tree], str]) -> Iterator[messages.Item]:
        for item in self._of_role(role):
            if item.path[:1] == (_INTERNAL,):
                continue  # what W&B keeps there for itself it makes anew
            yield self._address(item), spell(item.value)

    def _address(self, item: Attribute) -> KeyPath:
        addresses = self._config if item.role == "config" else self._summary
        name = item.name if item.name is not None else ".".join(item.path)
        return addresses.of(name, item.path)

    def _put_attributes(self, chunk: Attributes, items: Iterable[Attribute]) -> None:
        known = {} if chunk.is_whole else {(it.role, it.path): it for it in self._attributes}
        self._attributes = tuple((known | {(it.role, it.path): it for it in items}).values())
        plain = tuple(replace(item, name=None) for item in chunk.items)
        self._records.keep(replace(chunk, items=plain))
        if self._is_begun:
            config = messages.config(self._items("config", config_json))
            self._records.put(messages.CONFIG, config)

    # --- the end ----------------------------------------------------------------------------------

    def complete(self, run: Run) -> None:
        """Write what is left, and `runferry.json` once all else is there; once."""
        if self._is_ended:
            return
        if not self._is_begun:
            self._begin(None)
        if run != self._run:
            message = messages.run(self._named(run), self.place.run_id, (), self._tags)
            self._records.put(messages.RUN, message)
        origin = run.origin_uid or self._run.origin_uid
        self._records.keep(Header(replace(run, origin_uid=origin)))
        self._log.flush()  # the rows that wait: what follows the end is not read
        if self._beside is not None:
            for path in self._beside.finish():
                self._belongings.beside(path)
            self._belongings.said(COPY_FILE, self._copy(run).content())
        summary = messages.summary(self._summary_items())
        if summary:
            self._records.put(messages.SUMMARY, summary)
        ending = messages.ending(run)
        if ending is not None:
            self._records.put(messages.EXIT, ending)
        self._records.own(SEAL, {})
        self._log.flush()
        self._run = run
        self._finish(run)
        self._is_ended = True

    def _copy(self, run: Run) -> ServiceCopy:
        """What W&B cannot say."""
        stated = {item.path for item in self._of_role("environment")}
        series = {self._series.place(key): self._kinds.of(key) for key in self._series}
        shown = ((self._address(it), it) for role in _SHOWN for it in self._of_role(role))
        exact = {(it.role, at): it for at, it in shown if at != it.path or is_changed(it.value)}
        return ServiceCopy(
            run,
            messages.shown_state(run),
            messages.shown_tags(run),
            tuple(name for name in ADDED_ENVIRONMENT if (name,) in stated),
            series,
            exact,
            tuple(item for item in self._attributes if not is_shown(item)),
            self._renamed,
            self.history_rows,
        )

    def _finish(self, run: Run) -> None:
        (self.home / FILES).mkdir(exist_ok=True)
        (self.home / _LOG).rename(self.home / f"run-{self.place.run_id}.wandb")
        text = side_text(self.uid, self.place.run_id, run.project)
        (self.home / SIDE_FILE).write_text(text, encoding="utf-8")
        sync_tree(self.home)

    def _summary_items(self) -> Iterator[messages.Item]:
        """The source's summary; of a source that has none, the last value of each series."""
        if self._of_role("summary"):
            yield from self._items("summary", history_json)
            return
        for key, value in self._latest:
            if self._series.is_user(key):
                yield self._series.address(key), history_json(value)

    @property
    def history_rows(self) -> int:
        """How many rows of history W&B is shown."""
        return self._log.counts[0]

    @property
    def is_there(self) -> bool:
        """Whether nobody took this attempt away."""
        return self.home.exists()

    def told(self) -> tuple[Loss, ...]:
        """Nothing that the plan has not said."""
        return ()

    def unsent(self) -> tuple[Loss, ...]:
        """What only our own records say, which the service does not get."""
        tells_rows = self._beside is not None and self._beside.tells_rows
        moved_times = None if tells_rows else self._log.counts[1]
        rows = self._unsent.losses(moved_times, self._log.too_long)
        header = unsent_header(self._run)
        attributes = unsent_attributes(self._attributes, self._address)
        series = (*self._series.elsewhere(), *self._kinds.losses(), *self._texts.losses())
        told = (*rows, *series, *header, *attributes)
        return tuple(loss for loss in told if loss.count)

    def close(self) -> None:
        """Let go of the log; what was written stays."""
        if self._beside is not None:
            self._beside.close()
        del self._log, self._records, self._series, self._belongings
