"""A run that grows on its way to SwanLab's cloud, and what has come there."""

from __future__ import annotations

from dataclasses import replace

from swanlab_service import SwanlabService

from runferry.model import Run
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header

SECOND = 10**9


def run_with(steps: list[int], *, is_over: bool = False) -> Sample:
    """The n-th row has the value n, at the n-th second; each has a line and a word, too."""
    ended = header("growing")
    run: Run = ended if is_over else replace(ended, complete=False, state="running", ended_ns=None)
    recording = Recording(run)
    for row, step in enumerate(steps):
        values = {"loss": float(row), "word": f"row {row}"}
        recording.log(values, step=step, time_ns=START_NS + row * SECOND)
    recording.console(
        ("stdout", f"line {row}\n", START_NS + row * SECOND) for row in range(len(steps))
    )
    return recording.sample()


def loss_of(service: SwanlabService) -> list[tuple[int, float]]:
    sent = [one for one in service.metrics.get("scalar", ()) if one["key"] == "loss"]
    return [(one["index"], one["data"]) for one in sent]
