"""The model registry of a tracking server, through its REST interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from runferry.dialects.mlflow.registry import (
    PROMPT_TAG,
    NativeModel,
    NativeVersion,
    is_prompt,
    led_past,
)
from runferry.dialects.mlflow.server import Server
from runferry.dialects.mlflow.tags import UID_TAG
from runferry.errors import Declined, RunMissing
from runferry.model import Uid

_PROMPT: Final = f"tags.`{PROMPT_TAG}` = 'true'"
_MODELS, _VERSIONS = "/registered-models", "/model-versions"


class ServedRegistry:
    """One tracking server. A search without the word `prompt` leaves prompts out, so two are made.

    A server without a registry (404 for all of it) has no models.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def models(self) -> Iterator[NativeModel]:
        """See `Registry`. One search for the models, one each for their versions."""
        for condition in ("", _PROMPT):
            params: dict[str, str | int] = {"max_results": 100}
            if condition:
                params["filter"] = condition
            found = self._server.listed(f"{_MODELS}/search", params, "registered_models")
            for facts in _where_there_is_one(found):
                yield self._model(facts, condition)

    def model(self, name: str) -> NativeModel | None:
        """See `Registry`."""
        try:
            answer = self._server.get(f"{_MODELS}/get", {"name": name})
        except RunMissing:
            return None
        facts = answer["registered_model"]
        return self._model(facts, _PROMPT if is_prompt(_pairs(facts.get("tags", []))) else "")

    def _model(self, facts: dict[str, Any], condition: str) -> NativeModel:
        name = str(facts["name"])
        mark = '"' if "'" in name else "'"
        asked = " AND ".join(filter(None, (f"name = {mark}{name}{mark}", condition)))
        versions = map(_version, self._searched(asked))
        return NativeModel(
            name=name,
            description=facts.get("description") or None,
            created_ms=_integer(facts.get("creation_timestamp")),
            updated_ms=_integer(facts.get("last_updated_timestamp")),
            tags=_pairs(facts.get("tags", [])),
            aliases={one["alias"]: int(one["version"]) for one in facts.get("aliases", [])},
            versions=tuple(sorted(versions, key=lambda version: version.version)),
        )

    def _searched(self, condition: str) -> Iterator[dict[str, Any]]:
        params: dict[str, str | int] = {"filter": condition, "max_results": 1000}
        return self._server.listed(f"{_VERSIONS}/search", params, "model_versions")

    def create(self, model: NativeModel) -> None:
        """See `Registry`. The time is the server's."""
        body: dict[str, object] = {"name": model.name, "tags": _listed(model.tags)}
        if model.description is not None:
            body["description"] = model.description
        try:
            self._server.post(f"{_MODELS}/create", body)
        except Declined as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
            self.tag(model.name, model.tags)  # another worker, or another push, made it

    def describe(self, name: str, description: str) -> None:
        """See `Registry`."""
        self._server.send("PATCH", f"{_MODELS}/update", {"name": name, "description": description})

    def tag(self, name: str, tags: Mapping[str, str], version: int | None = None) -> None:
        """See `Registry`."""
        for key, value in tags.items():
            self._server.post(*_about(name, version, "set-tag", {"key": key, "value": value}))

    def untag(self, name: str, tags: Sequence[str], version: int | None = None) -> None:
        """See `Registry`."""
        for key in tags:
            self._server.send("DELETE", *_about(name, version, "delete-tag", {"key": key}))

    def add(self, name: str, wished: NativeVersion) -> int:
        """See `Registry`. The server counts by itself."""
        return led_past(name, wished, self._made, self.remove)

    def _made(self, name: str, wished: NativeVersion) -> int:
        body: dict[str, object] = {
            "name": name,
            "source": wished.source,
            "tags": _listed(wished.tags),
        }
        body |= {} if wished.run_id is None else {"run_id": wished.run_id}
        body |= {} if wished.run_link is None else {"run_link": wished.run_link}
        body |= {} if wished.model_id is None else {"model_id": wished.model_id}
        answer = self._server.post(f"{_VERSIONS}/create", body, idempotent=False)
        return int(answer["model_version"]["version"])

    def amend(self, name: str, version: NativeVersion) -> None:
        """See `Registry`."""
        place = {"name": name, "version": str(version.version)}
        said = place | {"description": version.description or ""}
        answer = self._server.send("PATCH", f"{_VERSIONS}/update", said)
        if answer.get("model_version", {}).get("current_stage", "None") != version.stage:
            moved = place | {"stage": version.stage, "archive_existing_versions": False}
            self._server.post(f"{_VERSIONS}/transition-stage", moved)

    def remove(self, name: str, version: int) -> None:
        """See `Registry`."""
        with suppress(RunMissing):
            place = {"name": name, "version": str(version)}
            self._server.send("DELETE", f"{_VERSIONS}/delete", place)

    def alias(self, name: str, alias: str, version: int | None) -> None:
        """See `Registry`."""
        called: dict[str, object] = {"name": name, "alias": alias}
        if version is None:
            self._server.send("DELETE", f"{_MODELS}/alias", called)
        else:
            self._server.post(f"{_MODELS}/alias", called | {"version": str(version)})

    def of_run(self, uid: Uid) -> Iterator[tuple[str, NativeVersion]]:
        """See `Registry`."""
        for more in ("", f" AND {_PROMPT}"):
            found = self._searched(f"tags.`{UID_TAG}` = '{uid}'{more}")
            for facts in _where_there_is_one(found):
                yield str(facts["name"]), _version(facts)


def _about(
    name: str, version: int | None, verb: str, more: dict[str, object]
) -> tuple[str, dict[str, object]]:
    """The path and body of a request about a model, or one of its versions."""
    if version is None:
        return f"{_MODELS}/{verb}", {"name": name, **more}
    return f"{_VERSIONS}/{verb}", {"name": name, "version": str(version), **more}


def _where_there_is_one(found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A search; nothing at a server without a registry, where already its first page is missing.

    What is missing later is an error: a listing that broke off would look like a whole one.
    """
    try:
        first = next(found, None)
    except RunMissing:
        return
    if first is not None:
        yield first
        yield from found


def _version(facts: dict[str, Any]) -> NativeVersion:
    return NativeVersion(
        version=int(facts["version"]),
        source=str(facts.get("source") or ""),
        run_id=facts.get("run_id") or None,
        run_link=facts.get("run_link") or None,
        description=facts.get("description") or None,
        stage=str(facts.get("current_stage") or "None"),
        user=facts.get("user_id") or None,
        status=str(facts.get("status") or "READY"),
        status_message=facts.get("status_message") or None,
        created_ms=_integer(facts.get("creation_timestamp")),
        updated_ms=_integer(facts.get("last_updated_timestamp")),
        tags=_pairs(facts.get("tags", [])),
    )


def _pairs(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in tags}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _integer(value: object) -> int | None:
    return None if value is None else int(str(value))
