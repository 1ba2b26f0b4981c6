"""The ledger of a push: what it was told is there for whoever asks next."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.archive.runs import python

from runferry.archive.ledger import Delivery, Ledger
from runferry.errors import ArchiveError
from runferry.losses import Fate, Loss
from runferry.model import Uid


def test_the_ledger_keeps_what_it_was_told_across_processes_and_threads(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    uid = Uid("0" * 32)
    assert ledger.get(uid, "mlflow:x") is None
    assert not path.exists()
    ledger.forget(uid, "mlflow:x")
    lost = (Loss("long-value", Fate.REENCODED, "config.x", 2, "cut"),)
    told = Delivery(
        uid,
        "mlflow:x",
        "sending",
        "remote",
        "plan",
        generation=3,
        sent=17,
        segments=("a", "b"),
        losses=lost,
    )
    ledger.put(told)
    assert Ledger(path).get(uid, "mlflow:x") == told
    assert Ledger(path).get(uid, "mlflow:y") is None
    code = """
import sys
from pathlib import Path
from runferry import durable
from runferry.archive.ledger import Delivery, Ledger
ledger = Ledger(Path(sys.argv[1]))
n = 0
while True:
    n += 1
    ledger.put(Delivery("1" * 32, "d", "sending", "r", "p", 1, n))
    print(n, flush=True)
"""
    process = python(code, path)
    assert process.stdout is not None
    threads = [
        threading.Thread(
            target=lambda n=n: [ledger.put(Delivery(Uid(f"{n:032x}"), "d", "sealed", "", "", 1))]
        )
        for n in range(2, 10)
    ]
    for thread in threads:
        thread.start()
    for _ in range(5):
        process.stdout.readline()
    process.kill()
    said = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    for thread in threads:
        thread.join()
    kept = ledger.get(Uid("1" * 32), "d")
    assert kept is not None
    assert kept.sent >= int(said[-1] if said else 5)
    assert all(ledger.get(Uid(f"{n:032x}"), "d") for n in range(2, 10))
    ledger.forget(uid, "mlflow:x")
    assert ledger.get(uid, "mlflow:x") is None
    ledger.close()


def test_a_ledger_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ArchiveError) as caught:
        Ledger(path).get(Uid("0" * 32), "x")
    assert caught.value.hint
