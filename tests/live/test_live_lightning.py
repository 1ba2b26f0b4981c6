"""Lightning: each point once, whatever the loggers of a training are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from training import differences, rows, settled, start, told, train

import runferry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed"),
]

SCRIPT = Path(__file__).with_name("lightning_script.py")
STEPS = {"loss_step": 8, "loss_epoch": 2, "val": 2, "epoch": 12}
RUNS = ("none", "csv", "custom", "tensorboard", "wandb", "mlflow", "two", "experiment")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_each_point_once_whatever_the_loggers_are(tmp_path: Path, package: str) -> None:
    if find_spec(package.partition(".")[0]) is None:
        pytest.skip(f"{package} is not installed")
    code = f"import runpy; sys.argv = ['script', {package!r}]; runpy.run_path({str(SCRIPT)!r})"
    process = start(tmp_path, code)
    out, err = process.communicate(timeout=380)
    assert process.returncode == 0, err
    counts = told(out)
    for place, one in counts.items():
        assert (one["pending"], one["dropped"], one["failing"]) == (0, 0, None), (place, one)
        assert one["captured"] == one["delivered"] > 0
    for name in RUNS:
        place = f"jsonl:{tmp_path / 'mirrored' / name}"
        (run,) = runferry.load(place)
        found = rows(place)
        expected = {**STEPS, "direct": 2} if name != "none" else STEPS
        assert {key: len(found[key]) for key in expected} == expected, name
        assert "shown" not in found
        assert str(run.config["lr"]) == "0.1", name
    steps = [step for step, _ in rows(f"jsonl:{tmp_path / 'mirrored' / 'none'}")["loss_step"]]
    assert steps == [*range(8)]
    _same_as_the_file(tmp_path, "csv", "logs")
    _beside_another(tmp_path)
    (broken,) = runferry.load(f"jsonl:{tmp_path / 'mirrored' / 'broken'}")
    assert broken.run.state == "failed"
    for name in ("fabric", "fabric-alone"):
        fabric = rows(f"jsonl:{tmp_path / 'mirrored' / name}")
        assert fabric == {"loss": [(step, float(step)) for step in range(5)]}
    ranks = rows(f"jsonl:{tmp_path / 'mirrored' / 'ranks'}")["loss_step"]
    assert [step for step, _ in ranks] == [*range(4)]
    last = rows(f"jsonl:{tmp_path / 'mirrored' / 'again'}")["loss_step"]
    assert [step for step, _ in last] == [8, 9, 10, 11]


def _same_as_the_file(folder: Path, name: str, logs: str) -> None:
    """What CSVLogger wrote."""
    mirrored, written = f"jsonl:{folder / 'mirrored' / name}", f"lightning:{folder / logs}"
    assert rows(mirrored) == rows(written)
    (one,), (other,) = runferry.load(mirrored), runferry.load(written)
    assert one.config == other.config
    assert (one.run.state, one.run.name) == ("finished", "version_0")


def _beside_another(folder: Path) -> None:
    """TensorBoard's hook has what it was told; of the other logger is what it alone was told."""
    runs = {run.run.key.tracker: run for run in runferry.load(folder / "mirrored" / "beside")}
    counts = {name: run.points.num_rows for name, run in runs.items()}
    alone = runs["lightning"].points.column("key").to_pylist()
    assert alone == ["alone", "alone"]
    assert counts == {"tensorboard": sum(STEPS.values()) + 2 + 1, "lightning": 2}


@pytest.mark.timeout(120)
def test_all_kinds_of_values_of_torchs_own_writer(tmp_path: Path) -> None:
    """Its writer is imported, and made, before the hook."""
    train(
        tmp_path,
        """
        import numpy as np, torch
        from torch.utils.tensorboard import SummaryWriter
        there = SummaryWriter("runs/there")
        import runferry
        runferry.sync_tensorboard(to="archive:./mirrored", root="runs")
        writer = SummaryWriter("runs/all")
        for step in range(20):
            there.add_scalar("loss", torch.tensor(1 / (step + 1)), step)
            writer.add_scalar("loss", 1 / (step + 1), step, walltime=1e9 + step)
            writer.add_scalar("new", step, step, new_style=True)
        writer.add_scalars("group", {"train": 1.5, "test": 2.5}, 1)
        writer.add_histogram("weights", torch.arange(100.0), 1)
        writer.add_text("words", "hello", 1)
        writer.add_image("image", np.zeros((3, 4, 4), "uint8"), 1)
        writer.add_pr_curve("curve", np.array([0, 1, 1]), np.array([0.1, 0.9, 0.4]), 1)
        writer.add_hparams({"lr": 0.1, "name": "x"}, {"accuracy": 0.5})
        writer.add_mesh("mesh", vertices=torch.zeros((1, 3, 3)))
        writer.add_graph(torch.nn.Linear(2, 1), torch.ones(1, 2))
        for one in (there, writer):
            one.close()
        """,
    )
    assert settled(tmp_path).state == "done"
    assert differences(f"tensorboard:{tmp_path / 'runs'}", f"archive:{tmp_path / 'mirrored'}") == []
