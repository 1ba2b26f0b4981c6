"""Histograms, media, texts, curves, graphs and hyperparameters, as TensorBoard writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_files import scan
from event_values import TIME, events_of, one, write
from tensorboard.compat.proto.event_pb2 import Event, TaggedRunMetadata
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.mesh import metadata as meshes
from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
from tensorboard.util import tensor_util
from tensorboardX import SummaryWriter

from runferry import tables

LARGEST = 1.797_693_134_862_315_7e308


@pytest.mark.parametrize(
    ("limits", "least"),
    [([-1.0, 0.5, 1e12], -1.5), ([-LARGEST, 0.0, LARGEST], 3.0), ([], 0.0), ([math.nan], math.nan)],
)
def test_a_histogram_message_can_be_had_back(
    tmp_path: Path, limits: list[float], least: float
) -> None:
    counts = [float(n) + 0.5 for n, _ in enumerate(limits)]
    message = HistogramProto(
        min=least,
        max=1e300,
        num=7,
        sum=-0.1,
        sum_squares=math.inf,
        bucket_limit=limits,
        bucket=counts,
    )
    value = Summary.Value(tag="h", histo=message)
    (row,) = scan(write(tmp_path, Summary(value=[value]))).rows["histograms"]
    again = HistogramProto(bucket_limit=row["edges"][1:], bucket=row["counts"])
    rest = tables.loads(row["extra"])
    assert isinstance(rest, dict)
    for name, value in rest.items():
        setattr(again, name, value)
    assert again.SerializeToString() == message.SerializeToString()
    assert len(row["edges"]) == len(row["counts"]) + 1
    assert row["counts_kind"] == "float64"


def test_a_tensor_of_bins_gives_edges_and_counts(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    summaries = [histogram_pb("h", random.normal(size=100), buckets=n) for n in (1, 5, 30)]
    gaps = np.array([[0.0, 1.0, 3.0], [2.0, 3.0, 4.0]])
    arrays = (gaps, gaps.astype(np.float32), np.zeros((0, 3)))
    summaries += [one("h", tensor_util.make_tensor_proto(array)) for array in arrays]
    path = write(tmp_path, *summaries)
    found = scan(path)
    assert not found.damage
    for (_, event), row in zip(events_of(path), found.rows["histograms"], strict=True):
        bins = tensor_util.make_ndarray(event.summary.value[0].tensor)
        extra = json.loads(row["extra"] or "{}")
        edges = np.array(row["edges"])
        joined = np.stack([edges[:-1], edges[1:], row["counts"]], axis=1) if len(bins) else bins
        again = np.array(extra["bins"]) if "bins" in extra else joined
        assert (again == bins).all()
        assert extra.get("dtype", "float64") == str(bins.dtype)
    assert [bool(row["extra"]) for row in found.rows["histograms"]] == [0, 0, 0, 1, 1, 0]


def test_images_and_clips_are_rows_with_their_bytes(tmp_path: Path) -> None:
    image = Summary.Image(height=2, width=3, colorspace=4, encoded_image_string=b"old png")
    audio = Summary.Audio(
        sample_rate=44100, num_channels=2, length_frames=9, encoded_audio_string=b"old wav",
        content_type="audio/wav",
    )  # fmt: skip
    old = [Summary.Value(tag="i", image=image), Summary.Value(tag="a", audio=audio)]
    clips = np.array([[b"wav 1", b"first"], [b"wav 2", b""]], dtype=object)
    found = scan(
        write(
            tmp_path,
            Summary(value=old),
            one("v2", tensor_util.make_tensor_proto([b"3", b"2", b"png 1", b"\xff"]), "images"),
            one("v2 audio", tensor_util.make_tensor_proto(clips), "audio"),
        )
    )
    shown = [
        (row["tag"], row["seq"], row["index"], row["form"], row["content"], row["caption"])
        for row in found.rows["media"]
    ]
    assert shown == [
        ("i", 0, 0, "image", b"old png", None),
        ("a", 0, 0, "audio", b"old wav", None),
        ("v2", 1, 0, "image", b"png 1", None),
        ("v2", 1, 1, "image", b"\xff", None),
        ("v2 audio", 2, 0, "audio", b"wav 1", "first"),
        ("v2 audio", 2, 1, "audio", b"wav 2", ""),
    ]
    assert [json.loads(row["metadata"] or "null") for row in found.rows["media"]] == [
        {"width": 3, "height": 2, "colorspace": 4},
        {
            "sample_rate": 44100.0,
            "num_channels": 2,
            "length_frames": 9,
            "content_type": "audio/wav",
        },
        *[{"width": 3, "height": 2}] * 2,
        *[None] * 2,
    ]


def test_texts_of_several_elements_are_nested_lists(tmp_path: Path) -> None:
    table = np.array([["a", 'b"'], ["c\n", "ü"]], dtype=object)
    arrays: list[Any] = ["one", ["one"], ["x", "y"], table]
    tensors = [tensor_util.make_tensor_proto(array) for array in arrays]
    rows = scan(write(tmp_path, *(one("t", t, "text") for t in tensors))).rows["texts"]
    assert [row["form"] for row in rows] == ["text", "text", "json", "json"]
    assert [row["text"] for row in rows[:2]] == ["one", "one"]
    assert [json.loads(row["text"]) for row in rows[2:]] == [["x", "y"], table.tolist()]


def test_pr_curves_and_meshes_keep_all_that_is_in_them(tmp_path: Path) -> None:
    curves = np.array([[0.1, 0.7]] * 6, np.float32) * np.arange(1, 7, dtype=np.float32)[:, None]
    curve = one("pr", tensor_util.make_tensor_proto(curves), "pr_curves", b"\x10\x02")
    points = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    mesh = Summary()
    for part in (MeshPluginData.VERTEX, MeshPluginData.FACE):
        about = meshes.create_summary_metadata("m", "M", part, 3, [1, 2, 3], "", '{"a": 1}')
        tensor = tensor_util.make_tensor_proto(points)
        mesh.value.add(tag=meshes.get_instance_name("m", part), tensor=tensor, metadata=about)
    path = write(tmp_path, curve, mesh)
    found = scan(path)
    first, *parts = found.rows["media"]
    assert np.array_equal(np.array(list(json.loads(first["content"]).values())), curves)
    assert list(json.loads(first["content"]))[::5] == ["true_positives", "recall"]
    assert json.loads(first["metadata"]) == {"plugin": "pr_curves", "dtype": "float32"}
    for row, value in zip(parts, mesh.value, strict=True):
        assert (row["tag"], row["form"]) == (value.tag, "mesh")
        assert TensorProto.FromString(row["content"]) == value.tensor
        about = json.loads(row["metadata"])
        assert (about["name"], about["shape"], about["plugin"]) == ("m", [1, 2, 3], "mesh")
        assert (about["components"], about["json_config"]) == (3, '{"a": 1}')
        assert about["content_type"] == value.tag.rpartition("_")[2]


def test_graphs_are_blobs_whatever_they_come_in(tmp_path: Path) -> None:
    run = TaggedRunMetadata(tag="step 1", run_metadata=b"run")
    keras = one("keras", tensor_util.make_tensor_proto([b"{}"]), "graph_keras_model")
    events = [Event(graph_def=b"g"), Event(meta_graph_def=b"m"), Event(tagged_run_metadata=run)]
    found = scan(write(tmp_path, *events, keras))
    shown = [(r["tag"], r["plugin"], r["form"], r["content"]) for r in found.rows["media"]]
    assert shown == [
        ("graph_def", "graphs", "graph_def", b"g"),
        ("meta_graph_def", "graphs", "meta_graph_def", b"m"),
        ("step 1", "graph_tagged_run_metadata", "tagged_run_metadata", b"run"),
        ("keras", "graph_keras_model", "graph_keras_model", b"{}"),
    ]


def test_hparams_are_messages_by_field_name(tmp_path: Path) -> None:
    start = hparams.hparams_pb(
        {"lr": 0.1, "name": "x", "on": True}, trial_id="group", start_time_secs=12.5
    )
    config = hparams.hparams_config_pb(
        hparams=[hparams.HParam("lr", hparams.RealInterval(0.0, 1.0))],
        metrics=[hparams.Metric("loss", display_name="Loss")],
        time_created_secs=3.0,
    )
    found = scan(write(tmp_path, config, start))
    records = {kind: (seq, message) for kind, _, seq, _, message in found.records}
    assert records["session_start_info"] == (
        0,
        {
            "step": 1,
            "hparams": {
                "lr": {"number_value": 0.1},
                "name": {"string_value": "x"},
                "on": {"bool_value": True},
            },
            "group_name": "group",
            "start_time_secs": 12.5,
        },
    )
    experiment = records["experiment"][1]
    assert experiment["hparam_infos"][0]["domain_interval"] == {"max_value": 1.0}
    assert experiment["metric_infos"][0]["display_name"] == "Loss"
    assert found.seq == 0


def test_tensorboardx_files_hold_what_was_logged(tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path))
    for step in range(50):
        writer.add_scalar("loss", step / 7, step)
        writer.add_scalar("acc", -step, step, walltime=TIME + step)
    writer.add_histogram("h", np.arange(100.0), 3)
    writer.add_text("note", "hello *world*", 4)
    writer.add_image("img", np.zeros((3, 4, 5), np.uint8), 5)
    writer.add_pr_curve("pr", np.array([0, 1, 1]), np.array([0.2, 0.7, 0.9]), 6)
    writer.add_custom_scalars({"category": {"chart": ["Multiline", ["loss", "acc"]]}})
    writer.close()
    (path,) = tmp_path.glob("events*")
    found = scan(path)
    assert not found.damage
    assert found.values("loss") == [float(np.float32(step / 7)) for step in range(50)]
    assert [r["time"] / 10**9 for r in found.points if r["tag"] == "acc"] == [
        TIME + step for step in range(50)
    ]
    (histogram,) = found.rows["histograms"]
    assert sum(histogram["counts"]) == 100
    (text,) = found.rows["texts"]
    assert text["text"] == "hello *world*"
    image, curve = found.rows["media"]
    assert image["content"].startswith(b"\x89PNG")
    assert (image["form"], curve["form"]) == ("image", "pr_curve")
    layout = next(message for kind, *_, message in found.records if kind == "layout")
    assert layout["category"][0]["chart"][0]["multiline"] == {"tag": ["loss", "acc"]}
