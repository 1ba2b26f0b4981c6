"""The model registry in any other SQL database, through the vendor's own store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from runferry.dialects.mlflow.registry import (
    PROMPT_TAG,
    NativeModel,
    NativeVersion,
    is_prompt,
    led_past,
)
from runferry.dialects.mlflow.tags import UID_TAG
from runferry.dialects.mlflow.vendor import in_our_words, open_registry, refused_as
from runferry.errors import RunMissing
from runferry.model import Uid
from runferry.redact import without_credentials

_PROMPT = f"tags.`{PROMPT_TAG}` = 'true'"


class VendorRegistry:
    """A registry that MLflow itself opens, at the first question."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._where = without_credentials(uri)
        self._ours = partial(in_our_words, self._where)
        self._opened: Any = None

    @property
    def _store(self) -> Any:
        if self._opened is None:
            self._opened = open_registry(self._uri)
        return self._opened

    def models(self) -> Iterator[NativeModel]:
        """See `Registry`."""
        for condition in (None, _PROMPT):
            search = self._store.search_registered_models
            for facts in self._pages(search, condition, 100):
                yield self._model(facts, condition or "")

    def _pages(self, search: Callable[..., Any], condition: str | None, most: int) -> Iterator[Any]:
        token = None
        while True:
            with self._ours():
                page = search(filter_string=condition, max_results=most, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def model(self, name: str) -> NativeModel | None:
        """See `Registry`."""
        try:
            with in_our_words(self._where):
                facts = self._store.get_registered_model(name)
        except RunMissing:  # as whatever is not there is called
            return None
        return self._model(facts, _PROMPT if is_prompt(facts.tags) else "")

    def _model(self, facts: Any, condition: str) -> NativeModel:
        mark = '"' if "'" in facts.name else "'"
        asked = " AND ".join(filter(None, (f"name = {mark}{facts.name}{mark}", condition)))
        found = self._pages(self._store.search_model_versions, asked, 1000)
        versions = map(_version, found)
        return NativeModel(
            name=facts.name,
            description=facts.description or None,
            created_ms=facts.creation_timestamp,
            updated_ms=facts.last_updated_timestamp,
            tags=dict(facts.tags),
            aliases={alias: int(version) for alias, version in facts.aliases.items()},
            versions=tuple(sorted(versions, key=lambda version: version.version)),
        )

    def create(self, model: NativeModel) -> None:
        """See `Registry`. The time is the store's."""
        from mlflow.entities.model_registry import RegisteredModelTag
        from mlflow.exceptions import MlflowException

        tags = [RegisteredModelTag(key, value) for key, value in model.tags.items()]
        try:
            self._store.create_registered_model(model.name, tags, model.description)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise refused_as(error, self._where) from error
            self.tag(model.name, model.tags)

    def describe(self, name: str, description: str) -> None:
        """See `Registry`."""
        with self._ours():
            self._store.update_registered_model(name, description)

    def tag(self, name: str, tags: Mapping[str, str], version: int | None = None) -> None:
        """See `Registry`."""
        from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag

        with self._ours():
            for key, value in tags.items():
                if version is None:
                    self._store.set_registered_model_tag(name, RegisteredModelTag(key, value))
                else:
                    tag = ModelVersionTag(key, value)
                    self._store.set_model_version_tag(name, version, tag)

    def untag(self, name: str, tags: Sequence[str], version: int | None = None) -> None:
        """See `Registry`."""
        with self._ours():
            for key in tags:
                if version is None:
                    self._store.delete_registered_model_tag(name, key)
                else:
                    self._store.delete_model_version_tag(name, version, key)

    def add(self, name: str, wished: NativeVersion) -> int:
        """See `Registry`. The store counts by itself, as a server does."""
        return led_past(name, wished, self._made, self.remove)

    def _made(self, name: str, wished: NativeVersion) -> int:
        from mlflow.entities.model_registry import ModelVersionTag

        tags = [ModelVersionTag(key, value) for key, value in wished.tags.items()]
        with self._ours():
            # the vendor resolves `models:/m-…` at the server that the environment names: not so
            made = self._store.create_model_version(
                name, wished.location or wished.source, wished.run_id, tags, wished.run_link
            )
        return int(made.version)

    def amend(self, name: str, version: NativeVersion) -> None:
        """See `Registry`."""
        with self._ours():
            number = version.version
            now = self._store.update_model_version(name, number, version.description or "")
            if now.current_stage != version.stage:
                self._store.transition_model_version_stage(name, number, version.stage, False)

    def remove(self, name: str, version: int) -> None:
        """See `Registry`."""
        with self._ours():
            self._store.delete_model_version(name, version)

    def alias(self, name: str, alias: str, version: int | None) -> None:
        """See `Registry`."""
        with self._ours():
            if version is None:
                self._store.delete_registered_model_alias(name, alias)
            else:
                self._store.set_registered_model_alias(name, alias, version)

    def of_run(self, uid: Uid) -> Iterator[tuple[str, NativeVersion]]:
        """See `Registry`."""
        for more in ("", f" AND {_PROMPT}"):
            condition = f"tags.`{UID_TAG}` = '{uid}'{more}"
            for facts in self._pages(self._store.search_model_versions, condition, 1000):
                yield facts.name, _version(facts)


def _version(facts: Any) -> NativeVersion:
    return NativeVersion(
        version=int(facts.version),
        source=facts.source or "",
        run_id=facts.run_id or None,
        run_link=facts.run_link or None,
        description=facts.description or None,
        stage=facts.current_stage or "None",
        user=facts.user_id or None,
        status=str(facts.status or "READY"),
        status_message=facts.status_message or None,
        created_ms=facts.creation_timestamp,
        updated_ms=facts.last_updated_timestamp,
        tags=dict(facts.tags),
    )
