"""A server is asked no question twice for one run: thousands of runs wait for its answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.writers.mlflow_runs import chunks, header, pulled, push

from runferry.dialects.mlflow.server import Server
from runferry.ports import Location
from runferry.writers.mlflow import MlflowWriter


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What was asked of a server, how often."""
    counted: Counter[str] = Counter()

    def counts(name: str) -> None:
        answer = getattr(Server, name)

        def asking(self: Server, path: str, said: object, **options: object) -> object:
            counted[f"{name} {path} {said}"] += 1
            return answer(self, path, said, **options)

        monkeypatch.setattr(Server, name, asking)

    for name in ("get", "post", "opened"):
        counts(name)
    return counted


def test_a_run_is_read_back_without_asking_twice(
    served: tuple[str, Path], asked: Counter[str]
) -> None:
    url, _ = served
    writer = MlflowWriter.open(Location("mlflow", url))
    remote = push(writer, header("asked"), chunks())
    writer.close()
    asked.clear()
    pulled(url, remote)
    again = {said: count for said, count in asked.items() if count > 1 and remote in said}
    assert again == {}
    headers = [said for said in asked if "runferry/header-" in said]
    assert len(headers) == 1
