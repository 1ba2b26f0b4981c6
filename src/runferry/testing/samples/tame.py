"""Ordinary runs: plain ones, curves to kill and to grow, and very many rows."""

from __future__ import annotations

import random
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks, tables
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples.basics import SECOND_NS, START_NS, header


def plain(run_id: str = "plain") -> Sample:
    """What every tracker can hold: tame names, numbers, whole milliseconds, words as config."""
    run = Recording(header(run_id)).attributes("config", {"optimizer": "adam", "note": "tame"})
    for step in range(5):
        row = {"loss": 1 / (step + 1), "accuracy": step / 8}
        run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
    return run.checkpoint().sample()


def curve(rows: int = 1000, keys: int = 3, *, seed: int = 0, batch: int = 250) -> Sample:
    """An ordinary training run, cut into several batches: the one to kill and to grow."""
    random_ = random.Random(seed)
    run = Recording(header(f"curve-{rows}x{keys}-{seed}"))
    run.attributes("config", {"seed": seed, "rows": rows})
    for step in range(rows):
        values_ = {f"metric/{n}": random_.gauss(0, 1) for n in range(keys)}
        run.log(values_, step=step, time_ns=START_NS + step * 7_777_777)
        if step % batch == batch - 1:
            run.checkpoint()
    return run.attributes("summary", {"metric/0": 0.0}).sample()


def bulk(rows: int, keys: int = 4, *, batch_rows: int = 20_000, seed: int = 0) -> Sample:
    """Very many rows, made column by column: to measure memory and time with."""
    random_ = random.Random(seed)
    run = Recording(header(f"bulk-{rows}-{seed}"))
    words = [run.series((f"metric/{n}",)) for n in range(keys)]
    run.flush()
    noise = pa.array([random_.gauss(0, 1) for _ in range(batch_rows)], pa.float64())
    index = pa.array([n % keys for n in range(batch_rows)], pa.int32())
    for first in range(0, rows, batch_rows):
        seq = pa.array([(first + n) // keys for n in range(batch_rows)], pa.int64())
        stamps = pc.add(pc.multiply(seq, 1_000_000), START_NS // 1000)
        columns = {
            "key": pa.DictionaryArray.from_arrays(index, pa.array(words)),
            "step": seq,
            "time": stamps.cast(tables.TIME),
            "value": noise,
            "kind": pa.array(["float64"] * batch_rows).cast(tables.POINTS.field("kind").type),
            "seq": seq,
        }
        batch = pa.RecordBatch.from_pydict(columns).slice(0, rows - first)
        run.put(chunks.Points(tables.conform(batch, tables.POINTS))).checkpoint()
    return run.sample()


def as_run(sample: Sample, run_id: str) -> Sample:
    """The same content under another key."""
    key = replace(sample.run.key, run_id=run_id)
    again = tuple(
        chunks.Header(replace(chunk.run, key=key)) if isinstance(chunk, chunks.Header) else chunk
        for chunk in sample.chunks
    )
    return Sample(replace(sample.run, key=key), again)
