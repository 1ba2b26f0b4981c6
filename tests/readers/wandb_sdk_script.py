"""Logs with whatever wandb is installed; run by tests in a process, and a version, of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

STEPS = 4


def main(mode: str, home: Path) -> None:
    silence(home)
    import wandb

    settings: dict[str, Any] = {"dir": str(home), "project": "proj", "id": "run1", "name": "shown"}
    if mode == "resume":
        settings["resume"] = "allow"
    if mode == "resumed":
        for part in range(2):
            with_resume = {**settings, "resume": "allow", "reinit": True}
            run = wandb.init(**with_resume)
            for step in range(STEPS):
                run.log({"loss": float(part * 100 + step)})
            run.finish()
        return
    if mode == "rewound":
        again = [{}, *({"id": None, "resume_from": f"run1?_step={step}"} for step in (2, 3))]
        for part, changed in enumerate(again):
            run = wandb.init(**{**settings, **changed})
            for step in range(STEPS):
                run.log({"loss": float(part * 100 + step)})
            run.finish()
            time.sleep(1.1)  # folders are named by the second
        return
    if mode == "config":
        growing_config(wandb, settings, home)
        return
    if mode == "rich":
        run = wandb.init(**settings)
        for key, value in rich_media(wandb, home).items():
            run.log({key: value})
        run.finish()
        return
    config = {"lr": 0.1, "net": {"deep": [1, 2], "none": {}}, "dotted.key": None, "b": True}
    more = {"tags": ["t1", "t2"], "notes": "noted", "group": "g", "job_type": "train"}
    run = wandb.init(**settings, config=config, **more)
    run.define_metric("val/*", step_metric="epoch")
    run.define_metric("loss", summary="min")
    print("to stdout")
    print("to stderr", file=sys.stderr)
    for step in range(STEPS):
        run.log(scalars(step))
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    for step in range(STEPS):
        run.log(media(wandb, step))
    artifact(wandb, run, home)
    (home / "model.ckpt").write_text("weights")
    run.save(str(home / "model.ckpt"), base_path=str(home))
    run.config.update({"late": [1, None]})
    run.summary["best"] = {"step": 2, "of": None}
    run.log({"skipped": 1}, step=50)
    run.finish(exit_code=3)


def growing_config(wandb: Any, settings: dict[str, Any], home: Path) -> None:
    """Config that is updated in parts, by the user and by the client itself."""
    nested = {"name": "adam", "lr": 1e-3, "betas": {"first": 0.9, "second": 0.99}}
    run = wandb.init(**settings, config={"opt": nested, "was": {"a": 1}, "plain": 5})
    run.config.update({"opt": {"lr": 0.5, "betas": {"second": {}}}}, allow_val_change=True)
    run.config.update({"was": 7, "plain": {"now": 1}, "none": {}}, allow_val_change=True)
    table = wandb.Table(columns=["label", "value"], data=[["x", 1]])
    run.log({"chart": wandb.plot.bar(table, "label", "value", title="shown")})
    (home / "code").mkdir()
    (home / "code" / "train.py").write_text("pass")
    run.log_code(str(home / "code"))
    run.finish()


def scalars(step: int) -> dict[str, Any]:
    return {
        "loss": 1 / (step + 1),
        "epoch": step // 2,
        "val/acc": float("nan"),
        "inf": float("-inf"),
        "big": 2**53 + 1 + step,
        "flag": step % 2 == 0,
        "note": f"n{step} ünïcode",
        "nested": {"a.b": step, "deep": {"x": 0.5}},
        "list": [1, float("nan"), "x"],
    }


def media(wandb: Any, step: int) -> dict[str, Any]:
    import numpy as np

    pixels = np.full((4, 6, 3), step, dtype="uint8")
    counts = np.array([1, 2, 3]), np.array([0.0, 0.5, 1.0, 2.0])
    logged = {
        "hist": wandb.Histogram(np_histogram=counts),
        "image": wandb.Image(pixels, caption=f"c{step}"),
        "html": wandb.Html(f"<b>{step}</b>", inject=False),
    }
    # some versions ask the server about lists or tables, even offline, and wait for an answer
    if not wandb.__version__.startswith("0.12."):
        logged["images"] = [wandb.Image(pixels, caption="one"), wandb.Image(pixels + 1)]
    if not wandb.__version__.startswith(("0.12.", "0.18.")):
        logged["table"] = wandb.Table(columns=["a", "b"], data=[[step, "x"]])
    return logged


def rich_media(wandb: Any, home: Path) -> dict[str, Any]:
    """Media of every other kind that this installation can make."""
    import wave

    with wave.open(str(home / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(200))
    (home / "v.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(50))
    (home / "m.pdb").write_text("END\n")
    (home / "o.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    video = str(home / "v.mp4")
    logged = {
        "audio": wandb.Audio(str(home / "a.wav"), caption="heard"),
        "video": wandb.Video(video, caption="seen", format="mp4"),
        "videos": [wandb.Video(video, format="mp4"), wandb.Video(video, format="mp4")],
        "molecule": wandb.Molecule(str(home / "m.pdb")),
        "object3D": wandb.Object3D(str(home / "o.obj")),
        "html": wandb.Html("<b>x</b>", inject=False),
    }
    try:
        import plotly.graph_objects as plotly

        logged["plot"] = wandb.Plotly(plotly.Figure(data=[plotly.Scatter(x=[1, 2], y=[3, 4])]))
    except ImportError:
        pass
    try:
        from bokeh.plotting import figure
        from wandb.sdk.data_types.bokeh import Bokeh

        drawn = figure()
        drawn.line([1, 2], [3, 4])
        logged["bokeh"] = Bokeh(drawn)
    except ImportError:
        pass
    return logged


def artifact(wandb: Any, run: Any, home: Path) -> None:
    (home / "member.txt").write_text("member")
    made = wandb.Artifact("things", "dataset", metadata={"k": [1]})
    made.add_file(str(home / "member.txt"), name="in/member.txt")
    made.add_reference((home / "member.txt").as_uri(), name="there")
    run.log_artifact(made, aliases=["best"])


def silence(home: Path) -> None:
    os.environ.update(
        WANDB_MODE="offline",
        WANDB_SILENT="true",
        WANDB_ERROR_REPORTING="false",
        WANDB_DISABLE_GIT="true",
        WANDB_DISABLE_CODE="true",
        WANDB__DISABLE_STATS="false",
        WANDB_DATA_DIR=str(home / "data"),
        WANDB_CACHE_DIR=str(home / "cache"),
        WANDB_CONFIG_DIR=str(home / "config"),
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
