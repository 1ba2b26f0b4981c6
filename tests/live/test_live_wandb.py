"""W&B: what is mirrored equals what conversion of the same run's files gives.

Only W&B's own clock is another: `_runtime` is counted by its service, in a process of its own.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from training import CLOCK, differences, ended, rows, settled, start, train

import runferry

pytest.importorskip("wandb", reason="wandb is not installed")

BEGIN = """
from runferry.live.interfaces import sync_wandb
sync_wandb(to="archive:./mirrored")
import wandb
run = wandb.init(project="zoo", mode="offline", dir=".")
"""
STEPS = (
    BEGIN
    + """
run.log({"implicit": 1})
run.log({"held": 1}, commit=False)
run.log({"held": 2, "more": 3})
run.log({"explicit": 1}, step=5)
run.log({"together": 1}, step=5)
run.log({"backward": 1}, step=2)
run.log({"jump": 1}, step=100)
run.log({"flushed": 1}, step=100, commit=True)
run.log({})
run.log({"after": 1})
run.log({"over": {"a": 1}}, commit=False)
run.log({"over": {"b": 2}}, commit=False)
run.log({"over": 3}, commit=False)
run.log({"over": {"c": {"d": 4}}})
run.log({"last": 1}, commit=False)
run.finish()
"""
)
METRICS = (
    BEGIN
    + """
run.define_metric("epoch", hidden=True)
run.define_metric("val/*", step_metric="epoch", summary="max")
run.define_metric("loss", summary="min,mean,first,last")
run.define_metric("quiet", summary="none")
run.define_metric("deep.er", step_metric="epoch", summary="min")
for epoch in range(3):
    run.log({"epoch": epoch, "val/acc": 0.5 - epoch})
    run.log({"val/acc": epoch / 3, "loss": float(3 - epoch), "quiet": epoch})
    run.log({"deep": {"er": epoch}, "val/nan": float("nan")})
run.summary["said"] = {"a": [1, 2]}
run.summary["loss"] = 7
run.log({"loss": 9})
run.summary.update({"gone": 1})
del run.summary["gone"]
run.finish(exit_code=3)
"""
)
VALUES = (
    BEGIN
    + """
import numpy as np
run.config.update({"lr": 0.1, "deep": {"er": [1, {"x": None}]}, "big": 2**70})
run.log({"int": 1, "float": 2.5, "whole": 3.0, "tiny": 1e-300, "huge": 1e300, "true": True})
run.log({str(n): x for n, x in enumerate((1e5, 1e6, 1234567.5, 1e14, 1e-4, 1e-5, -1.5e-7))})
run.log({"nan": float("nan"), "inf": float("inf"), "less": -float("inf"), "zero": -0.0})
run.log({"big": 2**53 + 1, "bigger": 2**63, "numpy": np.float32(0.1), "array": np.arange(5)})
run.log({"text": "a \\u2028 \\U0001f600 \\"b\\"", "list": [1, 2.0, "x", None], "null": None})
run.log({"nested": {"a": {"b": 1, "c": [1.5, {"d": 2.0}]}, "": 3}, "dotted.key": 4, "a/b": 5})
run.log({"histogram": wandb.Histogram([1, 2, 2, 3], num_bins=4)})
run.log({"image": wandb.Image(np.zeros((4, 4, 3), "uint8"), caption="black",
    boxes={"p": {"box_data": [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1},
                               "class_id": 1}], "class_labels": {1: "one"}}})})
run.log({"images": [wandb.Image(np.full((2, 2, 3), n, "uint8")) for n in (1, 2)]})
run.log({"table": wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]])}, commit=False)
run.log({"html": wandb.Html("<b>bold</b>"), "same row": 1})
run.log({"audio": wandb.Audio(np.zeros(100), sample_rate=8000)})
run.log({"sounds": [wandb.Audio(np.full(9, n), sample_rate=8000) for n in (0.1, 0.2)]})
run.log({"points": wandb.Object3D(np.ones((3, 3)))})
with open("m.pdb", "w") as stream:
    stream.write("HEADER")
run.log({"molecule": wandb.Molecule("m.pdb")})
with open("v.gif", "wb") as stream:
    stream.write(b"GIF89a" + bytes(30))
run.log({"video": wandb.Video("v.gif", format="gif", caption="c")})
mask = {"p": {"mask_data": np.zeros((4, 4), "uint8"), "class_labels": {0: "x"}}}
run.log({"masked": wandb.Image(np.zeros((4, 4, 3), "uint8"), masks=mask)})
run.log({"of images": wandb.Table(["i"], [[wandb.Image(np.ones((2, 2, 3), "uint8"))]])})
run.log({"confusion": wandb.plot.confusion_matrix(y_true=[0, 1], preds=[0, 0])})
run.log({"plot": wandb.plot.line_series([1, 2], [[3, 4]], keys=["y"], title="t", xname="x")})
with open("saved.txt", "w") as stream:
    stream.write("saved")
run.save("saved.txt", policy="now")
artifact = wandb.Artifact("data", "dataset", metadata={"m": 1})
artifact.add_file("saved.txt")
run.log_artifact(artifact, aliases=["best"])
print("to the console")
print("and an error", file=sys.stderr)
run.tags = (*run.tags, "late")
run.notes = "later notes"
run.finish()
"""
)


def _compared(folder: Path) -> list[str]:
    assert settled(folder).state == "done"
    found = differences(f"wandb:{folder / 'wandb'}", f"archive:{folder / 'mirrored'}")
    return [loss for loss in found if not any(of_clock in loss for of_clock in CLOCK)]


@pytest.mark.parametrize("code", [STEPS, METRICS, VALUES], ids=["steps", "metrics", "values"])
def test_mirrored_equals_converted(tmp_path: Path, code: str) -> None:
    train(tmp_path, code)
    assert _compared(tmp_path) == []


LEFT = """
run.log({"loss": 1})
run.finish(exit_code=2)
run = wandb.init(project="zoo", mode="offline", dir=".", name="left")
run.log({"loss": 2})
run.log({"loss": 3}, commit=False)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize(("code", "state"), [(0, "finished"), (3, "failed")])
def test_a_run_that_is_left_to_the_end_of_its_script_ends_as_in_wandb(
    tmp_path: Path, code: int, state: str
) -> None:
    ended(start(tmp_path, BEGIN + LEFT, str(code)), code)
    assert _compared(tmp_path) == []
    listed = runferry.load(f"archive:{tmp_path / 'mirrored'}")
    assert sorted((one.run.name or "", one.run.state) for one in listed)[1:] == [("left", state)]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_any_calls_of_log_give_the_rows_that_wandb_keeps(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    logged = [
        (
            {key: chance.randrange(4) for key in chance.sample("abc", chance.randrange(4))},
            chance.choice([None, None, *range(0, 60, 7)]),
            chance.choice([None, None, True, False]),
        )
        for _ in range(60)
    ]
    code = f"""
for values, step, commit in {logged!r}:
    run.log(values, step=step, commit=commit)
run.finish()
"""
    train(tmp_path, BEGIN + code)
    assert _compared(tmp_path) == []


def test_what_waits_for_its_row_for_long_is_no_file_of_its_own(tmp_path: Path) -> None:
    """The client lists a table's file before the values, which here are whole only later."""
    train(
        tmp_path,
        BEGIN
        + """
from runferry.live.session import sessions
run.log({"html": wandb.Html("<b>bold</b>")})
run.log({"table": wandb.Table(columns=["a"], data=[[1]])}, commit=False)
status = sessions.all()[0].wait(30)
assert status.captured and not status.destinations[0].pending
run.log({"same row": 1})
run.finish()
""",
    )
    assert _compared(tmp_path) == []


def test_followed_from_outside_media_belong_to_their_rows(tmp_path: Path) -> None:
    """W&B's service writes a row long after its file: when 32 KiB have come together."""
    process = start(
        tmp_path,
        """
        import numpy as np, subprocess, wandb
        run = wandb.init(project="zoo", mode="offline", dir=".")
        following = subprocess.Popen([sys.executable, "-m", "runferry", "follow", "wandb",
            "--to", "archive:./mirrored", "--to", "jsonl:./lines"])
        for step in range(60):
            pixels = np.full((4, 4, 3), step, "uint8")
            run.log({"image": wandb.Image(pixels), "padding": "x" * 2000})
            time.sleep(0.05)
        run.finish()
        sys.exit(following.wait())
        """,
    )
    ended(process)
    assert differences(f"wandb:{tmp_path / 'wandb'}", f"archive:{tmp_path / 'mirrored'}") == []
    (run,) = runferry.load(tmp_path / "mirrored")
    assert not [file for file in run.files if file.path.startswith("media/")]


def test_names_that_were_imported_before_are_mirrored_too(tmp_path: Path) -> None:
    """And nothing of ours that is heavy is imported for it."""
    train(
        tmp_path,
        """
        from wandb import init
        from runferry.live.interfaces import sync_wandb
        sync_wandb(to="archive:./mirrored")
        with init(project="zoo", mode="offline", dir=".") as run:
            run.log({"loss": 1})
        heavy = {"pyarrow", "duckdb", "httpx", "rich", "typer", "tensorboard", "mlflow"}
        found = heavy & set(sys.modules)
        assert not found, found
        """,
    )
    assert _compared(tmp_path) == []


def test_nothing_goes_to_wandb_where_the_user_says_so(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        from runferry.live.interfaces import sync_wandb
        sync_wandb(wandb_run=False, to="archive:./mirrored")
        import wandb
        run = wandb.init(project="zoo", mode="online", dir=".")
        assert run.settings._offline
        run.log({"loss": 1})
        run.finish()
        """,
        WANDB_BASE_URL="http://127.0.0.1:9",
        WANDB_API_KEY="0" * 40,
    )
    assert _compared(tmp_path) == []


def test_what_is_mirrored_nowhere_stays_offline_too_until_logging_stops(tmp_path: Path) -> None:
    """And what the user had set is set again."""
    code = """
        import runferry
        assert runferry.sync_wandb(mode="disabled", wandb_run=False) is None
        import wandb
        run = wandb.init(project="zoo", mode="online", dir=".")
        assert run.settings._offline
        run.finish()
        runferry.stop_logging()
        assert os.environ.get("WANDB_MODE") == sys.argv[1]
        from wandb.sdk.wandb_init import _WandbInit
        assert _WandbInit.init.__code__.co_filename.endswith("wandb_init.py")
        """
    train(tmp_path, code, "dryrun", WANDB_MODE="dryrun", WANDB_BASE_URL="http://127.0.0.1:9")
    assert not (tmp_path / ".runferry").exists()


def test_runs_one_after_the_other_in_a_process_are_runs_of_their_own(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        from runferry.live.interfaces import sync_wandb
        sync_wandb(to="archive:./mirrored")
        import wandb
        for name in ("one", "two"):
            with wandb.init(project="zoo", name=name, mode="offline", dir=".") as run:
                run.log({"loss": 1})
        """,
    )
    assert _compared(tmp_path) == []
    assert sorted(str(run.run.name) for run in runferry.load(tmp_path / "mirrored")) == [
        "one",
        "two",
    ]


@pytest.mark.parametrize("logged", [0, 1])
def test_of_a_run_that_began_before_is_mirrored_what_is_logged_from_then_on(
    tmp_path: Path, logged: int
) -> None:
    """That its client says what it imported, and that it ends, is no run."""
    train(
        tmp_path,
        """
        import wandb, runferry
        run = wandb.init(project="zoo", mode="offline")
        run.log({"loss": 1.0})
        runferry.sync_wandb(to="archive:./mirrored")
        for step in range(int(sys.argv[1])):
            run.log({"loss": 2.0})
        run.finish()
        """,
        str(logged),
    )
    assert settled(tmp_path).state == "done"
    runs = runferry.load(tmp_path / "mirrored") if (tmp_path / "mirrored").exists() else []
    assert [run.points.num_rows for run in runs] == [2] * logged  # with `_runtime`


def test_a_killed_training_loses_nothing_that_was_logged(tmp_path: Path) -> None:
    """W&B's own service holds back what no block is full of; the journal has it."""
    process = start(
        tmp_path,
        BEGIN
        + """
for step in range(100000):
    run.log({"loss": step})
    print(step, flush=True)
""",
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 40:
            break
    process.kill()
    last = int([line, *process.stdout.read().split()][-1])
    process.communicate()
    assert settled(tmp_path).state == "done"
    logged = rows(f"archive:{tmp_path / 'mirrored'}")["loss"]
    assert logged[: last + 1] == [(step, step) for step in range(last + 1)]
    assert len(logged) <= last + 2  # the call in flight, which had not been printed
