"""Runs that SwanLab's own client has written, read without it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from run_folders import Gathered, gather_one
from tests.blobs import bytes_of

from runferry import chunks
from runferry.python_apart import command_apart, environment_apart
from runferry.readers.swanlab.reader import SwanlabReader
from runferry.readers.wandb.reader import WandbReader

pytest.importorskip("swanlab", reason="no swanlab package")

_LOG = """
import sys
import numpy as np
import swanlab
from pathlib import Path
from pyecharts.charts import Bar
swanlab.init(project="proj", experiment_name="one", description="why", tags=["a"], group="g",
             job_type="train", config={"lr": 0.1, "net": {"layers": [1, 2]}}, mode="offline",
             log_dir=sys.argv[1])
for step in range(100):
    swanlab.log({"loss": 1 / (step + 1), "train/acc": step, "bad": float("nan")}, step=step * 2)
pixels = np.zeros((4, 4, 3), dtype=np.uint8)
swanlab.log({"image": [swanlab.Image(pixels, caption="c"), swanlab.Image(pixels + 1)]}, step=3)
swanlab.log({"text": swanlab.Text("hello")}, step=3)
swanlab.log({
    "sound": swanlab.Audio(np.zeros((1, 80), np.float32), sample_rate=8000, caption="s"),
    "clip": swanlab.Video(b"GIF89a" + bytes(20)),
    "page": swanlab.Html("<b>x</b>"),
    "cloud": swanlab.Object3D(np.eye(3)),
    "chart": swanlab.ECharts(Bar().add_xaxis(["a"]).add_yaxis("n", [1])),
}, step=5)
Path("weights.bin").write_bytes(b"weights")
swanlab.save("weights.bin")
print("a line")
swanlab.finish()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Gathered:
    home = tmp_path_factory.mktemp("swanlog")
    subprocess.run(
        command_apart(_LOG, str(home)),
        env=environment_apart() | {"SWANLAB_SAVE_DIR": str(home.parent / "home")},
        cwd=home.parent, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return gather_one(SwanlabReader, home)


def test_every_value_is_read(found: Gathered) -> None:
    assert found.series("loss") == [(2 * step, 1 / (step + 1)) for step in range(100)]
    assert found.series("train/acc") == [(2 * step, float(step)) for step in range(100)]
    assert all(value != value for _, value in found.series("bad"))
    assert len(found.series("bad")) == 100
    loss, accuracy = (found.rows(chunks.Points, key) for key in ("loss", "train/acc"))
    assert [row["seq"] for row in loss] == [row["seq"] for row in accuracy]
    assert {loss.code for loss in found.losses} == {"linked-file"}  # `swanlab.save` links, kept


def test_media_lines_and_attributes_are_read(found: Gathered) -> None:
    items = [it for chunk in found.chunks if isinstance(chunk, chunks.Media) for it in chunk.items]
    assert [(it.key, it.media_type, it.caption, it.at.step) for it in items] == [
        ("image", "image", "c", 3), ("image", "image", None, 3), ("sound", "audio", "s", 5),
        ("clip", "image", None, 5), ("page", "html", None, 5), ("cloud", "object3d", None, 5),
        ("chart", "plot", None, 5),
    ]  # fmt: skip
    # the client says that a GIF is an image, since its server has no videos yet
    content = {it.key: bytes_of(it.blob) for it in items}
    assert content["image"].startswith(b"\x89PNG")
    assert content["sound"].startswith(b"RIFF")
    assert content["clip"].startswith(b"GIF89a")
    assert b"<b>x</b>" in content["page"]
    assert [point[:3] for point in json.loads(content["cloud"])["points"]] == np.eye(3).tolist()
    assert json.loads(content["chart"])["series"][0]["name"] == "n"
    files = {it.path: it for it in found.chunks if isinstance(it, chunks.File)}
    assert bytes_of(files["files/weights.bin"].blob) == b"weights"
    assert found.texts("text") == [(3, "hello")]
    lines = [
        row["line"]
        for chunk in found.chunks if isinstance(chunk, chunks.Console)
        for row in chunk.batch.to_pylist()
    ]  # fmt: skip
    assert "a line\n" in lines
    values = {
        it.path: it.value
        for chunk in found.chunks if isinstance(chunk, chunks.Attributes)
        for it in chunk.items if it.role == "config"
    }  # fmt: skip
    assert values == {("lr",): 0.1, ("net", "layers"): [1, 2]}
    run = [chunk.run for chunk in found.chunks if isinstance(chunk, chunks.Header)][-1]
    assert (run.project, run.name, run.notes, run.group) == ("proj", "one", "why", "g")
    assert (run.state, run.complete) == ("finished", True)
    assert run.client is not None
    assert run.client.startswith("swanlab ")


_RESUME = """
import sys
import swanlab
for first in (0, 3):
    swanlab.init(project="proj", id="again", resume="allow", mode="offline", log_dir=sys.argv[1])
    for step in range(first, first + 3):
        swanlab.log({"loss": float(step)}, step=step)
    swanlab.finish()
"""


def test_what_the_client_resumes_is_one_run(tmp_path: Path) -> None:
    home = tmp_path / "swanlog"
    home.mkdir()
    subprocess.run(
        command_apart(_RESUME, str(home)),
        env=environment_apart() | {"SWANLAB_SAVE_DIR": str(tmp_path / "home")},
        cwd=tmp_path, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert len(list(home.glob("run-*/run-*.swanlab"))) == 2
    found = gather_one(SwanlabReader, home)
    assert found.series("loss") == [(step, float(step)) for step in range(6)]
    assert not found.losses
    assert not WandbReader.recognises(home)  # whose run folders are called alike
