"""What is few per run, on two sides, and where it differs: header, attributes, files, artifacts."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runferry import chunks
from runferry.chunks import Chunk
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Role, Run, Series, Tree, same_value
from runferry.transfer.artifact_facts import (
    Artifacts,
    Stated,
    artifact_differences,
    identity_place,
    invented,
)
from runferry.transfer.compare_tables import blob_hash
from runferry.transfer.foretell import HEADER_TIMES, spelled_length
from runferry.transfer.plan import RunPlan, attribute_place

_NOT_COMPARED = ("key", "origin_uid", "tags", "forked_from", "parent")
_SERIES_FACTS = ("x_axis", "goal", "summary_rule", "hidden")


@dataclass
class Facts:
    """One side of a run, apart from its rows; holds nothing that grows with what was logged."""

    run: Run
    attributes: dict[tuple[Role, KeyPath], Attribute] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    files: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # role, hash
    artifacts: dict[Stated, chunks.Artifact] = field(default_factory=dict)
    entries: dict[Stated, dict[str, Stated]] = field(default_factory=dict)
    documents: dict[tuple[str, str], Tree] = field(default_factory=dict)
    twice: Counter[tuple[str, str]] = field(default_factory=Counter)  # kind, place

    def add(self, chunk: Chunk) -> None:
        """Take in a chunk; rows are not kept."""
        match chunk:
            case chunks.Header(run):
                self.run = run
            case chunks.Attributes(items, is_whole):
                if is_whole:
                    self.attributes.clear()
                self.attributes.update({(item.role, item.path): item for item in items})
            case chunks.File(path, role, blob):
                self.twice["file", path] += path in self.files
                self.files[path] = (role, blob_hash(blob))
            case chunks.Artifact():
                self._add_artifact(chunk)
            case chunks.Document(kind, name, body):
                self.twice["document", f"{kind}/{name}"] += (kind, name) in self.documents
                self.documents[kind, name] = body
            case _:
                pass  # rows are compared elsewhere, series are numbered there first

    def _add_artifact(self, artifact: chunks.Artifact) -> None:
        identity = (
            artifact.name,
            artifact.type,
            artifact.relation,
            artifact.version,
            artifact.artifact_id,
        )
        self.twice["artifact", identity_place(identity)] += identity in self.artifacts
        self.artifacts[identity] = dataclasses.replace(artifact, entries=())
        self.entries[identity] = {
            entry.path: (entry.reference, entry.digest, blob_hash(entry.blob))
            for entry in artifact.entries
        }


def fact_differences(
    original: Facts, copy: Facts, plan: RunPlan, ids: Mapping[str, str]
) -> Iterator[Loss]:
    """Every fact that is not the same; `ids` gives the original's run id for a copy's."""
    yield from _header(original.run, copy.run, ids)
    yield from _attributes(original, copy, plan)
    yield from _series(original, copy, plan)
    yield from _files(original, copy)
    yield from artifact_differences(
        Artifacts(original.artifacts, original.entries), Artifacts(copy.artifacts, copy.entries)
    )
    for place, body in original.documents.items():
        if place not in copy.documents:
            yield Loss("document", Fate.DROPPED, "/".join(place))
        elif not same_value(body, copy.documents[place]):
            yield Loss("document", Fate.ROUNDED, "/".join(place))
    yield from invented("/".join(p) for p in copy.documents.keys() - original.documents.keys())
    for (kind, name), times in (copy.twice - original.twice).items():
        yield Loss("invented", Fate.DROPPED, name, times, f"this {kind} is there more than once")
    for (kind, name), times in (original.twice - copy.twice).items():
        yield Loss(kind, Fate.DROPPED, name, times, "it is there less often")


def _header(original: Run, copy: Run, ids: Mapping[str, str]) -> Iterator[Loss]:
    if not {copy.uid, copy.origin_uid} & {original.uid, original.origin_uid or original.uid}:
        yield Loss("run-id", Fate.RENAMED, "", 1, f"it is {copy.key} there")
    for spec in dataclasses.fields(Run):
        name = spec.name
        if name in _NOT_COMPARED or getattr(original, name) == getattr(copy, name):
            continue
        if name in HEADER_TIMES:
            yield Loss("header-times", Fate.ROUNDED, name)
        else:
            yield Loss("header-field", Fate.ROUNDED, name)
    if set(original.tags) != set(copy.tags):
        yield Loss("header-field", Fate.ROUNDED, "tags")
    parent = copy.parent if copy.parent is None else ids.get(copy.parent, copy.parent)
    if parent != original.parent:
        yield Loss("header-field", Fate.ROUNDED, "parent")
    fork = copy.forked_from
    if fork is not None:
        fork = dataclasses.replace(fork, run_id=ids.get(fork.run_id, fork.run_id))
    if fork != original.forked_from:
        yield Loss("lineage", Fate.ROUNDED, "forked_from")


def _attributes(original: Facts, copy: Facts, plan: RunPlan) -> Iterator[Loss]:
    for (role, path), attribute in original.attributes.items():
        place = attribute_place(role, path)
        found = copy.attributes.get((role, path))
        is_long = (
            plan.limits.long_attribute >= Fate.ROUNDED
            and spelled_length(attribute) > plan.limits.max_attribute_length
        )
        if found is None:
            was_cut = is_long and plan.holds(role)
            yield Loss("long-attribute" if was_cut else role, Fate.DROPPED, place)
        elif not same_value(attribute.value, found.value):
            other = "attribute-type" if _is_retyped(attribute.value, found.value) else "attribute"
            yield Loss("long-attribute" if is_long else other, Fate.ROUNDED, place)
    yield from invented(
        attribute_place(*place) for place in copy.attributes.keys() - original.attributes.keys()
    )


def _is_retyped(value: Tree, found: Tree) -> bool:
    """Whether two values that differ are of two types, also deep in lists and mappings."""
    if isinstance(value, list) and isinstance(found, list) and len(value) == len(found):
        pairs = list(zip(value, found, strict=True))
    elif isinstance(value, dict) and isinstance(found, dict) and value.keys() == found.keys():
        pairs = [(item, found[name]) for name, item in value.items()]
    else:
        return type(value) is not type(found)
    return all(_is_retyped(*pair) for pair in pairs if not same_value(*pair))


def _series(original: Facts, copy: Facts, plan: RunPlan) -> Iterator[Loss]:
    """Both sides are keyed by the original's keys; what the copy calls them is in `Series.key`."""
    for key, series in original.series.items():
        found = copy.series.get(key)
        if found is None:
            if series.kind == "media" or plan.holds(series.kind):
                yield Loss("series-facts", Fate.ROUNDED, key, 1, "the series is not there")
            continue
        if found.key != key:
            yield Loss("renamed-key", Fate.RENAMED, key, 1, f"it is {found.key} there")
        if found.path != series.path:
            yield Loss("key-path", Fate.ROUNDED, key)
        if found.stream != series.stream:
            yield Loss("stream", Fate.ROUNDED, key)
        if found.kind != series.kind:
            yield Loss("series-kind", Fate.ROUNDED, key)
        if any(getattr(found, name) != getattr(series, name) for name in _SERIES_FACTS):
            yield Loss("series-facts", Fate.ROUNDED, key)
    yield from invented(iter(copy.series.keys() - original.series.keys()))


def _files(original: Facts, copy: Facts) -> Iterator[Loss]:
    for path, (role, sha256) in original.files.items():
        if path not in copy.files:
            yield Loss("file" if sha256 else "missing-blob", Fate.DROPPED, path)
            continue
        found_role, found_sha256 = copy.files[path]
        if found_sha256 != sha256:
            yield Loss("file", Fate.DROPPED, path, 1, "its bytes are others there")
        elif found_role != role:
            yield Loss("file-role", Fate.ROUNDED, path)
    yield from invented(iter(copy.files.keys() - original.files.keys()))
