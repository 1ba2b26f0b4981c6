"""What a version of an artifact consists of, and who brought the bytes first."""

from __future__ import annotations

import json
from typing import Any

from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.store import Record, Store


def manifest_of(store: Store, number: int) -> Record | None:
    """The manifest of a version that was written last."""
    return store.row("SELECT * FROM manifests WHERE artifact = ? ORDER BY id DESC LIMIT 1", number)


def contents(store: Store, number: int) -> dict[str, dict[str, Any]]:
    """PATH → {digest, size, ref, birthArtifactID, …} of a version. Raises Missing."""
    manifest = manifest_of(store, number)
    path = store.blob_path(manifest["blob"]) if manifest else None
    if path is None or not path.is_file():
        raise Missing(f"artifact {number} has no manifest")
    found: dict[str, dict[str, Any]] = json.loads(path.read_bytes())["contents"]
    return found


def known_bytes(store: Store, digest: str) -> Record | None:
    """The file that brought these bytes, if any did."""
    for file in store.rows("SELECT * FROM artifact_files WHERE digest = ? ORDER BY id", digest):
        if store.blob_path(file["blob"]).is_file():
            return file
    return None
