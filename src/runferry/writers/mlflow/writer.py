"""The writer: native rows for people to see in MLflow, and the bundle that restores the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

from runferry.chunks import Attributes, Chunk, Header, Points, SeriesFacts
from runferry.dialects import codec
from runferry.dialects.mlflow.attributes import is_tag, param_name, spelled, spelled_tag, tag_name
from runferry.dialects.mlflow.header import NativeRun, as_native, parent_uid
from runferry.dialects.mlflow.registry import is_model_key
from runferry.dialects.mlflow.tags import (
    CLAIM_TAG,
    DELETED_TAG,
    PARENT_TAG,
    PARENT_UID_TAG,
    SEALED,
    SEALED_TAG,
    TRACKER,
    UID_TAG,
    UNSEALED,
)
from runferry.errors import Refused, RunMissing
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Blob, Run, Tree, Uid
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.tables import POINTS, conform
from runferry.writers.mlflow.backend import Backend, Batch
from runferry.writers.mlflow.limits import LIMITS
from runferry.writers.mlflow.models import wished_models
from runferry.writers.mlflow.opened import backend_at
from runferry.writers.mlflow.registering import Registering
from runferry.writers.mlflow.shelf import Shelving
from runferry.writers.mlflow.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class MlflowWriter:
    """Writes into `sqlite:///runs.db`, `http://…`, any other SQL URI."""

    name: ClassVar[str] = TRACKER
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._targets: dict[RemoteId, Target] = {}
        self._frozen: dict[RemoteId, dict[str, Loss]] = {}
        self._registered: dict[RemoteId, list[Loss]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused, AuthFailed, Unreachable, MissingExtra."""
        return cls(backend_at(where))

    def find(self, uid: Uid) -> RemoteId | None:
        """The active run that carries this mark; one that was deleted in MLflow is gone."""
        found = self._backend.find(UID_TAG, uid)
        return RemoteId(found[0]) if found else None

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The active runs that are complete."""
        return {Uid(uid): RemoteId(run_id) for uid, run_id in self._backend.present().items()}

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """The run with its mark and all its tags, and the header beside it."""
        native = as_native(run, uid)
        native = replace(native, tags={**native.tags, **self._parent_tag(run)})
        is_run = run.key.tracker == TRACKER and not is_model_key(run.key)
        own = run.key.run_id if is_run else None
        remote = RemoteId(self._backend.create(native, [own, uid] if own else [uid]))
        target = Target(self._backend.folder(remote), remote, is_new=True)
        target.put_tree("header", 0, codec.run_tree(run))
        self._targets[remote] = target
        for child in self._backend.find(PARENT_UID_TAG, uid):
            self._backend.log(child, Batch(tags={PARENT_TAG: remote}))
        return remote

    def _parent_tag(self, run: Run) -> Mapping[str, str]:
        """The parent's run id, if the parent is here already; else its own `create` sets it."""
        parent = parent_uid(run)
        found = self._backend.find(UID_TAG, parent) if parent is not None else ()
        return {PARENT_TAG: found[0]} if found else {}

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether the run is complete, or was; raises RunMissing, also when it was deleted."""
        native = self._run(remote)
        tags = native.tags
        mark = tags.get(SEALED_TAG)
        is_buried = DELETED_TAG not in tags or native.lifecycle == "deleted"
        return Progress(
            is_sealed=mark == SEALED and is_buried,
            was_sealed=mark == UNSEALED,
            claim=tags.get(CLAIM_TAG),
        )

    def claim(self, remote: RemoteId, words: str) -> None:
        """A tag."""
        self._revive(remote)
        self._backend.log(remote, Batch(tags={CLAIM_TAG: words}))

    def _run(self, remote: RemoteId) -> NativeRun:
        """The run; one that was deleted in MLflow is as good as gone."""
        native = self._backend.run(remote)
        if native.is_gone:
            raise RunMissing("the run was deleted in MLflow", where=remote)
        return native

    def _revive(self, remote: RemoteId) -> None:
        """MLflow takes nothing for a deleted run."""
        if self._run(remote).lifecycle == "deleted":
            self._backend.revive(remote)

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """MLflow's own rows first, then the part of the bundle: where that is, they are.

        Both survive this process; `seal` makes sure that the parts survive a loss of power.
        """
        if remote not in self._targets:
            self._unseal(remote)
        target = self._target(remote)
        target.begin(number)
        match chunk:
            case Points(batch):
                exact = conform(batch, POINTS)
                self._backend.log(remote, Batch(points=target.native_points(exact)))
                target.put_batch("points", number, exact)
            case Attributes(items):
                logged = self._log_attributes(remote, items)
                trees = [codec.attribute_tree(a, frozen) for a, frozen in logged]
                target.put_tree("attributes", number, trees)
            case SeriesFacts(items):
                target.declare(number, items)
            case Header(run):
                tags = self._header_tags(remote, run)
                if tags:
                    self._backend.log(remote, Batch(tags=tags))
                target.put_tree("header", number, codec.run_tree(run))
            case _:
                tags = target.put_other(number, chunk)
                if tags:
                    self._backend.log(remote, Batch(tags=tags))

    def _log_attributes(
        self, remote: RemoteId, items: Sequence[Attribute]
    ) -> Iterator[tuple[Attribute, str | None]]:
        """Params and tags; with each attribute the older value that its param keeps, if it does."""
        configs = {param_name(a): a for a in items if a.role == "config"}
        params = {name: spelled(a.value) for name, a in configs.items()}
        kept = self._backend.frozen(remote, params)
        changed = {name: value for name, value in params.items() if name not in kept}
        tags = {tag_name(a): spelled_tag(a) for a in items if is_tag(a)}
        self._backend.log(remote, Batch(params=changed, tags=tags))
        met = self._frozen.setdefault(remote, {})
        met |= {name: _immutable(configs[name]) for name in kept}
        for a in items:
            yield a, kept.get(param_name(a)) if a.role == "config" else None

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """Params that MLflow did not change, and models that it names or numbers otherwise."""
        frozen = self._frozen.pop(remote, {}).values()
        return (*frozen, *self._registered.pop(remote, []))

    def seal(self, remote: RemoteId, run: Run) -> None:
        """The list of parts, away with what it replaces, then status, end time and mark at once."""
        target = self._target(remote)
        known = self._run(remote).tags
        native = as_native(run, Uid(known[UID_TAG]))
        tags = {**native.tags, **self._parent_tag(run), **target.shown_tags(), SEALED_TAG: SEALED}
        target.seal(codec.run_tree(run), self._register(remote, run, target, native.tags[UID_TAG]))
        for batch in target.superseded():
            self._backend.forget(remote, batch)
        stale = (*target.superseded_tags(tags), CLAIM_TAG)
        if gone := {tag: known[tag] for tag in stale if tag in known}:
            self._backend.forget(remote, Batch(tags=gone))
        target.clear()
        self._backend.finish(remote, replace(native, tags=tags))
        if DELETED_TAG in known and DELETED_TAG not in stale:
            self._backend.bury(remote)
        del self._targets[remote]

    def _register(self, remote: RemoteId, run: Run, target: Target, uid: str) -> list[Tree]:
        """What MLflow keeps outside of the run: datasets, logged and registered models.

        Asked of the parts, since another process may have sent them.
        """
        documents = target.members("document", codec.document_of)
        artifacts = target.members("artifact", lambda one: codec.artifact_of(one, lambda _: Blob()))
        shelving = Shelving(self._backend, remote, run, Uid(uid))
        records = shelving.put(artifacts, documents)
        attributes: list[Attribute] = []
        if run.kind == "model_version":
            attributes = target.members("attributes", codec.attribute_of)
        models = wished_models(run, attributes, artifacts, documents)
        registering = Registering(self._backend, remote, Uid(uid))
        records += registering.register(models, target.registered())
        self._registered[remote] = [*shelving.losses, *registering.losses]
        return records

    def _header_tags(self, remote: RemoteId, run: Run) -> Mapping[str, str]:
        """The tags that this header would change."""
        known = self._run(remote).tags
        stated = as_native(run, Uid(known[UID_TAG])).tags
        return {tag: value for tag, value in stated.items() if known.get(tag) != value}

    def discard(self, remote: RemoteId) -> None:
        """Rows and artifacts of an unsealed run of ours."""
        native = self._run(remote)
        if UID_TAG not in native.tags or SEALED_TAG in native.tags:
            raise Refused(
                "this run is complete, or was not made by runferry; it stays",
                where=remote,
                hint=f"mlflow runs delete --run-id {remote}",
            )
        for name, version in self._backend.registry.of_run(Uid(native.tags[UID_TAG])):
            self._backend.registry.remove(name, version.version)
        self._backend.folder(remote).remove_all()  # first: a run that is gone names no folder
        self._backend.delete(remote)
        self._targets.pop(remote, None)

    def close(self) -> None:
        """Let go of files and connections."""
        self._backend.close()

    def _target(self, remote: RemoteId) -> Target:
        if remote not in self._targets:
            self._run(remote)
            self._targets[remote] = Target(self._backend.folder(remote), remote)
        return self._targets[remote]

    def _unseal(self, remote: RemoteId) -> None:
        """Whoever looks from here on sees a run that is on its way."""
        self._revive(remote)
        if self._run(remote).tags.get(SEALED_TAG) == SEALED:
            self._backend.log(remote, Batch(tags={SEALED_TAG: UNSEALED}))


def _immutable(attribute: Attribute) -> Loss:
    return Loss(
        "param-immutable",
        Fate.REENCODED,
        ".".join(attribute.path),
        detail="MLflow never changes a param: it shows the first value, the last is kept beside it",
    )
