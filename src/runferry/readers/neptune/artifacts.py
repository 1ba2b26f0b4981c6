"""What artifacts track: files that the client listed, or places that it is to look into."""

from __future__ import annotations

from runferry import chunks
from runferry.model import ArtifactEntry, Blob, Tree


def entry_of(one: dict[str, Tree]) -> ArtifactEntry:
    """A file as `ArtifactFileData.to_dto` spells it: where it lies, and the hash it had."""
    size, digest, path = one.get("size"), one.get("fileHash"), one.get("filePath")
    told = one.get("metadata")
    known = {
        str(pair.get("key")): pair.get("value")
        for pair in (told if isinstance(told, list) else [])
        if isinstance(pair, dict)
    }
    location = known.get("file_path") or known.get("location")
    kind = one.get("type")
    name = path if isinstance(path, str) else ""
    place = f"{kind}:{name}" if isinstance(kind, str) else name
    blob = Blob(size if isinstance(size, int) and not isinstance(size, bool) else None)
    reference = location if isinstance(location, str) else place
    return ArtifactEntry(name, blob, reference, digest if isinstance(digest, str) else None)


def tracked_artifact(name: str, told: Tree) -> chunks.Artifact:
    """Tracked places are references: the client hashes what lies there when it sends them."""
    found = told if isinstance(told, dict) else {}
    digest, tracked = found.get("hash"), found.get("entries")
    entries = []
    for one in tracked if isinstance(tracked, list) else []:
        if isinstance(one, list) and one and isinstance(one[0], str):
            target = one[1] if len(one) > 1 and isinstance(one[1], str) else None
            entries.append(ArtifactEntry(target or one[0].rpartition("/")[2], reference=one[0]))
    return chunks.Artifact(
        name,
        "artifact",
        "used",
        metadata={"tracked": tracked} if tracked is not None else None,
        digest=digest if isinstance(digest, str) else None,
        entries=tuple(entries),
    )
