"""Writes `.wandb` files record by record, and gathers what the reader yields."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.readers.gathered import Gathered, corpus, gather, pulled
from wandb.proto import wandb_internal_pb2 as pb

from runferry.model import Cursor
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb.reader import WandbFilesReader

__all__ = ["Gathered", "corpus", "gather", "pulled"]  # and all that is made here

HEADER = b":W&B\xe1\xbe\x00"
BLOCK = 32_768


def framed(records: Iterable[pb.Record | bytes], origin: int = 0) -> bytes:
    """A whole file; `origin` 7 gives the misaligned blocks of wandb-core before 0.17.6."""
    out = bytearray(HEADER)
    for record in records:
        payload = record if isinstance(record, bytes) else record.SerializeToString()
        is_first = True
        while True:
            left = BLOCK - (len(out) - origin) % BLOCK
            if left < 7:
                out += bytes(left)
                continue
            part, payload = payload[: left - 7], payload[left - 7 :]
            kind = (1 if is_first else 4) if not payload else (2 if is_first else 3)
            crc = zlib.crc32(bytes([kind]) + part)
            out += struct.pack("<IHB", crc, len(part), kind) + part
            is_first = False
            if not payload:
                break
    return bytes(out)


def run_record(run_id: str = "r1", start: int = 1_700_000_000, **fields: Any) -> pb.Record:
    record = pb.Record()
    record.run.run_id = run_id
    record.run.start_time.seconds = start
    for name, value in fields.items():
        if isinstance(value, (list, tuple)):
            getattr(record.run, name).extend(value)
        else:
            setattr(record.run, name, value)
    return record


def config_record(**values: object) -> pb.Record:
    record = pb.Record()
    for name, value in values.items():
        record.config.update.add(key=name, value_json=json.dumps(value))
    return record


def history_record(step: int | None = None, **values: object) -> pb.Record:
    record = pb.Record()
    record.history.SetInParent()
    for name, value in values.items():
        record.history.item.add(nested_key=[name], value_json=json.dumps(value))
    if step is not None:
        record.history.step.num = step
        record.history.item.add(nested_key=["_step"], value_json=str(step))
    return record


def stats_record(seconds: int, **values: float) -> pb.Record:
    record = pb.Record()
    record.stats.timestamp.seconds = seconds
    for name, value in values.items():
        record.stats.item.add(key=name, value_json=json.dumps(value))
    return record


def line_record(line: str, seconds: int = 1_700_000_000) -> pb.Record:
    record = pb.Record()
    record.output_raw.output_type = pb.OutputRawRecord.STDOUT
    record.output_raw.timestamp.seconds = seconds
    record.output_raw.line = line
    return record


def summary_record(**values: object) -> pb.Record:
    record = pb.Record()
    for name, value in values.items():
        record.summary.update.add(nested_key=[name], value_json=json.dumps(value))
    return record


def exit_record(code: int = 0, runtime: int = 0) -> pb.Record:
    record = pb.Record()
    record.exit.exit_code = code
    record.exit.runtime = runtime
    return record


def environment_record(seconds: int, nanos: int = 0, **fields: str) -> pb.Record:
    record = pb.Record()
    record.environment.started_at.seconds = seconds
    record.environment.started_at.nanos = nanos
    for name, value in fields.items():
        setattr(record.environment, name, value)
    return record


def small_run(run_id: str = "r1", steps: int = 5, **fields: Any) -> list[pb.Record]:
    """One record of each common kind."""
    records = [run_record(run_id, project="p", **fields), config_record(lr=0.1, deep={"a": [1]})]
    for step in range(steps):
        records.append(history_record(step, loss=1 / (step + 1), note=f"n{step}"))
        records.append(stats_record(1_700_000_000 + step, cpu=step * 1.5))
        records.append(line_record(f"line {step}\n"))
    return [*records, summary_record(loss=1 / steps), exit_record(0, 7)]


def folder_with(
    root: Path,
    records: Iterable[pb.Record | bytes],
    run_id: str = "r1",
    when: str = "20240102_030405",
) -> Path:
    """A run folder as an offline run leaves it; returns it."""
    folder = root / f"offline-run-{when}-{run_id}"
    (folder / "files").mkdir(parents=True)
    (folder / f"run-{run_id}.wandb").write_bytes(framed(records))
    return folder


def opened(path: Path) -> WandbFilesReader:
    return WandbFilesReader.open(Location("wandb", str(path)), ReadOptions())


def gather_all(path: Path) -> list[Gathered]:
    reader = opened(path)
    return [gather(reader, run) for run in reader.runs()]


def gather_one(path: Path, after: Cursor | None = None) -> Gathered:
    reader = opened(path)
    (run,) = reader.runs()
    return gather(reader, run, after)
