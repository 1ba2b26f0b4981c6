"""What messages say of an experiment apart from its rows: parameters, others, surroundings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from runferry.dialects.times import time_ns_of
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Attribute, KeyPath, Role, Run, Tree, same_value

_NESTED: Final = "hasNestedParams"
_NAME: Final = "Name"
_MS: Final = 1_000_000
_SURROUNDINGS: Final[dict[str, str | None]] = {
    "system_details": None,
    "cloud_details": "cloud",
    "gpu_static_info": "gpu",
    "git_metadata": "git",
    "installed_packages": None,
    "os_packages": None,
}
"""Types of messages about the machine, with the name that stands before theirs."""
_SAID: Final = {"file_name", "graph"}


@dataclass
class Facts:
    """The last value of each thing, as Comet shows it."""

    values: dict[tuple[Role, KeyPath], Tree] = field(default_factory=dict)
    losses: LossLedger = field(default_factory=LossLedger)
    name: str | None = None
    user: str | None = None
    host: str | None = None
    splits: bool = False
    """Whether `a|b` is `b` in the mapping `a`."""

    def take(self, kind: str, payload: dict[str, Tree]) -> bool:
        """One message; False for one that is none of these."""
        if kind == "parameter_msg":
            return self._parameter(payload)
        if kind == "log_other":
            return self._other(payload)
        if kind in _SURROUNDINGS:
            self._surroundings(kind, payload)
            return True
        if kind in _SAID:
            for name, value in payload.items():
                if name != "message_id":
                    self._put("other", (name,), value)
            return True
        if kind in ("system_info", "log_dependency"):
            return self._pair(kind, payload)
        return False

    def _parameter(self, payload: dict[str, Tree]) -> bool:
        told = payload.get("param", payload.get("params"))
        match told:
            case {"paramName": str(name), "paramValue": value, **rest}:
                is_own = rest.get("source", "manual") in ("manual", None)
            case _:
                return False
        if not is_own and name in ("curr_step", "curr_epoch"):
            return True  # which each value states for itself
        role: Role = "config" if is_own else "other"
        path = tuple(name.split("|")) if self.splits else (name,)
        self._put(role, path, value, "replaced-parameter")
        return True

    def _put(
        self, role: Role, path: KeyPath, value: Tree, code: str = "replaced-attribute"
    ) -> None:
        if (role, path) in self.values and not same_value(self.values[role, path], value):
            why = "what was logged again; its last value is kept, as Comet shows it"
            self.losses.add(Loss(code, Fate.DROPPED, ".".join(path), 1, why))
        self.values[role, path] = value

    def _other(self, payload: dict[str, Tree]) -> bool:
        name = payload.get("key")
        if not isinstance(name, str) or "value" not in payload:
            return False
        value = payload["value"]
        if name == _NAME and isinstance(value, str):
            self.name = value
        elif name == _NESTED:
            self.splits = value is True
        self._put("other", (name,), value)
        return True

    def _pair(self, kind: str, payload: dict[str, Tree]) -> bool:
        name = payload.get("key", payload.get("name"))
        if not isinstance(name, str):
            return False
        value = payload.get("value", payload.get("version"))
        self._put("environment", (kind, name), value)
        return True

    def _surroundings(self, kind: str, payload: dict[str, Tree]) -> None:
        before = _SURROUNDINGS[kind]
        for name, value in payload.items():
            if name in ("message_id", "local_timestamp") or value is None:
                continue
            path = (name,) if before is None else (before, name)
            self._put("environment", path, value)
        host, user = payload.get("hostname"), payload.get("user")
        self.host = host if isinstance(host, str) else self.host
        self.user = user if isinstance(user, str) else self.user

    def attributes(self) -> Iterator[Attribute]:
        """All of them."""
        for (role, path), value in self.values.items():
            yield Attribute(path, role, value)

    def header(self, run: Run) -> Run:
        """The header with what messages say of it."""
        return replace(
            run, name=self.name or run.name, user=self.user or run.user, host=self.host or run.host
        )


def experiment_header(run: Run, stated: dict[str, Tree]) -> Run:
    """What `experiment.json` says; times are milliseconds."""
    stop = _time(stated.get("stop_time"))
    start = _time(stated.get("start_time"))
    has_failed = stated.get("customer_error_reported") is True
    tags = stated.get("tags")
    return replace(
        run,
        project=_word(stated.get("project_name")),
        entity=_word(stated.get("workspace")),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        created_ns=start,
        started_ns=start,
        ended_ns=stop,
        state="unknown" if stop is None else "failed" if has_failed else "finished",
        complete=stop is not None,
        client="comet_ml",
    )


def experiment_attributes(stated: dict[str, Tree]) -> Iterator[Attribute]:
    """The rest of `experiment.json`."""
    for name, value in stated.items():
        if value is not None and not _is_of_header(name, value):
            yield Attribute(("experiment", name), "other", value)


def _is_of_header(name: str, value: Tree) -> bool:
    """Whether `experiment_header` has taken all of it."""
    match name:
        case "offline_id" | "project_name" | "workspace":
            return isinstance(value, str)
        case "start_time" | "stop_time":
            return _time(value) is not None
        case "tags":
            return isinstance(value, list) and all(isinstance(tag, str) for tag in value)
    return False


def _time(value: Tree) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return time_ns_of(value * _MS) if is_number else None  # type: ignore[operator]


def _word(value: Tree) -> str | None:
    return value if isinstance(value, str) else None
