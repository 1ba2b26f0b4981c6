"""Two pushes of one run to one server at the same moment leave one run there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.writers.conftest import served  # noqa: F401
from tests.writers.mlflow_runs import header

from runferry.errors import Conflict
from runferry.model import Run
from runferry.ports import Location, RemoteId
from runferry.writers.mlflow import MlflowWriter
from runferry.writers.mlflow.server import ServerBackend


@pytest.fixture
def two(served: tuple[str, Path]) -> Iterator[tuple[MlflowWriter, MlflowWriter]]:  # noqa: F811
    writers = [MlflowWriter.open(Location("mlflow", served[0])) for _ in range(2)]
    yield writers[0], writers[1]
    for writer in writers:
        writer.close()


def active(url: str, run: Run) -> list[str]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=url)
    experiments = [e.experiment_id for e in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.`runferry.uid` = '{run.uid}'")
    return [one.info.run_id for one in found]


def blind(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """The next looks for a run of the same mark find none, as if they had come a moment before."""
    look, left = ServerBackend._marked, [looks]

    def marked(self: ServerBackend, *asked: object) -> list[str]:
        left[0] -= 1
        return [] if left[0] >= 0 else look(self, *asked)  # type: ignore[arg-type]

    monkeypatch.setattr(ServerBackend, "_marked", marked)


def pushed(writer: MlflowWriter, run: Run, remote: RemoteId) -> bool:
    try:
        writer.claim(remote, "somebody 0")
        writer.seal(remote, run)
    except Conflict:
        return False
    return True


@pytest.mark.parametrize("attempt", range(4))
def test_two_pushes_that_begin_together_begin_one_run(
    served: tuple[str, Path],  # noqa: F811
    two: tuple[MlflowWriter, MlflowWriter],
    monkeypatch: pytest.MonkeyPatch,
    attempt: int,
) -> None:
    run = header(f"together-{attempt}", project=f"new {attempt}")  # its experiment too
    look, both = ServerBackend._marked, threading.Barrier(2, timeout=30)
    looked = threading.local()

    def marked(self: ServerBackend, *asked: object) -> list[str]:
        found = look(self, *asked)  # type: ignore[arg-type]
        if not hasattr(looked, "once"):
            looked.once = True
            both.wait()  # neither creates before the other has looked too
        return found

    monkeypatch.setattr(ServerBackend, "_marked", marked)
    ended: list[bool] = []

    def push(writer: MlflowWriter) -> None:
        try:
            remote = writer.create(run, run.uid)
        except Conflict:
            ended.append(False)
        else:
            ended.append(pushed(writer, run, remote))

    threads = [threading.Thread(target=push, args=(writer,)) for writer in two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [False, True]
    assert len(active(served[0], run)) == 1


@pytest.mark.parametrize("attempt", range(4))
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_rival_that_began_unseen_is_met_at_the_end(
    served: tuple[str, Path],  # noqa: F811
    two: tuple[MlflowWriter, MlflowWriter],
    monkeypatch: pytest.MonkeyPatch,
    order: tuple[int, int],
    attempt: int,
) -> None:
    run = header(f"unseen-{order[0]}-{attempt}")
    blind(monkeypatch, 4)
    remotes = [writer.create(run, run.uid) for writer in two]
    assert len(set(remotes)) == 2
    ended = [pushed(two[n], run, remotes[n]) for n in order]
    assert sorted(ended) == [False, True]
    assert len(active(served[0], run)) == 1


def test_a_push_that_slept_while_another_sent_the_run_takes_its_own_away(
    served: tuple[str, Path],  # noqa: F811
    two: tuple[MlflowWriter, MlflowWriter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for attempt in range(4):
        run = header(f"slept-{attempt}")
        first = two[0].create(run, run.uid)
        assert pushed(two[0], run, first)
        with pytest.MonkeyPatch.context() as patch:
            blind(patch, 1)
            with pytest.raises(Conflict, match="at the same moment"):
                two[1].create(run, run.uid)
        assert active(served[0], run) == [first]
