"""Traces of a database that MLflow itself opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runferry.chunks import File, Lost
from runferry.dialects.mlflow.located import folder_at
from runferry.dialects.mlflow.traces import Trace, spans_in

if TYPE_CHECKING:
    from mlflow.store.tracking.abstract_store import AbstractStore

_PAGE = 500


class VendorTraces:
    """One store. Traces of another experiment that are linked to a run are not found."""

    def __init__(self, store: AbstractStore) -> None:
        self._store = store

    def of_run(self, experiment: str, run_id: str) -> Iterator[Trace]:
        """Those that were recorded in a run, or linked to it, by when they began."""
        token = None
        while True:
            page, token = self._store.search_traces(
                [experiment], f"run_id = '{run_id}'", _PAGE, ["timestamp_ms ASC"], token
            )
            for info in page:
                yield Trace(info.to_dict())
            if not token:
                return

    def chunks(self, experiment: str, run_id: str) -> Iterator[File | Lost]:
        """The same as files."""
        for trace in self.of_run(experiment, run_id):
            yield from trace.chunks(self._spans(trace))

    def _spans(self, trace: Trace) -> bytes | None:
        """The rows of the database, or the file in the trace's own folder."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._store.get_trace(trace.trace_id, allow_partial=True)
        except MlflowException:  # "spans are not in the tracking store" has no code of its own
            found = None
        if found is not None:
            return json.dumps({"spans": [span.to_dict() for span in found.data.spans]}).encode()
        return spans_in(folder_at(trace.place)) if trace.place else None
