"""Figures of Plotly for SwanLab: drawn anew as ECharts, and what is not drawn is told."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.transfer.roads import pull_from

from runferry.archive.store import Archive
from runferry.losses import Fate
from runferry.model import Address, Blob, MediaItem
from runferry.ports import Location
from runferry.testing.recording import Recording
from runferry.testing.reference import record
from runferry.testing.samples import START_NS, header
from runferry.transfer.destination import ledger_key
from runferry.transfer.push import push
from runferry.writers.swanlab import plotly_chart
from runferry.writers.swanlab.charts import plot_chart

NUMBERS = st.lists(st.one_of(st.none(), st.integers(), st.floats()), min_size=1, max_size=30)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["dtype", "bdata", "shape", "text", "x", "y"]), inner),
    ),
    max_leaves=6,
)
PARTS = ("x", "y", "z", "labels", "values", "mode", "line", "xaxis", "yaxis", "name", "domain",
         "x0", "dx", "hole", "visible", "orientation", "transpose", "xbins", "nbinsx", "histnorm",
         "cumulative", "q1", "median", "q3", "boxpoints")  # fmt: skip
AXIS_PARTS = ("type", "title", "range", "autorange", "domain", "overlaying", "categoryarray",
              "categoryorder")  # fmt: skip


def packed(numbers: Any, dtype: str, shape: str | None = None) -> dict[str, str]:
    content = np.asarray(numbers, np.dtype(f"<{dtype}")).tobytes()
    found = {"dtype": dtype, "bdata": base64.b64encode(content).decode()}
    return found if shape is None else found | {"shape": shape}


def charted(*traces: dict[str, Any], **layout: Any) -> tuple[Any, str]:
    """The options of a figure's chart, and what is told of it."""
    figure = {"data": traces, "layout": layout}
    chart = plot_chart(json.dumps(figure).encode())
    assert chart.content is not None
    return json.loads(chart.content, parse_constant=pytest.fail), chart.told


def shown(numbers: list[Any]) -> list[Any]:
    """What JSON has no number for is a gap."""
    return [None if isinstance(one, float) and not math.isfinite(one) else one for one in numbers]


@given(first=NUMBERS, second=NUMBERS, kind=st.sampled_from(["scatter", "scattergl", "bar", None]))
@settings(max_examples=50)
def test_every_value_is_in_its_series_in_its_order(
    first: list[Any], second: list[Any], kind: str | None
) -> None:
    option, _ = charted({"type": kind, "y": first, "name": "a"}, {"type": kind, "y": second})
    assert [series["name"] for series in option["series"]] == ["a", "trace 1"]
    for series, numbers in zip(option["series"], (first, second), strict=True):
        assert series["data"] == [[at, one] for at, one in enumerate(shown(numbers))]


@given(st.lists(st.lists(st.one_of(st.none(), st.floats()), min_size=3, max_size=3), min_size=1))
@settings(max_examples=25)
def test_every_cell_of_a_heatmap_is_there_in_its_order(rows: list[list[Any]]) -> None:
    names = ["a", "b", "c"]
    option, _ = charted({"type": "heatmap", "z": rows, "x": names})
    (series,) = option["series"]
    cells = [[x, str(y), z] for y, row in enumerate(rows) for x, z in zip(names, row, strict=True)]
    assert series["data"] == [[x, y, *shown([z])] for x, y, z in cells]
    assert option["xAxis"][0]["data"] == names
    assert option["yAxis"][0]["data"] == [str(at) for at in range(len(rows))]
    numbers = [z for *_, z in series["data"] if z is not None] or [0, 1]
    assert option["visualMap"][0]["min"] == min(numbers)


def test_every_slice_of_a_pie_is_there_in_its_order() -> None:
    option, _ = charted({"type": "pie", "labels": ["a", 2], "values": [3, None], "hole": 0.5})
    (series,) = option["series"]
    assert series["data"] == [{"name": "a", "value": 3}, {"name": "2", "value": None}]
    assert (series["radius"], option["legend"]["show"]) == (["35%", "70%"], True)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
def test_packed_columns_are_what_they_spell(dtype: str) -> None:
    plain, _ = charted({"x": [3, 1, 2], "y": [1, 0, 7]})
    assert charted({"x": packed([3, 1, 2], dtype), "y": packed([1, 0, 7], dtype)})[0] == plain
    cells = packed([1, 2, 3, 4, 5, 6], dtype, "2, 3")
    option, _ = charted({"type": "heatmap", "z": cells})
    assert [cell[2] for cell in option["series"][0]["data"]] == [1, 2, 3, 4, 5, 6]


def test_a_packed_gap_is_a_gap() -> None:
    option, _ = charted({"y": packed([1, math.nan, math.inf], "f8")})
    assert option["series"][0]["data"] == [[0, 1], [1, None], [2, None]]


def test_lines_and_markers_are_drawn_as_plotly_draws_them() -> None:
    few, many = {"y": [1] * 19}, {"y": [1] * 20}
    modes = [few, many, {"y": [1], "mode": "markers"}, {"y": [1], "mode": "lines"}]
    option, _ = charted(*modes, {"y": [1], "line": {"shape": "hv", "dash": "dot"}})
    forms = [(series["type"], series.get("showSymbol")) for series in option["series"]]
    assert forms[:4] == [("line", True), ("line", False), ("scatter", None), ("line", False)]
    assert option["series"][4]["step"] == "end"
    assert option["series"][4]["lineStyle"] == {"type": "dotted"}


def test_axes_have_their_titles_types_and_directions() -> None:
    x = {"title": {"text": "<b>step</b>"}, "type": "log", "range": [0, 2]}
    option, _ = charted(
        {"x": [0, 1, 100], "y": ["low", "high", "low"]},
        title={"text": "all<br>of it"}, xaxis=x, yaxis={"title": "how", "autorange": "reversed"},
    )  # fmt: skip
    (across,), (up,) = option["xAxis"], option["yAxis"]
    assert (across["type"], across["name"], across["min"], across["max"]) == ("log", "step", 1, 100)
    assert (up["type"], up["data"], up["inverse"]) == ("category", ["low", "high"], True)
    assert option["title"]["text"] == "all\nof it"
    assert option["series"][0]["data"] == [[None, "low"], [1, "high"], [100, "low"]]


@pytest.mark.parametrize(
    ("places", "kind"),
    [
        (["2023-11-14", "2023-11-14 22:13:20.5", None], "time"),
        (["2023-11-14T22:13:20Z"], "time"),
        (["1", "2.5"], "value"),
        (["1", "b"], "category"),
        (["2023-11-14", "never"], "category"),
        ([None, 2], "value"),
    ],
)
def test_an_axis_is_of_the_type_that_its_places_have(places: list[Any], kind: str) -> None:
    option, _ = charted({"x": places, "y": [1] * len(places)})
    assert option["xAxis"][0]["type"] == kind
    assert [point[0] for point in option["series"][0]["data"]] == places


def test_bars_lie_stack_and_stand_on_zero() -> None:
    bars = {"type": "bar", "x": [3, 4], "y": [10, 2], "orientation": "h"}
    option, _ = charted(bars, bars, barmode="stack", bargap=0)
    assert option["yAxis"][0]["data"] == ["2", "10"]
    assert option["series"][0]["data"] == [[3, "10"], [4, "2"]]
    assert option["series"][0]["stack"] == option["series"][1]["stack"]
    assert option["series"][0]["barCategoryGap"] == "0%"
    assert option["xAxis"][0]["scale"] is False


def test_bars_at_numbers_have_room_at_both_ends() -> None:
    option, _ = charted({"type": "bar", "x": [10, 20, 40], "y": [1, 2, 3]})
    (across,) = option["xAxis"]
    assert (across["boundaryGap"], across["scale"]) == (["16.6667%", "16.6667%"], True)


def test_a_second_axis_shares_its_grid_and_a_subplot_has_its_own() -> None:
    traces = [{"y": [1]}, {"y": [2], "yaxis": "y2"}, {"y": [3], "xaxis": "x3", "yaxis": "y3"}]
    option, _ = charted(
        *traces, xaxis={"domain": [0, 0.4]}, yaxis2={"overlaying": "y", "side": "right"},
        xaxis3={"domain": [0.6, 1]},
    )  # fmt: skip
    assert len(option["grid"]) == 2
    at = [(series["xAxisIndex"], series["yAxisIndex"]) for series in option["series"]]
    assert [axis["gridIndex"] for axis in option["xAxis"]] == [0, 1, 1][: len(option["xAxis"])]
    for (x, y), grid in zip(at, (0, 0, 1), strict=True):
        assert option["xAxis"][x]["gridIndex"] == option["yAxis"][y]["gridIndex"] == grid
    assert option["yAxis"][at[1][1]]["position"] == "right"


def test_a_histogram_has_every_sample_in_its_bin() -> None:
    samples = [0, 0.5, 1, 1.5, 1.75, 2, 9]
    stated = {"type": "histogram", "x": samples, "xbins": {"start": 0, "end": 3, "size": 1}}
    option, told = charted(stated)
    (bars,) = option["series"]
    assert (bars["type"], bars["barCategoryGap"]) == ("bar", "0%")
    assert bars["data"] == [[0.5, 2.0], [1.5, 3.0], [2.5, 1.0]]
    assert "not drawn" not in told
    lying, told = charted({"type": "histogram", "y": samples, "nbinsy": 3})
    assert sum(count for count, _ in lying["series"][0]["data"]) == len(samples)
    assert told.endswith("not drawn: Plotly's own bins")
    words, _ = charted({"type": "histogram", "x": ["b", "a", "b"]})
    assert words["series"][0]["data"] == [["b", 2.0], ["a", 1.0]]


@pytest.mark.parametrize(
    ("norm", "heights"),
    [
        ("percent", [50.0, 25.0, 25.0]), ("probability", [0.5, 0.25, 0.25]),
        ("density", [1.0, 0.5, 0.5]), ("probability density", [0.25, 0.125, 0.125]),
    ],
)  # fmt: skip
def test_a_histogram_is_normed_as_it_says(norm: str, heights: list[float]) -> None:
    trace = {"type": "histogram", "x": [0, 1, 2, 4], "xbins": {"start": 0, "end": 6, "size": 2}}
    option, _ = charted({**trace, "histnorm": norm})
    assert [height for _, height in option["series"][0]["data"]] == heights
    option, _ = charted({**trace, "cumulative": {"enabled": True}})
    assert [height for _, height in option["series"][0]["data"]] == [2.0, 3.0, 4.0]


def test_boxes_have_quartiles_and_points_beyond_their_whiskers() -> None:
    samples = [1, 2, 3, 4, 5, 6, 7, 10, 30]
    option, _ = charted({"type": "box", "y": samples, "name": "b"}, {"type": "box", "y": [1, 1]})
    assert option["xAxis"][0]["data"] == ["b", "trace 1"]
    first, far, second = option["series"]
    assert first["data"] == [[1.0, 2.75, 5.0, 7.75, 10.0], ["-"] * 5]
    assert (far["type"], far["name"], far["data"]) == ("scatter", "b", [["b", 30.0]])
    assert second["data"] == [["-"] * 5, [1.0, 1.0, 1.0, 1.0, 1.0]]


def test_boxes_stand_where_they_say_and_lie_if_they_do() -> None:
    grouped = {"type": "box", "x": ["u", "v", "u"], "y": [1, 5, 3]}
    option, _ = charted(grouped)
    assert [row[2] for row in option["series"][0]["data"]] == [2.0, 5.0]
    lying, _ = charted({"type": "box", "x": [1, 3], "name": "l"})
    assert (lying["yAxis"][0]["data"], lying["xAxis"][0]["type"]) == (["l"], "value")
    stated = {"type": "box", "q1": [1], "median": [2], "q3": [3], "lowerfence": [0], "x": ["s"]}
    option, _ = charted(stated)
    assert option["series"][0]["data"] == [[0, 1, 2, 3, 3]]


def test_what_is_not_drawn_is_told() -> None:
    layout = {"annotations": [{"text": "a"}], "shapes": [], "xaxis": {"rangeslider": {"a": 1}}}
    unknown = {"type": "surface", "z": [[1]]}
    option, told = charted({"y": [1], "error_y": {"array": [1]}}, unknown, **layout)
    assert len(option["series"]) == 1
    assert told.endswith("not drawn: a trace of type surface, annotations, error_y, rangeslider")
    assert "not drawn" not in charted({"y": [1]})[1]


def test_a_trace_that_plotly_hides_is_there_and_hidden() -> None:
    option, _ = charted({"y": [1]}, {"y": [2], "name": "b", "visible": "legendonly"})
    assert option["legend"]["selected"] == {"b": False}
    assert option["series"][1]["data"] == [[0, 2]]


@pytest.mark.parametrize(
    "figure",
    [
        {"data": [{"y": packed([1, 2], "f8", "3")}]}, {"data": [{"y": {"dtype": []}}]},
        {"data": [{"y": packed([1, 2], "f8", "9" * 30)}]}, {"data": [{"y": [[1], [2]]}]},
        {"data": [{"type": "histogram", "x": [None]}, {"type": "box", "y": []}]},
        {"data": [{"type": "surface", "z": [[1]]}, {"type": "scatter3d", "x": [1]}]},
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_at_all_is_told_by_its_kinds(figure: dict[str, Any]) -> None:
    chart = plot_chart(json.dumps(figure).encode())
    kinds = sorted({str(one.get("type", "scatter")) for one in figure["data"]})
    assert chart.content is None
    assert chart.told == "not drawn: " + ", ".join(f"a trace of type {kind}" for kind in kinds)


@pytest.mark.parametrize("figure", [{"data": []}, {}, []])
def test_what_is_no_figure_is_no_chart(figure: object) -> None:
    chart = plot_chart(json.dumps(figure).encode())
    assert (chart.content, chart.told) == (None, "")


def test_options_of_echarts_stay_as_they_are() -> None:
    own = b'{ "series": [], "data": [{"y": [1]}]}'
    assert (plot_chart(own).content, plot_chart(own).told) == (own, "")
    assert plot_chart(b"[" * 100_000).content is None


@given(
    kind=st.sampled_from(["scatter", "bar", "heatmap", "pie", "violin", "histogram", "box"]),
    raw=st.dictionaries(st.sampled_from(PARTS), JUNK),
    axis=st.dictionaries(st.sampled_from(AXIS_PARTS), JUNK),
    layout=st.dictionaries(st.sampled_from(["title", "barmode", "bargap", "shapes"]), JUNK),
)
@settings(max_examples=200)
def test_no_figure_fails_and_every_chart_is_json(
    kind: str, raw: dict[str, Any], axis: dict[str, Any], layout: dict[str, Any]
) -> None:
    trace = {"x": [1, "b"], "y": [2.0, 1], "z": [[1, 2]], "labels": [1], **raw, "type": kind}
    figure = {"data": [trace, {"y": [1]}], "layout": {"xaxis": axis, "yaxis": axis, **layout}}
    content = plot_chart(json.dumps(figure).encode()).content
    assert content is not None
    json.loads(content, parse_constant=pytest.fail)


def test_curves_and_matrices_of_comet_are_drawn() -> None:
    curve = plot_chart(json.dumps({"x": [0, 1], "y": [0.5, 1], "name": "roc"}).encode())
    option = json.loads(curve.content or b"")
    assert (option["series"][0]["name"], option["series"][0]["data"]) == ("roc", [[0, 0.5], [1, 1]])
    told = {"labels": ["cat", "dog"], "matrix": [[5, 1], [0, 4]], "rowLabel": "is"}
    option = json.loads(plot_chart(json.dumps(told).encode()).content or b"")
    assert option["series"][0]["data"][1] == ["dog", "cat", 1]
    assert (option["yAxis"][0]["name"], option["yAxis"][0]["inverse"]) == ("is", True)


def test_a_figure_is_shown_told_and_kept_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chart for what can be drawn; what is too long or unknown is a file alone."""
    monkeypatch.setattr(plotly_chart, "_VALUES_AT_MOST", 10)
    figures = {
        "drawn": {"data": [{"y": [1.5, 2.5]}], "layout": {"annotations": [{"text": "a"}]}},
        "long": {"data": [{"y": [1] * 11}]},
        "unknown": {"data": [{"type": "surface", "z": [[1]]}]},
    }
    run = Recording(header("figures"))
    plots = {
        key: MediaItem("", Address(0), "plot", Blob.from_bytes(json.dumps(figure).encode()))
        for key, figure in figures.items()
    }
    run.log(dict(plots), step=1, time_ns=START_NS)
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull_from(record((run.sample(),), tmp_path / "origin"), archive)
    there = Location("swanlab", str(tmp_path / "there"))
    assert not push(archive, there, allow=Fate.DROPPED).failures
    (log,) = (tmp_path / "there").glob("run-*/run-*.swanlab")
    assert b'"data": [[0, 1.5], [1, 2.5]]' in log.read_bytes()
    files = [path.read_bytes() for path in log.parent.glob("files/**/*") if path.is_file()]
    assert all(json.dumps(figure).encode() in files for figure in figures.values())
    (listed,) = archive.records()
    delivery = archive.ledger.get(listed.run.uid, ledger_key(there))
    assert delivery is not None
    told = {(loss.code, loss.where): loss for loss in delivery.losses}
    assert told["drawn-plot", "drawn"].detail.endswith("not drawn: annotations")
    assert "too long" in told["unshown-media", "long"].detail
    assert told["unshown-media", "unknown"].fate is Fate.REENCODED
