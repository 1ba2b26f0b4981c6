"""Runs that stand as calls: what was configured keeps its types."""

from __future__ import annotations

import json
from pathlib import Path

from runferry.live.calls_reader import CallsReader
from runferry.live.frames import Frame, Kind
from runferry.live.replicas.calls import CallsReplica
from runferry.ports import Location, ReadOptions
from runferry.tables import loads
from runferry.testing.content import Content

RUN = {"op": "run", "name": "version_0", "experiment": "logs", "status": "RUNNING", "start_ms": 5}


def _read(folder: Path) -> Content:
    ((_, run),) = CallsReader.open(Location("calls", str(folder)), ReadOptions()).listed().items()
    return Content.of(list(run.run.read(run.run.header())))


def test_what_was_configured_keeps_its_types_and_a_text_of_the_same_name_stays(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "replicas" / "calls"
    replica = CallsReplica(folder, {"tracker": "lightning", "run": "a1"})

    def call(**told: object) -> None:
        replica.take(Frame(Kind.CALL, 1, 0, json.dumps(told).encode(), 0))
        replica.flush()

    call(**RUN)
    call(op="config", values={"lr": 0.1, "deep": {"er": [1, None]}, "depth": 3, "on": True})
    call(op="batch", params=[["depth", "three"]], metrics=[["loss", 0.5, 7, 1]])
    call(op="config", values={"lr": 0.2})
    found = _read(folder)
    assert found.header is not None
    assert (found.header.key.tracker, found.header.key.run_id) == ("lightning", "a1")
    config = {path: loads(value) for (role, path), value in found.attributes.items()}
    assert config == {("depth",): "three", ("deep", "er"): [1, None], ("lr",): 0.2, ("on",): True}
