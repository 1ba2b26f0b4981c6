"""Traces of a tracking server, through its REST interface."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from runferry.chunks import File, Lost
from runferry.dialects.mlflow.server import API_OF_TRACES, Server
from runferry.dialects.mlflow.traces import Trace
from runferry.errors import Declined, RunMissing

_SPANS: Final = "/ajax-api/2.0/mlflow/get-trace-artifact"
_PAGE: Final = 500


class ServedTraces:
    """One question an experiment tells whether it has any; then each of its runs is asked for.

    A server before MLflow 3 has another interface for them, and is taken to have none. Traces of
    another experiment that are linked to a run are not found.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._has_any: dict[str, bool] = {}
        self._asked: tuple[str, Sequence[Trace]] = ("", ())

    def of_run(self, experiment: str, run_id: str) -> Sequence[Trace]:
        """Those that were recorded in a run, or linked to it, by when they began; now."""
        if experiment not in self._has_any:
            self._has_any[experiment] = bool(self._page(experiment, {"max_results": 1})[0])
        if not self._has_any[experiment]:
            return ()
        found, token = [], ""
        condition = {
            "filter": f"run_id = '{run_id}'",
            "max_results": _PAGE,
            "order_by": ["timestamp_ms ASC"],
        }
        while True:
            more, token = self._page(experiment, condition | {"page_token": token})
            found += more
            if not token:
                break
        self._asked = (run_id, found)
        return found

    def chunks(self, experiment: str, run_id: str) -> Iterator[File | Lost]:
        """The same as files; what was found a moment ago is not searched again."""
        held = self._asked[1] if self._asked[0] == run_id else self.of_run(experiment, run_id)
        for trace in held:
            yield from trace.chunks(self._spans(trace.trace_id))

    def _page(self, experiment: str, more: dict[str, Any]) -> tuple[list[Trace], str]:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        body = {name: value for name, value in more.items() if value}
        try:
            answer = self._server.post("/search", {"locations": [place], **body}, api=API_OF_TRACES)
        except RunMissing:
            return [], ""
        return list(map(_trace, answer.get("traces", []))), answer.get("next_page_token", "")

    def _spans(self, trace_id: str) -> bytes | None:
        """None where the server says that it has none."""
        try:
            with closing(self._server.opened(_SPANS, {"request_id": trace_id})) as file:
                return file.read()
        except (RunMissing, Declined):
            return None


def _trace(answer: dict[str, Any]) -> Trace:
    """REST spells the duration as protobuf does (`0.012s`)."""
    info = dict(answer)
    took = re.fullmatch(r"(\d+)(?:\.(\d{1,3})\d*)?s", str(info.pop("execution_duration", "")))
    if took is not None:
        info["execution_duration_ms"] = int(took[1]) * 1000 + int((took[2] or "0").ljust(3, "0"))
    return Trace(info)
