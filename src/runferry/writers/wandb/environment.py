"""The environment record of a run, by the numbers of `EnvironmentRecord` in `wandb_internal.proto`.

A table says of each field its number and what it holds: a text, a number of 32 or 64 bits, a
message, or many of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from runferry.dialects.protobuf import field, integer, text_bytes
from runferry.dialects.times import time_ns_of
from runferry.model import Attribute, KeyPath, Run, Tree


@dataclass(frozen=True, slots=True)
class _Many:
    """A list of them."""

    one: _Kind


@dataclass(frozen=True, slots=True)
class _Named:
    """A mapping of names that nobody knows beforehand."""

    one: _Kind


_Kind: TypeAlias = "type[str] | int | Mapping[str, tuple[int, _Kind]] | _Many | _Named"
"""A text; how many bits a number has; a message; many."""

_HALF: Final = 32
_WHOLE: Final = 64
_GPU_AMD: Final = (
    "id", "unique_id", "vbios_version", "performance_level", "gpu_overdrive",
    "gpu_memory_overdrive", "max_power", "series", "model", "vendor", "sku", "sclk_range",
    "mclk_range",
)  # fmt: skip
_RECORD: Final[Mapping[str, tuple[int, _Kind]]] = {
    "os": (1, str),
    "python": (2, str),
    "docker": (4, str),
    "args": (5, _Many(str)),
    "program": (6, str),
    "code_path": (7, str),
    "code_path_local": (8, str),
    "git": (9, {"remote_url": (1, str), "commit": (2, str)}),
    "email": (10, str),
    "root": (11, str),
    "host": (12, str),
    "username": (13, str),
    "executable": (14, str),
    "colab": (15, str),
    "cpu_count": (16, _HALF),
    "cpu_count_logical": (17, _HALF),
    "gpu_type": (18, str),
    "gpu_count": (19, _HALF),
    "disk": (20, _Named({"total": (1, _WHOLE), "used": (2, _WHOLE)})),
    "memory": (21, {"total": (1, _WHOLE)}),
    "cpu": (22, {"count": (1, _HALF), "count_logical": (2, _HALF), "model": (3, str)}),
    "apple": (
        23,
        {
            "name": (1, str),
            "ecpu_cores": (2, _HALF),
            "pcpu_cores": (3, _HALF),
            "gpu_cores": (4, _HALF),
            "memory_gb": (5, _HALF),
            "swap_total_bytes": (6, _WHOLE),
            "ram_total_bytes": (7, _WHOLE),
            "mac_model": (8, str),
        },
    ),
    "gpu_nvidia": (
        24,
        _Many(
            {
                "name": (1, str),
                "memory_total": (2, _WHOLE),
                "cuda_cores": (3, _HALF),
                "architecture": (4, str),
                "uuid": (5, str),
                "pci_bus_id": (6, str),
                "numa_node": (7, _HALF),
            }
        ),
    ),
    "cuda_version": (25, str),
    "gpu_amd": (26, _Many({name: (1 + at, str) for at, name in enumerate(_GPU_AMD)})),
    "slurm": (27, _Named(str)),
    "trainium": (
        28,
        {
            "name": (1, str),
            "vendor": (2, str),
            "neuron_device_count": (3, _HALF),
            "neuroncore_per_device_count": (4, _HALF),
        },
    ),
    "tpu": (
        29,
        {
            "name": (1, str),
            "hbm_gib": (2, _HALF),
            "devices_per_chip": (3, _HALF),
            "count": (4, _HALF),
        },
    ),
    "coreweave": (30, {"cluster_name": (1, str), "org_id": (2, str), "region": (3, str)}),
}
_STARTED: Final = "started_at"
_SEPARATED: Final = re.compile(r"[a-z0-9][A-Z]")
"""Names in which readers would put a `_`, as they do with the names of protobuf's JSON."""


def environment(
    run: Run,
    attributes: Iterable[Attribute],
    started_ns: int | None,
    timestamp: Callable[[int], bytes],
) -> bytes:
    """What W&B shows of machine and program, and when it began; empty where nothing is known."""
    tree: dict[str, Tree] = {"host": run.host, "username": run.user}
    for item in attributes:
        if item.path == (_STARTED,):
            stated = time_ns_of(item.value)
            started_ns = started_ns if stated is None else stated
        elif is_environment_of_wandb(item):
            _put(tree, item.path, item.value)
    begun = b"" if started_ns is None else field(3, timestamp(started_ns))
    return _message(_RECORD, tree) + begun


def is_environment_of_wandb(attribute: Attribute) -> bool:
    """Whether W&B has a field for this, and takes the value whole."""
    if attribute.path == (_STARTED,):
        return time_ns_of(attribute.value) is not None
    kind: _Kind = _RECORD
    for name in attribute.path:
        if isinstance(kind, _Named) and _is_name(name):
            kind = kind.one
        elif isinstance(kind, Mapping) and name in kind:
            kind = kind[name][1]
        else:
            return False
    return _fits(kind, attribute.value)


def _fits(kind: _Kind, value: Tree) -> bool:
    """Whether a value of this kind is told from nothing, and reads back the same."""
    if isinstance(kind, _Many):
        return isinstance(value, list) and bool(value) and all(_is_one(kind.one, v) for v in value)
    if isinstance(kind, _Named):
        return False  # its entries are attributes of their own
    if isinstance(kind, Mapping):
        return isinstance(value, dict) and bool(value) and _fit_all(kind, value)
    if isinstance(kind, int):
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return is_number and 0 < value < 1 << kind  # type: ignore[operator]
    return isinstance(value, str) and bool(value)


def _is_one(kind: _Kind, value: Tree) -> bool:
    """The same for one of many, which may be empty where it is a text."""
    return value == "" if kind is str and not value else _fits(kind, value)


def _fit_all(kind: Mapping[str, tuple[int, _Kind]], value: dict[str, Tree]) -> bool:
    return all(name in kind and _fits(kind[name][1], one) for name, one in value.items())


def _is_name(name: str) -> bool:
    return not (name.isidentifier() and _SEPARATED.search(name))


def _put(tree: dict[str, Tree], path: KeyPath, value: Tree) -> None:
    for name in path[:-1]:
        below = tree.setdefault(name, {})
        assert isinstance(below, dict)  # where a message is expected no value fits
        tree = below
    tree[path[-1]] = dict(value) if isinstance(value, dict) else value


def _message(kind: Mapping[str, tuple[int, _Kind]], tree: Mapping[str, Tree]) -> bytes:
    found = (
        (number, _contents(one, value))
        for name, (number, one) in kind.items()
        if (value := tree.get(name)) not in (None, "")
    )
    return b"".join(
        integer(number, content) if isinstance(content, int) else field(number, content)
        for number, contents in found
        for content in contents
    )


def _contents(kind: _Kind, value: Tree) -> list[bytes | int]:
    """What stands in the field, once for each time that it comes."""
    if isinstance(kind, _Many) and isinstance(value, list):
        return [content for one in value for content in _contents(kind.one, one)]
    if isinstance(kind, _Named) and isinstance(value, dict):
        return [_entry(kind.one, name, one) for name, one in value.items()]
    if isinstance(kind, Mapping) and isinstance(value, dict):
        return [_message(kind, value)]
    assert isinstance(value, (str, int))
    return [value if isinstance(value, int) else text_bytes(value)]


def _entry(kind: _Kind, name: str, value: Tree) -> bytes:
    (content,) = _contents(kind, value)
    assert isinstance(content, bytes)
    return field(1, name) + field(2, content)
