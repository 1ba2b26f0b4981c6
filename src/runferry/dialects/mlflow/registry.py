"""The model registry: registered models and their versions as MLflow holds them, and as runs.

Facts from MLflow 3.17.2: `mlflow.utils.validation`, `mlflow.store.model_registry`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from runferry.chunks import Artifact
from runferry.dialects.mlflow.tags import TRACKER, UID_TAG, is_key, label_tag, short_hash, storable
from runferry.losses import Loss
from runferry.model import ArtifactEntry, Run, RunKey, Tree, Uid

SCOPE: Final = "registered-models"
"""Of the keys of registered models, with the time at which the model was made behind it: a name
means another model in another registry."""
VERSION_TAG: Final = "runferry.version"
"""What the source calls the version; with the mark of its run it says which version this is."""
MODEL_TAG: Final = "runferry.model"
"""Which model of its source a registered model is; one without it is somebody else's."""
SOURCE_TAG: Final = "runferry.source_run"
"""The mark of the run that a version was made of, where MLflow cannot be told it."""
PROMPT_TAG: Final = "mlflow.prompt.is_prompt"
PROMPT_SOURCE: Final = "prompt-template"
"""Where a prompt was made, which is nowhere: a server takes no other words for its versions."""
DELETED_STAGE: Final = "Deleted_Internal"
STAGES: Final = ("None", "Staging", "Production", "Archived")

MOST_SKIPPED: Final = 100
"""Numbers that are passed over, so that a version gets the one that it had."""
MAX_MODEL_NAME: Final = 256
MAX_DESCRIPTION: Final = 5_000
MAX_MODEL_TAG: Final = 5_000  # validation allows 100,000, the column does not
MAX_VERSION_TAG: Final = 100_000
MAX_ALIAS: Final = 255


@dataclass(frozen=True, slots=True)
class NativeVersion:
    """One version of a registered model. Times in ms; `stage` is one of `STAGES`."""

    version: int
    source: str = ""
    run_id: str | None = None
    run_link: str | None = None
    description: str | None = None
    stage: str = "None"
    user: str | None = None
    status: str = "READY"
    status_message: str | None = None
    created_ms: int | None = None
    updated_ms: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    location: str | None = None  # of its files, where that is not `source`

    @property
    def is_prompt(self) -> bool:
        """Whether it is a text in its tags, without files."""
        return is_prompt(self.tags)

    @property
    def model_id(self) -> str | None:
        """The logged model that it was made of."""
        found = re.fullmatch(r"models:/(m-[^/]+)", self.source)
        return found[1] if found else None

    @property
    def uid(self) -> Uid | None:
        """The mark of the run of ours that this version was pushed with."""
        mark = self.tags.get(UID_TAG)
        return None if mark is None else Uid(mark)


@dataclass(frozen=True, slots=True)
class NativeModel:
    """One registered model with its versions, the first one first; those deleted are not there."""

    name: str
    description: str | None = None
    created_ms: int | None = None
    updated_ms: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    versions: tuple[NativeVersion, ...] = ()
    losses: tuple[Loss, ...] = ()  # what of it could not be read

    def version(self, number: int) -> NativeVersion | None:
        """The version of this number."""
        return next((one for one in self.versions if one.version == number), None)

    def aliases_of(self, number: int) -> tuple[str, ...]:
        """What this version is called, in alphabetical order."""
        return tuple(sorted(name for name, version in self.aliases.items() if version == number))

    def strangers(self) -> tuple[NativeVersion, ...]:
        """The versions that no push of ours made: they belong to no run that is read elsewhere."""
        return tuple(one for one in self.versions if one.uid is None)

    @property
    def is_ours(self) -> bool:
        """Whether the runs that a push of ours made hold all of it."""
        return MODEL_TAG in self.tags and not self.strangers()


class RegisteredModels(Protocol):
    """What can be asked of a place that keeps registered models."""

    def models(self) -> Iterator[NativeModel]:
        """All, in the order of their names."""
        ...

    def model(self, name: str) -> NativeModel | None:
        """The model of this name."""
        ...


class Registry(RegisteredModels, Protocol):
    """One that registers models, too. What is made twice is there once."""

    def create(self, model: NativeModel) -> None:
        """A model of this name with its description, tags and, where it can, time."""
        ...

    def describe(self, name: str, description: str) -> None:
        """Say what the model is."""
        ...

    def tag(self, name: str, tags: Mapping[str, str], version: int | None = None) -> None:
        """Put tags at the model or one of its versions."""
        ...

    def untag(self, name: str, tags: Sequence[str], version: int | None = None) -> None:
        """Take tags away; fine when they are not there."""
        ...

    def add(self, name: str, wished: NativeVersion) -> int:
        """A new version with its tags; of the wished number where the place takes numbers and this
        one is free, else of the next one. Its number.

        Stage, description and aliases are put by `amend` and `alias`.
        """
        ...

    def amend(self, name: str, version: NativeVersion) -> None:
        """Description and stage of a version."""
        ...

    def remove(self, name: str, version: int) -> None:
        """Take a version away; its number is not given again."""
        ...

    def alias(self, name: str, alias: str, version: int | None) -> None:
        """Call a version so and no other one, or none of them."""
        ...

    def of_run(self, uid: Uid) -> Iterator[tuple[str, NativeVersion]]:
        """The versions that carry this mark, and their models' names."""
        ...


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether a model or a version with these tags is a prompt."""
    return tags.get(PROMPT_TAG, "").lower() == "true"


def led_past(
    name: str,
    wished: NativeVersion,
    make: Callable[[str, NativeVersion], int],
    remove: Callable[[str, int], None],
) -> int:
    """Add a version where the place counts by itself; its number.

    Numbers below the wished one are used up, up to `MOST_SKIPPED` of them, by versions that are
    removed at once: their numbers stay taken. They carry our mark, so that whoever is stopped in
    between finds the one that is left and takes it away.
    """
    number = make(name, wished)
    if not 0 < wished.version - number <= MOST_SKIPPED:
        return number
    mark = {tag: text for tag, text in wished.tags.items() if tag in (UID_TAG, PROMPT_TAG)}
    while number < wished.version:
        remove(name, number)
        is_last = number + 1 == wished.version
        number = make(name, wished if is_last else replace(wished, tags=mark))
    return number


# --- names ----------------------------------------------------------------------------------------


def model_name(name: str) -> str:
    """A name that MLflow takes for a model: itself, or an injective rewriting."""
    plain = storable(name)
    is_taken = (
        plain == name
        and len(name) <= MAX_MODEL_NAME
        and name.strip() == name != ""
        and not re.search(r"[/:\\]", name)
        and not name.startswith("..")
        and name != "."
    )
    if is_taken:
        return name
    readable = re.sub(r"[/:\\]", "-", plain).strip().lstrip(".")[: MAX_MODEL_NAME - 17]
    return f"{readable}~{short_hash(name)}"


def is_alias(alias: str) -> bool:
    """Whether MLflow takes this alias: `latest` and `v3` mean versions there by themselves."""
    return (
        re.fullmatch(rf"[\w\-]{{1,{MAX_ALIAS}}}", alias) is not None
        and alias.lower() != "latest"
        and re.fullmatch(r"[vV]\d+", alias) is None
    )


def model_tags(labels: Mapping[str, str], most: int = MAX_MODEL_TAG) -> dict[str, str]:
    """Labels as tags of a model or a version."""
    return {
        name if name.startswith("mlflow.") and is_key(name) else label_tag(name): storable(text)[
            :most
        ]
        for name, text in labels.items()
    }


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags without those that a push of ours put there."""
    return {name: text for name, text in tags.items() if not name.startswith("runferry.")}


# --- as runs --------------------------------------------------------------------------------------


def is_model_key(key: RunKey) -> bool:
    """Whether this is the key of a registered model of MLflow."""
    return key.tracker == TRACKER and key.scope.startswith(f"{SCOPE}/")


def as_run(model: NativeModel) -> Run:
    """A registered model is a run of the kind `model`; its versions are what it produced."""
    created = None if model.created_ms is None else model.created_ms * 1_000_000
    return Run(
        key=RunKey(TRACKER, f"{SCOPE}/{model.created_ms}", model.name),
        name=model.name,
        kind="model",
        labels=own_tags(model.tags),
        notes=model.description or None,
        created_ns=created,
        started_ns=created,
        state="finished",
        complete=True,
    )


def as_artifact(
    model: NativeModel, version: NativeVersion, entries: tuple[ArtifactEntry, ...]
) -> Artifact:
    """A version of a registered model; where it came from stands in its metadata."""
    facts: dict[str, Tree] = {
        "stage": version.stage,
        "source": version.source,
        "run_id": version.run_id or None,
        "run_link": version.run_link or None,
        "status": version.status,
        "status_message": version.status_message or None,
        "user": version.user or None,
        "created_ms": version.created_ms,
        "updated_ms": version.updated_ms,
        "tags": dict(own_tags(version.tags)),
    }
    return Artifact(
        name=model.name,
        type="model",
        relation="produced",
        version=str(version.version),
        aliases=model.aliases_of(version.version),
        description=version.description or None,
        metadata=facts,
        entries=entries,
    )
