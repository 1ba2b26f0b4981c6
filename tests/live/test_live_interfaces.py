"""`start_logging` and its kin, as the document that they are from shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from training import ended, rows, settled, start, told, train

import runferry
from runferry.errors import BadLocation, UsageError
from runferry.live import backends

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


def test_a_thousand_fast_scalars_and_all_else_arrive_in_one_run(tmp_path: Path) -> None:
    out = train(
        tmp_path,
        """
        import json
        from runferry.live.interfaces import get_active_experiment, start_logging, stop_logging
        start_logging(
            exp_name="experiment_1", project="my_project",
            backend=["jsonl:./lines", "archive:./mirrored"],
            config={"lr": 0.1, "deep": {"er": 2}, "track_git": True},
        )
        from tensorboardX import SummaryWriter
        writer, other = SummaryWriter("runs/a"), SummaryWriter("runs/b")
        for step in range(1000):
            writer.add_scalar("loss", step, step)
        other.add_scalar("loss", 7, 7)
        experiment = get_active_experiment()
        experiment.log_params({"batch": 32, "deep": {"est": None}})
        experiment.set_iteration(4)
        experiment.log_metric("accuracy", 0.5)
        experiment.log_metric("accuracy", 0.6, 5)
        with open("model.pth", "w") as stream:
            stream.write("weights")
        experiment.log_artifact("model.pth")
        writer.close()
        other.close()
        print(json.dumps(stop_logging()))
        assert get_active_experiment() is None
        """,
    )
    counts = told(out)
    assert set(counts) == {"jsonl:./lines", "archive:./mirrored"}
    for one in counts.values():
        assert (one["pending"], one["dropped"], one["failing"]) == (0, 0, None)
        assert one["captured"] == one["delivered"]
    for place in (f"jsonl:{tmp_path / 'lines'}", f"archive:{tmp_path / 'mirrored'}"):
        found = rows(place)
        assert found.pop("loss") == [(step, float(step)) for step in range(1000)]
        assert found.pop("accuracy") == [(4, 0.5), (5, 0.6)]
        ((key, points),) = found.items()
        assert key.endswith("/loss")
        assert points == [(7, 7.0)]
        (run,) = runferry.load(place)
        assert (run.run.name, run.run.project, run.run.state) == (
            "experiment_1",
            "my_project",
            "finished",
        )
        assert run.config == {"lr": 0.1, "deep": {"er": 2, "est": None}, "batch": 32}
        assert [file.path for file in run.files] == ["model.pth"]


def test_logged_directly_and_through_capture_is_equal(tmp_path: Path) -> None:
    """The document's validation; and a thousand fast scalars beside it, all of which are stored."""
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    store = f"mlflow:{tmp_path / 'm.db'}"
    out = train(
        tmp_path,
        f"""
        import json, logging
        from pathlib import Path
        logging.disable(logging.WARNING)
        test_metrics = {{"loss": 0.5, "accuracy": 0.95}}
        import mlflow
        mlflow.set_tracking_uri("sqlite:///{tmp_path / "m.db"}")
        with mlflow.start_run(run_name="direct"):
            for name, value in test_metrics.items():
                mlflow.log_metric(name, value, step=0)
        from runferry.live.interfaces import start_logging, stop_logging
        places = ["mlflow:sqlite:///{tmp_path / "m.db"}", "archive:./mirrored", "trackio:./t/p"]
        start_logging("validation_test", backend=places, journal="session")
        from tensorboardX import SummaryWriter
        writer = SummaryWriter()
        for name, value in test_metrics.items():
            writer.add_scalar(name, value, 0)
        for step in range(1000):
            writer.add_scalar("many", step, step)
        from runferry.live.layout import Layout
        from runferry.live.session import sessions
        from runferry.live.status import Status
        (session,) = sessions.all()
        def delivered():
            status = Status.read(session.layout.status)
            return [one.delivered for one in status.destinations] if status else [0]
        def worked():
            process = Status.read(session.layout.status).process
            threads = Path("/proc", str(process), "task").glob("*/schedstat")
            return sum(sum(map(int, path.read_text().split()[:2])) for path in threads) / 1e9
        def waited(count):
            began, work, took = time.monotonic(), worked(), {{}}
            while len(took) < 3 and time.monotonic() - began < 100:
                for number, there in enumerate(delivered()):
                    if there >= count and number not in took:
                        took[number] = time.monotonic() - began, worked() - work
                time.sleep(0.01)
            return [took[number] for number in range(3)]
        while not Status.read(session.layout.status):
            time.sleep(0.01)
        waited(session.journal.captured.total())
        took = []
        for step in range(5):
            writer.add_scalar("late", step, step)
            took.append(waited(session.journal.captured.total()))
            time.sleep(0.5)
        with mlflow.start_run(run_name="beside"):  # captured from there: it does not come twice
            mlflow.log_metric("beside", 1)
        writer.close()
        for told in stop_logging(timeout=90).values():
            assert told["pending"] == 0 and not told["failing"], told
        print(json.dumps(took))
        """,
    )
    assert all(min(_rests(of_place)) < 1 for of_place in zip(*told(out), strict=True)), out
    found = {run.run.name: run for run in runferry.load(store)}
    assert set(found) == {"direct", "validation_test", "beside"}
    points = found["validation_test"].points.to_pylist()
    many = [(row["step"], row["value"]) for row in points if row["key"] == "many"]
    assert many == [(step, float(step)) for step in range(1000)]
    direct, captured = (
        {
            row["key"]: pytest.approx(row["value"], rel=1e-7)
            for row in run.points.to_pylist()
            if row["key"] not in ("many", "late")
        }
        for run in (found["direct"], found["validation_test"])
    )
    assert direct == {key: value.expected for key, value in captured.items()}


def _rests(took: list[tuple[float, float]]) -> list[float]:
    """Seconds that a delivery took beyond its work, in which are those that its threads waited for
    a processor, and beyond its pauses, which are five times as long.
    """
    return [seconds - 6 * work for seconds, work in took]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("archive", ("archive:./.runferry/archive",)),
        ("mlflow,archive:./a", ("mlflow:sqlite:///mlflow.db", "archive:./a")),
        (["jsonl:./x", "jsonl:./x"], ("jsonl:./x",)),
        ("clearml,trackio", ("clearml:a/p", "trackio:a-p")),
        ("aim", ("aim:.",)),
        ("wandb", ("wandb:@/a-p",)),
    ],
)
def test_backends_are_names_places_lists_or_texts(
    given: str | list[str], expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    assert backends.places(given, project="a/p") == expected


def test_what_cannot_be_right_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    monkeypatch.delenv("NEPTUNE_PROJECT", raising=False)
    with pytest.raises(BadLocation, match="Neptune"):
        backends.places("neptune", project="p")
    with pytest.raises(BadLocation, match="mlfow"):
        backends.places("mlfow", project="p")
    with pytest.raises(BadLocation, match="mlfow"):
        backends.checked(["mlfow:sqlite:///m.db"])
    with pytest.raises(UsageError, match="no mode"):
        backends.of_swanlab("clowd")
    with pytest.raises(UsageError, match="api_key"):
        backends.keys(("archive:./a",), "secret")
    assert backends.keys(("wandb:e/p", "archive:./a"), "secret") == {"WANDB_API_KEY": "secret"}
    assert backends.of_swanlab("disabled") == ""
    assert backends.of_swanlab("offline", logdir="logs") == "swanlab:./logs"


def test_machine_and_git_are_logged_on_request_and_not_the_remotes_key(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import subprocess, threading
        for command in (
            ["init", "-q"], ["config", "user.email", "a@b.c"], ["config", "user.name", "a"],
            ["commit", "-q", "--allow-empty", "-m", "x"],
            ["remote", "add", "origin", "https://user:hunter2@example.com/x.git"],
        ):
            subprocess.run(["git", *command], check=True)
        with open("script.py", "w") as stream:
            stream.write("changed")
        subprocess.run(["git", "add", "script.py"], check=True)
        from runferry.live import interfaces
        interfaces.start_logging(
            "e", backend="archive:./mirrored", config={"track_system": True, "track_git": True}
        )
        machine = interfaces._asked[-1]
        while not machine._count:
            time.sleep(0.1)
        interfaces.stop_logging()
        """,
    )
    (run,) = runferry.load(f"archive:{tmp_path / 'mirrored'}")
    assert {"git.commit", "git.branch", "git.remote", "git.dirty"} <= set(run.run.labels)
    assert "hunter2" not in str(run.run.labels)
    assert run.run.labels["git.dirty"] == "true"
    assert [file.path for file in run.files] == ["git.patch"]
    assert {"memory", "disk", "cpu"} <= {series.key for series in run.series}
    assert {series.stream for series in run.series} == {"system"}
    assert run.config == {}


def test_what_git_does_not_say_is_counted_as_dropped(tmp_path: Path) -> None:
    out = train(
        tmp_path,
        """
        import json
        from runferry.live import interfaces
        os.environ["PATH"] = ""
        interfaces.start_logging("e", backend="archive:./mirrored", config={"track_git": True})
        print(json.dumps(interfaces.stop_logging()))
        """,
    )
    (counts,) = told(out).values()
    assert counts["dropped"] == 1


TYPED_WRONG = "sys.ps1, sys.last_value = '>>> ', ValueError()"
"""What an interpreter for lines that are typed in does after one that failed."""


@pytest.mark.parametrize(
    ("ending", "code", "state"),
    [("raise ValueError", 1, "failed"), ("", 0, "finished"), (TYPED_WRONG, 0, "finished")],
)
def test_an_experiment_that_nobody_stopped_ends_with_its_script(
    tmp_path: Path, ending: str, code: int, state: str
) -> None:
    process = start(
        tmp_path,
        f"""
        import runferry
        runferry.start_logging("e", backend="archive:./mirrored")
        if os.fork() == 0:
            runferry.get_active_experiment().log_metric("of child", 1)
            sys.exit()
        os.wait()
        runferry.get_active_experiment().log_metric("loss", 1)
        {ending}
        """,
        RUNFERRY_LIVE_PROJECT="zoo",
    )
    ended(process, code)
    assert settled(tmp_path).state == "done"
    (run,) = runferry.load(f"archive:{tmp_path / 'mirrored'}")
    assert run.run.project == "zoo"
    assert run.run.state == state
    assert {series.key for series in run.series} == {"loss", "of child"}


def test_what_goes_to_a_local_swanlab_is_seen_in_its_dashboard(tmp_path: Path) -> None:
    code = """
        import runferry
        runferry.sync_tensorboard(mode=sys.argv[1], logdir=sys.argv[1])
        from tensorboardX import SummaryWriter
        with SummaryWriter("runs/a") as writer:
            writer.add_scalar("loss", 1, 1)
        runferry.stop_logging()
        """
    for mode in ("local", "offline"):
        train(tmp_path, code, mode)
        assert rows(f"swanlab:{tmp_path / mode}") == {"loss": [(1, 1.0)]}
        assert (tmp_path / mode / "runs.swanlab").exists() == (mode == "local")


@pytest.mark.parametrize("others", [[], ["archive:./mirrored"]], ids=["alone", "beside another"])
def test_a_place_that_is_none_is_told_at_once_and_concerns_no_other(
    tmp_path: Path, others: list[str]
) -> None:
    out = train(
        tmp_path,
        f"""
        import json, runferry
        runferry.sync_tensorboard(to=["clearml:", *{others!r}])
        from tensorboardX import SummaryWriter
        SummaryWriter("runs/a").add_scalar("loss", 1, 1)
        began = time.monotonic()
        found = runferry.stop_logging(timeout=60)
        print(json.dumps([time.monotonic() - began, found]))
        """,
    )
    seconds, found = told(out)
    assert seconds < 30
    refused = found.pop("clearml:")
    assert refused["pending"] == 2
    assert "nothing stands behind" in refused["failing"]
    assert [(one["delivered"], one["failing"]) for one in found.values()] == [(2, None)] * len(
        others
    )
    assert settled(tmp_path).state == "gave-up"


def test_a_session_that_captures_nothing_ends(tmp_path: Path) -> None:
    train(tmp_path, "import runferry; runferry.sync_tensorboard(to='archive:./mirrored')")
    status = settled(tmp_path)
    assert (status.state, status.captured) == ("done", 0)
