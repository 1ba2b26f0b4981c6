"""Files that an artifact tracks, as `ArtifactFileData.to_dto` of the client spells them."""

from __future__ import annotations

from runferry.model import ArtifactEntry, Blob, Tree


def entry_of(one: dict[str, Tree]) -> ArtifactEntry:
    """A tracked file: where it lies, and the hash that the client saw."""
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
