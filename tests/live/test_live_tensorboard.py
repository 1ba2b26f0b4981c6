"""TensorBoard: what is mirrored equals what conversion of the same event files gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from training import WITHOUT_COMET, differences, rows, settled, train

from runferry.dialects.tensorboard.names import PROJECTOR
from runferry.live.replicas.tensorboard import EventReplica

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
pytest.importorskip("tensorboard", reason="tensorboard is not installed")

BEGIN = """
from runferry.live.interfaces import sync_tensorboard
sync_tensorboard(to="archive:./mirrored", root="runs")
from tensorboardX import SummaryWriter
import numpy as np
"""


def _compared(folder: Path) -> list[str]:
    assert settled(folder).state == "done"
    return differences(f"tensorboard:{folder / 'runs'}", f"archive:{folder / 'mirrored'}")


def test_all_kinds_of_values_of_tensorboardx(tmp_path: Path) -> None:
    train(
        tmp_path,
        BEGIN
        + """
writer = SummaryWriter("runs/all")
for step in range(20):
    writer.add_scalar("loss", 1 / (step + 1), step, walltime=1e9 + step)
writer.add_scalar("odd", float("nan"), 3)
writer.add_scalar("odd", float("inf"), 2)
writer.add_scalars("group", {"train": 1.5, "test": 2.5}, 1)
writer.add_histogram("weights", np.arange(100.0), 1)
writer.add_text("words", "hello", 1)
writer.add_image("image", np.zeros((3, 4, 4), "uint8"), 1)
writer.add_audio("sound", np.zeros((100, 1), "float32"), 1, sample_rate=8000)
writer.add_pr_curve("curve", np.array([0, 1, 1]), np.array([0.1, 0.9, 0.4]), 1)
writer.add_hparams({"lr": 0.1, "name": "x"}, {"accuracy": 0.5})
writer.add_mesh("mesh", vertices=np.zeros((1, 3, 3), "float32"))
writer.add_embedding(np.eye(3), metadata=["a", "b", "c"], global_step=1)
writer.add_images("images", np.zeros((2, 3, 4, 4), "uint8"), 1)
writer.add_image_with_boxes("boxed", np.zeros((3, 8, 8), "uint8"), np.array([[1, 1, 4, 4]]), 1)
writer.add_custom_scalars({"x": {"y": ["Multiline", ["loss", "odd"]]}})
writer.add_histogram_raw("raw", 0, 3, 3, 6, 14, [1, 2, 3], [1, 1, 1], 1)
writer.close()
""",
    )
    assert _compared(tmp_path) == []


def test_the_writer_that_torch_uses(tmp_path: Path) -> None:
    train(
        tmp_path,
        BEGIN
        + """
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
writer = EventFileWriter("runs/torch", filename_suffix=".suffix")
for step in range(50):
    value = Summary.Value(tag="loss", simple_value=step / 3)
    writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))
writer.close()
try:
    writer.add_event(Event())
except OSError:
    print("its own error")
""",
    )
    assert _compared(tmp_path) == []


def test_a_writer_that_was_there_before_is_the_same_run(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        from tensorboardX import SummaryWriter
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        writer, other = SummaryWriter("runs/there"), EventFileWriter("runs/other")
        from runferry.live.interfaces import sync_tensorboard
        sync_tensorboard(to="archive:./mirrored", root="runs")
        writer.add_scalar("loss", 1, 1)
        value = Summary.Value(tag="loss", simple_value=1)
        other.add_event(Event(wall_time=1.0, step=1, summary=Summary(value=[value])))
        writer.close()
        other.close()
        """,
    )
    assert _compared(tmp_path) == []


def test_one_of_several_writers_is_closed_and_the_others_go_on(tmp_path: Path) -> None:
    train(
        tmp_path,
        BEGIN
        + """
writers = [SummaryWriter(f"runs/{name}") for name in "abc"]
for step in range(30):
    for number, writer in enumerate(writers):
        if step == 10 and number == 1:
            writer.close()
        if step < 10 or number != 1:
            writer.add_scalar("loss", step, step)
for writer in writers:
    writer.close()
""",
    )
    assert _compared(tmp_path) == []
    assert len(rows(f"archive:{tmp_path / 'mirrored'}")["loss"]) == 70


def test_threads_forks_and_spawned_children_are_mirrored_each_point_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        WITHOUT_COMET
        + """
# tensorboardX imports them late: in one thread while another forks, the child hangs without us, too
import multiprocessing.queues, multiprocessing.synchronize
import os, sys, threading
from runferry.live.interfaces import sync_tensorboard
sync_tensorboard(to="archive:./mirrored", root="runs")
from tensorboardX import SummaryWriter

def write(name):
    writer = SummaryWriter(f"runs/{name}")
    for step in range(20):
        writer.add_scalar(f"of/{name}", step, step)
    writer.close()

if __name__ == "__main__":
    started = [threading.Thread(target=write, args=("thread",))]
    started += [
        multiprocessing.get_context(how).Process(target=write, args=(how,))
        for how in ("fork", "spawn")
    ]
    for one in started:
        one.start()
    for one in started:
        one.join()
    write("parent")
"""
    )
    train(
        tmp_path,
        "import runpy; sys.argv = ['script.py']; import subprocess; "
        "sys.exit(subprocess.call([sys.executable, '-W', 'ignore', 'script.py']))",
    )
    assert _compared(tmp_path) == []
    found = rows(f"archive:{tmp_path / 'mirrored'}")
    assert {key: len(points) for key, points in found.items()} == dict.fromkeys(
        ("of/thread", "of/fork", "of/spawn", "of/parent"), 20
    )


def test_start_stop_start_mirrors_what_was_logged_between(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        from runferry.live.interfaces import stop_logging, sync_tensorboard
        from tensorboardX import SummaryWriter
        writer = SummaryWriter("runs/a")
        for step in range(30):
            if step in (5, 20):
                sync_tensorboard(to="archive:./mirrored")
            writer.add_scalar("loss", step, step)
            if step in (9, 24):
                (told,) = stop_logging().values()
                assert told["pending"] == 0 and told["failing"] is None, told
        writer.close()
        """,
    )
    settled(tmp_path)
    found = rows(f"archive:{tmp_path / 'mirrored'}")["loss"]
    assert [step for step, _ in found] == [*range(5, 10), *range(20, 25)]


def test_what_a_projector_names_never_takes_the_place_of_an_event_file(tmp_path: Path) -> None:
    """Files are brought as links: what is written to such a one would go into the user's own."""
    home, name = tmp_path / "runs", "events.out.tfevents.1"
    home.mkdir()
    named = [name, "events.out.tfevents.2", "metadata.tsv"]
    for one in named:
        (home / one).write_text("mine")
    (home / PROJECTOR).write_text("".join(f'metadata_path: "{one}"\n' for one in named))
    EventReplica(tmp_path / "replica" / name, home / name).end()
    brought = {path.name for path in (tmp_path / "replica").iterdir()}
    assert brought == {PROJECTOR, "metadata.tsv"}
