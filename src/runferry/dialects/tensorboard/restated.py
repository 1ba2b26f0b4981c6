"""What each sending of a run states as a whole, so that a later statement replaces an earlier."""

from __future__ import annotations

from runferry.chunks import Artifact, Attributes, Chunk, Document, File, Lost, SeriesFacts
from runferry.tables import dumps


def called(chunk: Chunk) -> str | None:
    """What a later statement shares with the one that it replaces; None for what is only added.

    Attributes and series come all together in one chunk.
    """
    match chunk:
        case File(path):
            return dumps(["file", path])
        case Artifact():
            version, known_by = chunk.version, chunk.artifact_id
            return dumps(["artifact", chunk.name, chunk.type, chunk.relation, version, known_by])
        case Document(kind, name):
            return dumps(["document", kind, name])
        case Lost(loss):
            return dumps(["lost", loss.code, loss.fate.label, loss.where])
        case Attributes():
            return dumps(["attributes"])
        case SeriesFacts():
            return dumps(["series"])
    return None
