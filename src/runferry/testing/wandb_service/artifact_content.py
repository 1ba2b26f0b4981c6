"""Artifacts that are put into the service without uploads."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from runferry.testing.wandb_service import artifacts, times
from runferry.testing.wandb_service.ids import global_id
from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.run_content import RunsContent, three_parts


class ArtifactsContent(RunsContent):
    """What a test puts into the service directly: runs and artifacts."""

    def put_artifact(
        self,
        path: str,
        kind: str,
        files: Mapping[str, bytes],
        *,
        references: Mapping[str, str] | None = None,
        logged_by: str | None = None,
        used_by: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        description: str | None = None,
        aliases: Iterable[str] = (),
        tags: Iterable[str] = (),
        created_at: str | None = None,
    ) -> str:
        """A new version of `ENTITY/PROJECT/NAME`; its path with its number, `…/NAME:v0`.

        `references` are entries whose bytes lie elsewhere, path → URL. Runs are named by paths.
        """
        entity, project, name = three_parts(path)
        with self.store.together():
            number = self.put_project(f"{entity}/{project}")
            sequence = artifacts.ensure_collection(
                self.store, number, name, kind, "ArtifactSequence"
            )
            entries = {key: _entry(content) for key, content in files.items()}
            manifest = _manifest(entries, references or {})
            draft = artifacts.Draft(
                digest=_md5(json.dumps(manifest, sort_keys=True).encode()).hex(),
                description=description,
                metadata=None if metadata is None else json.dumps(metadata),
                aliases=tuple(aliases),
                tags=tuple(tags),
                run=None if logged_by is None else int(self.run(logged_by)["id"]),
                created_at=created_at or times.now(),
            )
            made = artifacts.create(self.store, sequence, draft, is_deduplicated=False)
            self._put_bytes(int(made["id"]), files, entries, manifest)
            committed = artifacts.commit(self.store, int(made["id"]))
            for run in used_by:
                self.use_artifact(f"{path}:v{committed['version_index']}", run)
        return f"{path}:v{committed['version_index']}"

    def _put_bytes(
        self,
        number: int,
        files: Mapping[str, bytes],
        entries: Mapping[str, dict[str, Any]],
        manifest: dict[str, Any],
    ) -> None:
        for name, content in files.items():
            entries[name]["birthArtifactID"] = global_id("Artifact", number)
            self.store.insert(
                "artifact_files",
                artifact=number,
                name=name,
                digest=entries[name]["digest"],
                blob=self.store.put_blob(content),
            )
        self.store.insert(
            "manifests",
            artifact=number,
            name="wandb_manifest.json",
            digest="",
            type="FULL",
            blob=self.store.put_blob(json.dumps(manifest).encode()),
        )

    def use_artifact(self, path: str, run: str) -> None:
        """Make a version, `ENTITY/PROJECT/NAME:ALIAS`, an input of a run."""
        self.store.execute(
            "INSERT OR IGNORE INTO used_artifacts VALUES (?, ?, NULL)",
            self.run(run)["id"],
            self._version(path),
        )

    def link_artifact(self, path: str, target: str, aliases: Iterable[str] = ()) -> None:
        """Link a version into the portfolio `ENTITY/PROJECT/NAME`, as a registry does."""
        number = self._version(path)
        entity, project, name = three_parts(target)
        with self.store.together():
            portfolio = artifacts.ensure_collection(
                self.store,
                self.put_project(f"{entity}/{project}"),
                name,
                self.type_of(number),
                "ArtifactPortfolio",
            )
            artifacts.link(self.store, number, portfolio, aliases)

    def type_of(self, number: int) -> str:
        """The name of the type of a version."""
        return str(
            self.store.value(
                "SELECT artifact_types.name FROM artifacts"
                " JOIN collections ON collections.id = sequence"
                " JOIN artifact_types ON artifact_types.id = artifact_type WHERE artifacts.id = ?",
                number,
            )
        )

    def _version(self, path: str) -> int:
        entity, project, name = three_parts(path)
        row = self.project(entity, project)
        found = artifacts.membership_by_name(self.store, row["id"], name) if row else None
        if found is None:
            raise Missing(f"artifact {path!r} not found")
        return int(found["artifact"])


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _entry(content: bytes) -> dict[str, Any]:
    return {"digest": base64.b64encode(_md5(content)).decode(), "size": len(content)}


def _manifest(entries: Mapping[str, Any], references: Mapping[str, str]) -> dict[str, Any]:
    elsewhere = {name: {"digest": url, "ref": url} for name, url in references.items()}
    return {
        "version": 1,
        "storagePolicy": "wandb-storage-policy-v1",
        "storagePolicyConfig": {"storageLayout": "V2"},
        "contents": {**entries, **elsewhere},
    }
