"""The registry of MLflow's file store: `models/` of the store.

Layout: `mlflow/store/model_registry/file_store.py`, 3.17.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from runferry.dialects.mlflow.registry import DELETED_STAGE, NativeModel, NativeVersion
from runferry.losses import Fate, Loss
from runferry.readers.mlflow.file_folders import (
    META,
    folders_in,
    integer_of,
    meta_of,
    small_files,
    text_of,
)

_MODELS: Final = "models"
_VERSION: Final = "version-"


class FileRegistry:
    """Registered models; where each of them is, is looked for once."""

    def __init__(self, root: Path) -> None:
        self._home = root / _MODELS
        self._places: dict[str, Path] | None = None  # name → folder

    def models(self) -> Iterator[NativeModel]:
        """In the order of their folders."""
        places: dict[str, Path] = {}
        for folder in folders_in(self._home):
            model = _registered(folder)
            if model is not None:
                places.setdefault(model.name, folder)
                yield model
        self._places = places

    def model(self, name: str) -> NativeModel | None:
        """The model of this name."""
        if self._places is None:
            self._places = {}
            for home in folders_in(self._home):
                self._places.setdefault(str(meta_of(home).get("name") or home.name), home)
        folder = self._places.get(name)
        return None if folder is None else _registered(folder)


def _registered(folder: Path) -> NativeModel | None:
    """A registered model, with the losses of reading it; None where the folder is none."""
    meta, losses = meta_of(folder), list[Loss]()
    if "name" not in meta:
        if not (folder / META).is_file():
            return None
        losses.append(Loss("damaged-header", Fate.DROPPED, f"{folder.name}/{META}"))
    homes = [home for home in folders_in(folder) if home.name.startswith(_VERSION)]
    versions = [_version(home, losses) for home in homes]
    found = sorted((one for one in versions if one is not None), key=lambda one: one.version)
    aliases = _aliases(folder, {one.version for one in found}, losses)
    return NativeModel(
        name=str(meta.get("name") or folder.name),
        description=text_of(meta.get("description")),
        created_ms=integer_of(meta.get("creation_timestamp")),
        updated_ms=integer_of(meta.get("last_updated_timestamp")),
        tags=dict(small_files(folder / "tags", losses)),
        aliases=aliases,
        versions=tuple(found),
        losses=tuple(losses),
    )


def _aliases(folder: Path, numbers: Collection[int], losses: list[Loss]) -> dict[str, int]:
    """Version by alias; one that points at none of these is a loss."""
    aliases = dict[str, int]()
    for name, number in small_files(folder / "aliases", losses):
        if number.isdecimal() and int(number) in numbers:
            aliases[name] = int(number)
        else:
            where = f"{folder.name}/aliases/{name}"
            losses.append(Loss("damaged-alias", Fate.DROPPED, where, 1, "its version is not read"))
    return aliases


def _version(folder: Path, losses: list[Loss]) -> NativeVersion | None:
    """A version; None where it was deleted, and with a loss where its header is damaged."""
    meta = meta_of(folder)
    number = str(meta.get("version"))
    if meta.get("current_stage") == DELETED_STAGE:
        return None
    if not number.isdecimal():
        where = f"{folder.parent.name}/{folder.name}/{META}"
        losses.append(Loss("damaged-header", Fate.DROPPED, where, 1, "the version is left out"))
        return None
    return NativeVersion(
        version=int(number),
        source=str(meta.get("source") or ""),
        run_id=text_of(meta.get("run_id")),
        run_link=text_of(meta.get("run_link")),
        description=text_of(meta.get("description")),
        stage=str(meta.get("current_stage") or "None"),
        user=text_of(meta.get("user_id")),
        status=str(meta.get("status") or "READY"),
        status_message=text_of(meta.get("status_message")),
        created_ms=integer_of(meta.get("creation_timestamp")),
        updated_ms=integer_of(meta.get("last_updated_timestamp")),
        tags=dict(small_files(folder / "tags", losses)),
        location=text_of(meta.get("storage_location")),
    )
