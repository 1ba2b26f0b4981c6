"""Runs that were deleted in MLflow are carried on request, and are deleted where they arrive."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from runferry import ReadOptions, convert
from runferry.dialects.mlflow.logged import JOB_TYPE
from runferry.dialects.mlflow.registry import SCOPE
from runferry.errors import NotFound
from runferry.model import Run, RunKey
from runferry.ports import Location
from runferry.readers.mlflow import MlflowReader
from runferry.readers.mlflow.vendor import VendorStore


def two_runs(uri: str) -> tuple[MlflowClient, str]:
    """One that is kept, and one that is deleted; the id of the latter."""
    client = MlflowClient(uri)
    for name in ("kept", "deleted"):
        run_id = client.create_run("0", run_name=name).info.run_id
        client.log_metric(run_id, "loss", 0.5, step=1, timestamp=1_700_000_000_000)
        client.log_param(run_id, "lr", 1)
        client.set_terminated(run_id)
    client.delete_run(run_id)
    return client, run_id


def names(client: MlflowClient, view: int) -> list[str]:
    found = [one.experiment_id for one in client.search_experiments(ViewType.ALL)]
    return sorted(run.info.run_name for run in client.search_runs(found, run_view_type=view))


def brought(source: str, destination: str, *, asked: bool = True) -> dict[str, int]:
    """What the push did with how many runs; all that was sent was found there again."""
    report = convert(
        f"mlflow:{source}", f"mlflow:{destination}", archive="archive", workers=1,
        options=ReadOptions(include_deleted=asked),
    )  # fmt: skip
    assert report.exit_code == 0, [(o.error, o.losses) for o in report.outcomes]
    return dict(report.push.counts)


@pytest.mark.parametrize("kind", ["sqlite", "server"])
def test_a_deleted_run_arrives_deleted_and_once(
    kind: str, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{database}"
    served = kind == "server"
    there = (
        request.getfixturevalue("served_anew") if served else f"sqlite:///{tmp_path}/there/runs.db"
    )
    client, run_id = two_runs(uri)
    assert brought(uri, there, asked=False) == {"new": 1}
    assert brought(uri, there) == {"new": 1, "unchanged": 1}
    copy = MlflowClient(there)
    assert names(copy, ViewType.ACTIVE_ONLY) == ["kept"]
    assert names(copy, ViewType.DELETED_ONLY) == ["deleted"]
    assert brought(uri, there) == {"unchanged": 2}
    client.restore_run(run_id)
    client.log_metric(run_id, "loss", 0.25, step=2, timestamp=1_700_000_000_001)
    assert brought(uri, there)["unchanged"] == 1
    assert names(copy, ViewType.ACTIVE_ONLY) == ["deleted", "kept"]
    assert names(copy, ViewType.DELETED_ONLY) == []


def test_a_run_that_somebody_deletes_after_it_was_pushed_is_gone_and_pushed_anew(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uri, there = f"sqlite:///{database}", f"sqlite:///{tmp_path}/there/runs.db"
    two_runs(uri)
    assert brought(uri, there, asked=False) == {"new": 1}
    copy = MlflowClient(there)
    (run,) = copy.search_runs([e.experiment_id for e in copy.search_experiments()])
    copy.delete_run(run.info.run_id)
    assert sum(brought(uri, there, asked=False).values()) == 1
    assert names(copy, ViewType.ACTIVE_ONLY) == ["kept"]


GONE = (
    Run(RunKey("mlflow", "", "f" * 32)),
    Run(RunKey("mlflow", "", "m-0"), job_type=JOB_TYPE),
    Run(RunKey("mlflow", f"{SCOPE}/here", "net")),
)


@pytest.mark.parametrize("kind", ["files", "sqlite", "server"])
def test_what_is_gone_since_it_was_listed_is_not_found_and_a_command_lists_what_is_there(
    kind: str, database: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    where = f"sqlite:///{database}"
    if kind == "server":
        where, _ = request.getfixturevalue("served")
    if kind == "files":
        (tmp_path / "mlruns" / "0").mkdir(parents=True)
        (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
        where = str(tmp_path / "mlruns")
    reader = MlflowReader.open(Location("mlflow", where), ReadOptions())
    for run in GONE:
        with pytest.raises(NotFound, match=f"no .*{run.key.run_id}: mlflow:") as caught:
            list(reader.read(run))
        assert caught.value.hint.startswith("runferry ls mlflow:")
    reader.close()


def test_a_run_that_mlflow_itself_does_not_find_is_not_found_with_a_hint(database: Path) -> None:
    with pytest.raises(NotFound) as caught:
        VendorStore(f"sqlite:///{database}").run("f" * 32)
    assert caught.value.hint == f"runferry ls mlflow:sqlite:///{database}"
