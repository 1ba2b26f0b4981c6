"""Traces that were recorded in a run, as files of it that MLflow's `Trace.from_json` reads.

Facts from MLflow 3.17.2: `mlflow.entities.trace`, `mlflow.entities.trace_info`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runferry.chunks import File, Lost
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.losses import Fate, Loss
from runferry.model import Blob, Tree

FOLDER: Final = "traces"
"""Below which they are files of the run."""
SPANS_FILE: Final = "traces.json"
"""In a trace's own folder, where its spans are not rows of the database."""
PLACE_TAG: Final = "mlflow.artifactLocation"
"""The tag of a trace that says where that folder is."""
RUN_KEY: Final = "mlflow.sourceRun"
"""The metadata of a trace that names its run."""

_ATTACHED: Final = b"mlflow-attachment://"


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a trace, as MLflow's `TraceInfo.to_dict` spells it."""

    info: dict[str, Tree]

    @property
    def trace_id(self) -> str:
        """`tr-…`; the file store of MLflow 2 calls it the request's."""
        return str(self.info.get("trace_id") or self.info["request_id"])

    @property
    def place(self) -> str:
        """The URI of its own folder; empty where it has none."""
        tags = self.info.get("tags")
        return str(tags.get(PLACE_TAG, "")) if isinstance(tags, dict) else ""

    def chunks(self, spans: bytes | None) -> Iterator[File | Lost]:
        """The file, of `{"spans": […]}`; without that it says the rest, and a loss tells it."""
        if spans is None or not _is_object(spans):
            detail = "its spans cannot be read: the file has what else is known of it"
            yield Lost(Loss("trace-without-spans", Fate.DROPPED, self.trace_id, 1, detail))
            spans = b'{"spans": []}'
        if attached := spans.count(_ATTACHED):
            detail = "attachments of a trace are named in it, and not carried"
            yield Lost(Loss("trace-attachment", Fate.DROPPED, self.trace_id, attached, detail))
        info = json.dumps(self.info, default=str).encode()
        content = b'{"info": ' + info + b', "data": ' + spans + b"}"
        path = f"{FOLDER}/{self.trace_id}.json"
        yield File(path, "other", Blob.from_bytes(content, "application/json"))


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def spans_in(folder: ArtifactFolder) -> bytes | None:
    """The spans that lie in a trace's own folder; None where there are none to be read."""
    for entry in folder.walk():
        if entry.path == SPANS_FILE:
            opened = folder.blob(entry).open
            if opened is None:
                return None
            with opened() as file:
                return file.read()
    return None
