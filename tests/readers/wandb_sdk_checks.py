"""What a run of `wandb_sdk_script` must read as, whatever version of wandb made it."""

from __future__ import annotations

import math
from pathlib import Path

from tests.blobs import bytes_of
from wandb_runs import Gathered
from wandb_sdk_script import STEPS


def check_header(found: Gathered, version: str) -> None:
    header = found.header
    assert (header.key.scope, header.key.run_id) == ("proj", "run1")
    assert (header.name, header.project, header.notes) == ("shown", "proj", "noted")
    assert (header.group, header.job_type, header.tags) == ("g", "train", ("t1", "t2"))
    assert header.client == f"wandb {version}"
    assert header.host
    assert header.started_ns is not None
    assert header.started_ns > 1_600_000_000 * 10**9
    assert (header.exit_code, header.state, header.complete) == (3, "failed", True)
    assert header.ended_ns is None or header.ended_ns >= header.started_ns


def check_attributes(found: Gathered) -> None:
    assert found.role("config") == {
        ("lr",): 0.1,
        ("net", "deep"): [1, 2],
        ("net", "none"): {},
        ("dotted.key",): None,
        ("b",): True,
        ("late",): [1, None],
    }
    summary = found.role("summary")
    assert summary[("epoch",)] == (STEPS - 1) // 2
    assert summary[("best", "step")] == 2
    assert summary[("big",)] == 2**53 + STEPS
    assert summary[("loss", "min")] == 1 / STEPS
    assert isinstance(summary[("image",)], dict)


def check_scalars(found: Gathered) -> None:
    steps = list(range(STEPS))
    rows = found.points("loss")
    assert [row["step"] for row in rows] == steps
    assert [row["value"] for row in rows] == [1 / (step + 1) for step in steps]
    times = [row["time"].timestamp() for row in rows]
    assert times == sorted(times)
    assert found.header.started is not None
    assert 0 <= times[0] - found.header.started.timestamp() < 120
    assert len({row["seq"] for row in found.points("epoch")}) == STEPS
    assert all(math.isnan(value) for value in found.values("val/acc"))
    assert found.values("inf") == [-math.inf] * STEPS
    # every second one of these is a double
    assert [row["value_i64"] for row in found.points("big")] == [
        None if step % 2 else 2**53 + 1 + step for step in steps
    ]
    assert [(row["value"], row["kind"]) for row in found.points("flag")] == [
        (float(step % 2 == 0), "bool") for step in steps
    ]
    by_path = {series.path: key for key, series in found.series.items()}
    assert found.values(by_path["nested", "a.b"]) == [float(step) for step in steps]
    assert found.values(by_path["nested", "deep", "x"]) == [0.5] * STEPS
    texts = [row for row in found.rows("texts") if row["key"] == "note"]
    assert [row["text"] for row in texts] == [f"n{step} ünïcode" for step in steps]
    assert [row["step"] for row in found.points("skipped")] == [50]
    assert found.series["val/acc"].x_axis == "epoch"
    assert found.series["loss"].summary_rule == "min"


def check_media(found: Gathered) -> None:
    steps = list(range(STEPS, 2 * STEPS))
    rows = [row for row in found.rows("histograms") if row["key"] == "hist"]
    assert [row["step"] for row in rows] == steps
    assert rows[0]["edges"] == [0.0, 0.5, 1.0, 2.0]
    assert rows[0]["counts"] == [1.0, 2.0, 3.0]
    by_key = {key: [m for m in found.media if m.key == key] for key in found.series}
    assert [item.at.step for item in by_key["image"]] == steps
    assert [item.caption for item in by_key["image"]] == [f"c{n}" for n in range(STEPS)]
    assert all(bytes_of(item.blob).startswith(b"\x89PNG") for item in by_key["image"])
    if "images" in by_key:
        captions = [(item.index, item.caption) for item in by_key["images"]]
        assert captions == [(0, "one"), (1, None)] * STEPS
    assert bytes_of(by_key["html"][0].blob) == b"<b>0</b>"
    if "table" in by_key:
        assert [item.media_type for item in by_key["table"]] == ["table"] * STEPS
        assert b'"x"' in bytes_of(by_key["table"][0].blob)
    assert all(not item.blob.is_missing for item in found.media)
    assert not [path for path in found.files if path.startswith("media/")]


def check_files(found: Gathered) -> None:
    assert found.files["model.ckpt"].role == "checkpoint"
    assert bytes_of(found.files["model.ckpt"].blob) == b"weights"
    listing = found.files.get("requirements.txt")  # 0.17.5 leaves it out
    assert listing is None or listing.role == "requirements"
    (made,) = (a for a in found.artifacts if a.name == "things")
    assert (made.type, made.relation) == ("dataset", "produced")
    assert "best" in made.aliases  # younger clients add "latest"
    assert isinstance(made.metadata, dict)
    assert made.metadata["k"] == [1]
    members = {entry.path: entry for entry in made.entries}
    assert bytes_of(members["in/member.txt"].blob) == b"member"
    assert members["there"].reference is not None


def check_console(found: Gathered) -> None:
    for stream in ("stdout", "stderr"):
        lines = [row["line"] for row in found.rows("console") if row["stream"] == stream]
        assert f"to {stream}" in "".join(lines)


def check_all(found: Gathered, version: str) -> None:
    check_header(found, version)
    check_attributes(found)
    check_scalars(found)
    check_media(found)
    check_files(found)
    check_console(found)
    assert not found.raws
    assert found.codes() <= {"linked-file"}, "`wandb.save` makes links"


def only_database(home: Path) -> Path:
    (path,) = (home / "wandb").glob("*run-*/run-*.wandb")
    return path
