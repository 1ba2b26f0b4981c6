"""What the calls of a run say of it, but for its rows and files."""

from __future__ import annotations

from dataclasses import dataclass, field

from runferry.dialects.json_trees import leaves
from runferry.dialects.mlflow.header import NativeRun
from runferry.model import Attribute, Tree

Call = dict[str, Tree]


@dataclass
class CallsState:
    """What calls have said of a run so far: all that is not a row."""

    info: dict[str, Tree] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    config: dict[str, Tree] = field(default_factory=dict)  # what is no text
    models: dict[str, Call] = field(default_factory=dict)

    def take(self, call: Call) -> bool:
        """Whether the call was about attributes."""
        match call["op"]:
            case "run":
                self.info |= {k: v for k, v in call.items() if k not in ("op", "tags")}
                self.tags |= texts(call.get("tags"))
            case "update":
                known = {k: v for k, v in call.items() if k != "op" and v is not None}
                self.info |= known
            case "batch":
                self.params |= pairs(call.get("params"))
                self.tags |= pairs(call.get("tags"))
                return bool(call.get("params") or call.get("tags"))
            case "config":
                values = call.get("values")
                self.config = _merged(self.config, values if isinstance(values, dict) else {})
            case "untag":
                self.tags.pop(str(call["key"]), None)
            case _:
                return False
        return True

    def attributes(self) -> tuple[Attribute, ...]:
        """Each value that is no mapping, unless a parameter has its place."""
        return tuple(
            Attribute(path, "config", value)
            for path, value in leaves(self.config)
            if len(path) > 1 or path[0] not in self.params
        )

    def native(self, run_id: str) -> NativeRun:
        """In MLflow's words."""
        info = self.info
        return NativeRun(
            run_id=run_id,
            experiment=str(info.get("experiment") or "Default"),
            name=text(info.get("name")),
            user=text(info.get("user")),
            status=str(info.get("status") or "RUNNING"),
            start_ms=whole(info.get("start_ms")),
            end_ms=whole(info.get("end_ms")),
            artifact_uri=text(info.get("artifact_uri")),
            experiment_id=str(info.get("experiment_id") or ""),
            tags=dict(self.tags),
            params=dict(self.params),
        )


def _merged(known: dict[str, Tree], said: dict[str, Tree]) -> dict[str, Tree]:
    """What was said of a mapping before stays, where nothing else is said now."""
    found = dict(known)
    for name, value in said.items():
        before = known.get(name)
        if isinstance(before, dict) and isinstance(value, dict) and value:
            found[name] = _merged(before, value)
        else:
            found[name] = value
    return found


def texts(value: Tree) -> dict[str, str]:
    """A mapping of texts; empty where there is none."""
    return {name: str(one) for name, one in value.items()} if isinstance(value, dict) else {}


def pairs(value: Tree) -> dict[str, str]:
    """The same of a list of pairs."""
    pairs = value if isinstance(value, list) else []
    return {str(pair[0]): str(pair[1]) for pair in pairs if isinstance(pair, list)}


def text(value: Tree) -> str | None:
    """None for nothing, and for an empty text."""
    return None if value in (None, "") else str(value)


def whole(value: Tree) -> int | None:
    """None for what is no whole number."""
    return value if isinstance(value, int) else None
