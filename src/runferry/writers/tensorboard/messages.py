"""Trees of TensorBoard's plugins as the messages that they came from.

Fields are those of `plugins/hparams/api.proto`, `plugins/custom_scalar/layout.proto` and
`plugins/mesh/plugin_data.proto` of TensorBoard 2.21. What a message has no field for is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runferry.dialects.protobuf import double, field, integer
from runferry.model import Tree

_Fields = Mapping[str, tuple[int, str]]
"""Number and type of each field: "text", "number", "integer", a message, or an enum's words."""

_TYPES = "DATA_TYPE_UNSET DATA_TYPE_STRING DATA_TYPE_BOOL DATA_TYPE_FLOAT64"
_DATASETS = "DATASET_UNKNOWN DATASET_TRAINING DATASET_VALIDATION"
_MESH_PARTS = "UNDEFINED VERTEX FACE COLOR"

_MESSAGES: Final[Mapping[str, _Fields]] = {
    "Layout": {"version": (1, "integer"), "category": (2, "Category")},
    "Category": {"title": (1, "text"), "chart": (2, "Chart"), "closed": (3, "integer")},
    "Chart": {"title": (1, "text"), "multiline": (2, "Multiline"), "margin": (3, "Margin")},
    "Multiline": {"tag": (1, "text")},
    "Margin": {"series": (1, "MarginSeries")},
    "MarginSeries": {"value": (1, "text"), "lower": (2, "text"), "upper": (3, "text")},
    "Experiment": {
        "description": (1, "text"),
        "user": (2, "text"),
        "time_created_secs": (3, "number"),
        "hparam_infos": (4, "HParamInfo"),
        "metric_infos": (5, "MetricInfo"),
        "name": (6, "text"),
    },
    "HParamInfo": {
        "name": (1, "text"),
        "display_name": (2, "text"),
        "description": (3, "text"),
        "type": (4, _TYPES),
        "domain_discrete": (5, "ListValue"),
        "domain_interval": (6, "Interval"),
        "differs": (7, "integer"),
    },
    "ListValue": {"values": (1, "Value")},
    "Value": {"number_value": (2, "number"), "string_value": (3, "text"),
              "bool_value": (4, "integer")},
    "Interval": {"min_value": (1, "number"), "max_value": (2, "number")},
    "MetricInfo": {
        "name": (1, "MetricName"),
        "display_name": (3, "text"),
        "description": (4, "text"),
        "dataset_type": (5, _DATASETS),
    },
    "MetricName": {"group": (1, "text"), "tag": (2, "text")},
    "MeshPluginData": {
        "version": (1, "integer"),
        "name": (2, "text"),
        "content_type": (3, _MESH_PARTS),
        "json_config": (5, "text"),
        "shape": (6, "integer"),
        "components": (7, "integer"),
    },
}  # fmt: skip


def message(name: str, tree: Tree) -> bytes:
    """A tree of field names as the message of this name."""
    if not isinstance(tree, dict):
        return b""
    parts = []
    for named, value in tree.items():
        number, kind = _MESSAGES[name].get(named, (0, ""))
        for item in value if isinstance(value, list) else [value]:
            parts.append(_field(number, kind, item) if number else b"")
    return b"".join(parts)


def _field(number: int, kind: str, value: Tree) -> bytes:
    if kind in _MESSAGES:
        return field(number, message(kind, value))
    match kind, value:
        case "text", str():
            return field(number, value)
        case "number", int() | float():
            return double(number, value)
        case "integer", int():
            return integer(number, value)
        case words, str() if value in words.split():
            return integer(number, words.split().index(value))
        case words, int() if " " in words:  # an enum's number that has no word yet
            return integer(number, value)
    return b""
