"""Messages of clients before 3.31, each of which has several things at once."""

from __future__ import annotations

from typing import Final

from runferry.model import Tree

_BUNDLED: Final[dict[str, tuple[str, ...]]] = {
    "metric_msg": ("metric",),
    "parameter_msg": ("param", "params"),
    "log_other": ("log_other",),
    "standard_output": ("stdout",),
    "file_name": ("fileName",),
    "html": ("html",),
    "htmlOverride": ("htmlOverride",),
    "graph": ("graph",),
    "installed_packages": ("installed_packages",),
    "os_packages": ("os_packages",),
    "gpu_static_info": ("gpu_static_info",),
    "git_metadata": ("git_meta",),
    "log_dependency": ("log_dependency",),
    "system_info": ("log_system_info",),
    "system_details": ("env_details",),
}
"""For each type of message the fields that such a bundle has for it."""

_NESTED: Final = {"log_other", "system_info", "log_dependency", "system_details"}
"""What such a bundle has as a mapping of its own."""


_BOOKKEEPING: Final = {"context", "local_timestamp", "message_id", "stderr"}
"""What belongs to the other fields."""


def strangers(payload: dict[str, Tree]) -> dict[str, Tree]:
    """The fields that nobody knows."""
    known = {name for names in _BUNDLED.values() for name in names} | _BOOKKEEPING
    return {name: it for name, it in payload.items() if name not in known and it is not None}


def unbundled(payload: dict[str, Tree]) -> list[tuple[str, dict[str, Tree]]] | None:
    """The messages that a later client would have sent; None for one that nobody knows."""
    shared: dict[str, Tree] = {
        name: payload[name] for name in ("context", "local_timestamp") if name in payload
    }
    found: list[tuple[str, dict[str, Tree]]] = []
    for kind, names in _BUNDLED.items():
        held = {name: payload[name] for name in names if payload.get(name) is not None}
        if not held:
            continue
        inner = next(iter(held.values()))
        if kind in _NESTED:
            if not isinstance(inner, dict):
                return None
            held = {**inner, "value": inner.get("val", inner.get("value"))}
        elif kind == "standard_output":
            held = {"output": payload.get("stdout"), "stderr": payload.get("stderr")}
        elif kind == "file_name":
            held = {"file_name": inner}
        found.append((kind, {**shared, **held}))
    return found
