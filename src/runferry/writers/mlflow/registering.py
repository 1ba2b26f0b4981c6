"""Registers what a run stands for, once: what was registered before is found by its marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from runferry.dialects.mlflow.located import below
from runferry.dialects.mlflow.logged import LoggedModel
from runferry.dialects.mlflow.registry import (
    MODEL_TAG,
    PROMPT_SOURCE,
    SOURCE_TAG,
    VERSION_TAG,
    NativeModel,
    NativeVersion,
    Registry,
    is_prompt,
    model_name,
)
from runferry.dialects.mlflow.tags import UID_TAG, short_hash
from runferry.losses import Fate, Loss
from runferry.model import Tree, Uid
from runferry.ports import RemoteId
from runferry.writers.mlflow.backend import Backend
from runferry.writers.mlflow.models import WishedModel, WishedVersion
from runferry.writers.mlflow.sent import LastSent, Sent

_OUR_TAGS: Final = "runferry."


@dataclass
class Registering:
    """The registered models of one run that is about to be sealed."""

    backend: Backend
    remote: RemoteId
    uid: Uid
    losses: list[Loss] = field(default_factory=list)
    _sent: LastSent = field(default_factory=lambda: LastSent([]))

    @property
    def _registry(self) -> Registry:
        return self.backend.registry

    def register(self, models: list[WishedModel], before: Sequence[Tree] | None) -> list[Tree]:
        """Make what is missing, mend what differs, take away what is no longer wished.

        `before` is what this returned for the last sending; None where nothing was registered.
        What somebody set or changed in MLflow since then stays, unless the source changed it too.
        Returns what was said now, for the bundle: it tells a later change in MLflow from that.
        """
        if not models and before is None:
            return []
        self._sent = LastSent(before or [])
        held = {(name, v.tags.get(VERSION_TAG)): v for name, v in self._registry.of_run(self.uid)}
        records: list[Tree] = []
        for wished in models:
            model = self._model(wished)
            if wished.is_described:
                records.append(_model_record(model, wished))
            for version in sorted(wished.versions, key=lambda one: one.number):
                known = held.pop((model.name, version.version), None)
                records.append(self._version(model, version, known))
        for (name, _), gone in held.items():
            self._registry.remove(name, gone.version)
        return records

    def _model(self, wished: WishedModel) -> NativeModel:
        """The model of this identity; a name that another one has is left to that one."""
        mark = {MODEL_TAG: wished.identity}
        for name in _names(wished):
            found = self._registry.model(name)
            if found is None:
                made = replace(wished.native, name=name, tags={**wished.tags, **mark})
                self._registry.create(made)
                self._renamed(wished, name)
                return made
            if found.tags.get(MODEL_TAG) == wished.identity:
                self._renamed(wished, name)
                return self._described(found, wished) if wished.is_described else found
        raise AssertionError("names do not end")

    def _renamed(self, wished: WishedModel, name: str) -> None:
        if name != wished.name:
            detail = f"MLflow has, or takes, no such name: it is `{name}` there"
            self.losses.append(Loss("model-renamed", Fate.RENAMED, wished.name, 1, detail))

    def _described(self, found: NativeModel, wished: WishedModel) -> NativeModel:
        sent = self._sent.model(found.name)
        description = wished.description or None
        is_new = not sent.is_known or sent.description != description
        if is_new and (found.description or None) != description:
            self._registry.describe(found.name, wished.description or "")
        if changed := _changed(wished.tags, found.tags, sent):
            self._registry.tag(found.name, changed)
        return found

    def _version(
        self, model: NativeModel, wished: WishedVersion, known: NativeVersion | None
    ) -> Tree:
        native = self._placed(wished)
        sent = Sent()
        if known is None:
            number = self._registry.add(model.name, native)
        else:
            number = known.version
            sent = self._sent.version(model.name, number)
            self._retagged(model.name, native, known, sent)
        native = self._amended(model.name, replace(native, version=number), known, sent)
        self._called(model.name, wished, number, sent)
        if number != wished.number:
            self._renumbered(model.name, wished, number)
        return _version_record(model.name, wished, native)

    def _retagged(self, name: str, native: NativeVersion, known: NativeVersion, sent: Sent) -> None:
        stale = [
            tag
            for tag in known.tags
            if tag not in native.tags and (tag in sent.tags or tag.startswith(_OUR_TAGS))
        ]
        self._registry.untag(name, stale, known.version)
        self._registry.tag(name, _changed(native.tags, known.tags, sent), known.version)

    def _amended(
        self, name: str, native: NativeVersion, known: NativeVersion | None, sent: Sent
    ) -> NativeVersion:
        """Say description and stage where they are not what was said last.

        Both are said at once, so the one that did not change keeps what it is in MLflow. Returns
        what the source says of the version.
        """
        described = native.description or None
        said = native
        if known is not None and sent.is_known:
            if sent.description == described:
                said = replace(said, description=known.description)
            if sent.stage == native.stage:
                said = replace(said, stage=known.stage)
        before = (None, "None") if known is None else (known.description or None, known.stage)
        if (said.description or None, said.stage) != before:
            self._registry.amend(name, said)
        return native

    def _called(self, name: str, wished: WishedVersion, number: int, sent: Sent) -> None:
        now = self._registry.model(name)
        aliases = now.aliases if now is not None else {}
        for alias in wished.shown_aliases:
            if alias not in sent.aliases and aliases.get(alias) != number:
                self._registry.alias(name, alias, number)
        for alias, version in aliases.items():
            is_ours = version == number and alias in sent.aliases
            if is_ours and alias not in wished.shown_aliases:
                self._registry.alias(name, alias, None)
        hidden = len(wished.aliases) - len(wished.shown_aliases)
        if hidden:
            detail = "MLflow takes no alias like this one (`latest` and `v1` are its own words)"
            where = f"{name}/{number}"
            self.losses.append(Loss("alias-reserved", Fate.REENCODED, where, hidden, detail))

    def _renumbered(self, name: str, wished: WishedVersion, number: int) -> None:
        detail = f"the number is taken, or MLflow gives it itself: the tag {VERSION_TAG} tells it"
        where = f"{name}/{number} ({wished.version})"
        self.losses.append(Loss("version-renumbered", Fate.RENAMED, where, 1, detail))

    def _placed(self, wished: WishedVersion) -> NativeVersion:
        """The version with its marks, and with the place of its files.

        A server takes only a place among the artifacts of the run that it links to: the source run
        where that is here and has these very files, else the run that holds them.
        """
        tags = {**wished.tags, UID_TAG: str(self.uid), VERSION_TAG: wished.version}
        source_uid = wished.source_uid
        linked, uri = self.remote, PROMPT_SOURCE if is_prompt(tags) else None
        logged = self._logged(wished)
        if logged is not None:
            linked = RemoteId(logged.source_run or self.remote)
            uri = f"models:/{logged.model_id}"
        elif source_uid is not None and uri is None:
            found = self.backend.find(UID_TAG, source_uid)
            uri = self._same_files(RemoteId(found[0]), wished) if found else None
            if uri is not None:
                linked = RemoteId(found[0])
            else:
                tags[SOURCE_TAG] = str(source_uid)
        if uri is None:
            uri = below(self.backend.run(self.remote).artifact_uri or "", wished.path)
        return NativeVersion(
            version=wished.number,
            source=uri.rstrip("/"),
            run_id=linked,
            run_link=wished.run_link,
            description=wished.description,
            stage=wished.stage,
            location=None if logged is None else logged.location,
            user=wished.user,
            status=wished.status,
            status_message=wished.status_message,
            created_ms=wished.created_ms,
            updated_ms=wished.updated_ms,
            tags=tags,
        )

    def _logged(self, wished: WishedVersion) -> LoggedModel | None:
        """The logged model that the version was made of, where it is here."""
        if wished.model_id is None or not self.backend.shelf.has_models:
            return None
        return self.backend.shelf.find(wished.model_id)

    def _same_files(self, source: RemoteId, wished: WishedVersion) -> str | None:
        """Where the source run has the files of the version; None where it has not all of them.

        Names and sizes decide: no place tells a digest without giving out the whole file.
        """
        path = wished.source_path
        if path is None:
            return None
        there = _sizes(self.backend, source, path)
        own = _sizes(self.backend, self.remote, wished.path)
        if not own or any(there.get(name) != size for name, size in own.items()):
            return None
        return below(self.backend.run(source).artifact_uri or "", path)


def _changed(wished: Mapping[str, str], known: Mapping[str, str], sent: Sent) -> dict[str, str]:
    """The tags to put: those that are not there, but for what somebody changed since."""
    return {k: v for k, v in wished.items() if known.get(k) != v and sent.tags.get(k) != v}


def _sizes(backend: Backend, remote: RemoteId, path: str) -> Mapping[str, int | None]:
    """The files below a path of a run's artifacts, and their sizes."""
    prefix = f"{path}/" if path else ""
    walked = backend.folder(remote).walk(path)
    return {entry.path.removeprefix(prefix): entry.size for entry in walked}


def _names(wished: WishedModel) -> Iterator[str]:
    """The name, then names near it for a model whose name another one has."""
    yield model_name(wished.name)
    mark = short_hash(wished.identity)
    count = 0
    while True:
        yield model_name(f"{wished.name[:200]}~{mark}{f'-{count}' if count else ''}")
        count += 1


def _model_record(model: NativeModel, wished: WishedModel) -> Tree:
    return {
        "what": "model",
        "identity": [],
        "model": model.name,
        "description": wished.description or None,
        "tags": dict(wished.tags),
    }


def _version_record(name: str, wished: WishedVersion, native: NativeVersion) -> Tree:
    tags = {k: v for k, v in native.tags.items() if not k.startswith(_OUR_TAGS)}
    return {
        "what": wished.what,
        "identity": list(wished.identity),
        "model": name,
        "version": native.version,
        "aliases": cast("list[Tree]", list(wished.shown_aliases)),
        "description": native.description or None,
        "stage": native.stage,
        "tags": cast("dict[str, Tree]", tags),
    }
