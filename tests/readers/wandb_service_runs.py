"""A stand-in of W&B's service with runs in it, and readers of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from tests.readers.gathered import Gathered, gather

from runferry.model import Cursor, Run
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb.reader import WandbReader
from runferry.readers.wandb.service.reader import WandbServiceReader
from runferry.testing.wandb_service import Account, RunContent, WandbService

KEY = "0123456789abcdef0123456789abcdef01234567"
ACCOUNT = Account(key=KEY)


@contextmanager
def served(home: Path, **options: Any) -> Iterator[WandbService]:
    """A service, and an environment in which it is W&B."""
    with WandbService(account=ACCOUNT, **options) as service, account_of(service, home):
        yield service


@contextmanager
def account_of(service: WandbService, home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    with mock.patch.dict(os.environ, {**kept, **service.environment(home)}, clear=True):
        yield


@contextmanager
def opened(where: str) -> Iterator[WandbServiceReader]:
    reader = WandbReader.open(Location("wandb", where), ReadOptions())
    assert isinstance(reader, WandbServiceReader)
    try:
        yield reader
    finally:
        reader.close()


def the_run(reader: WandbServiceReader) -> Run:
    (run,) = reader.runs()
    return run


def read_one(where: str, after: Cursor | None = None) -> Gathered:
    with opened(where) as reader:
        return gather(reader, the_run(reader), after)


def columns(rows: int, first: int = 0) -> Mapping[str, np.ndarray[Any, Any]]:
    """A history of that many rows."""
    steps = np.arange(first, first + rows, dtype=np.int64)
    return {
        "_step": steps,
        "_timestamp": 1_700_000_000.25 + steps,
        "_runtime": steps / 2,
        "loss": 1 / (1.0 + steps),
        "count": steps * 3,
    }


RICH = RunContent(
    name="shown",
    config={"lr": 0.1, "net": {"deep": [1, 2]}},
    summary={"loss": 0.5, "nested": {"a": {"b": 1}}},
    tags=("t1", "t2"),
    notes="noted",
    group="g",
    job_type="train",
    created_at="2024-01-02T03:04:05",
    events=[
        {"_timestamp": 1_700_000_000.5 + n, "_runtime": n, "_wandb": True, "system.cpu": n / 3}
        for n in range(5)
    ],
    console=["2024-01-02T03:04:05.000001 hello", "ERROR 2024-01-02T03:04:06.000002 oh no"],
    files={
        "wandb-metadata.json": b'{"host": "h", "startedAt": "2024-01-02T03:04:05.123456789Z",'
        b' "gpu": "A", "memory": {"total": "17"}}',
        "model.ckpt": b"weights",
        "media/images/a.png": b"png",
        "../../escaped.txt": b"data",
    },
)
