"""Runs whose header is what matters: relatives, and facts that were changed later."""

from __future__ import annotations

from dataclasses import replace

from runferry import chunks
from runferry.model import Fork
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples.basics import START_NS, header


def relatives() -> tuple[Sample, ...]:
    """Parent, child, forked, resumed, unfinished, failed and killed runs; tags, labels, a sweep."""
    labels = {"owner": "ana", "empty": "", "mlflow.user": "not mlflow's"}
    heads = (
        header("parent", tags=("a", "b c", "🏷️"), labels=labels, notes="# notes\n", group="g"),
        header("child", parent="parent", job_type="eval", sweep="sweep-1", user="ana", host="box"),
        header("forked", forked_from=Fork("parent", 1)),
        header("resumed", forked_from=Fork("resumed", 2, "resume")),
        header(
            "unfinished",
            ended_ns=None,
            status="running",
            state="running",
            exit_code=None,
            complete=False,
        ),
        header("failed", status="crashed", state="failed", exit_code=1),
        header("killed", status="preempted", state="killed", exit_code=None),
        header("twin", name="parent", source_url="http://127.0.0.1/runs/1"),
    )
    return tuple(
        Recording(head)
        .attributes("config", {"index": index})
        .log({"loss": float(index)}, step=0, time_ns=START_NS)
        .sample()
        for index, head in enumerate(heads)
    )


def retagged() -> Sample:
    """A run whose tags and name were changed after it began: only the last header counts."""
    last = header("retagged", tags=("kept",), name="new name")
    run = Recording(last)
    run.put(chunks.Header(replace(last, tags=("kept", "deleted"), name="old name")))
    return run.log({"loss": 1.0}, step=0, time_ns=START_NS).sample()
