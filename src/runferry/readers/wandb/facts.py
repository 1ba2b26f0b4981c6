"""What is known of a run apart from its rows: collected record by record, given as a header."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runferry.model import Attribute, Fork, Run, RunKey, RunState, Tree

_NS = 1_000_000_000
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?")
_ENDED: dict[str, RunState] = {"finished": "finished", "failed": "failed", "killed": "killed"}


def time_ns_of(value: Tree) -> int | None:
    """Nanoseconds since the epoch of a timestamp in any spelling that records and files use."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, dict):
        seconds, nanos = value.get("seconds", 0), value.get("nanos", 0)
        return int(str(seconds)) * _NS + int(str(nanos)) if value else None
    found = _ISO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    zone = "+00:00" if found[3] in (None, "Z") else found[3]
    whole = datetime.fromisoformat(found[1] + zone)
    return int(whole.timestamp()) * _NS + int((found[2] or "0").ljust(9, "0"))


@dataclass
class Facts:
    """The header in the making. `state` is plain data, so a cursor can carry it."""

    state: dict[str, Tree] = field(default_factory=dict)

    def begin_segment(self) -> None:
        """Another file of the same run follows: what ended before has not ended."""
        for name in ("exit_code", "exited", "runtime", "has_run"):
            self.state.pop(name, None)

    def absorb(self, kind: str, message: dict[str, Any]) -> None:
        """Take in one record."""
        match kind:
            case "run":
                self._run(message)
            case "header":
                version = message.get("version_info") or {}
                self._set("producer", str(version.get("producer", "")).split("+")[0])
            case "telemetry":
                self._set("client", message.get("cli_version"))
                self._set("core", message.get("core_version"))
            case "environment":
                self._set("user", message.get("username"))
                self._set("host", message.get("host"))
            case "exit":
                self.state["exited"] = not message.get("not_complete", False)
                self.state["exit_code"] = int(message.get("exit_code", 0))
                self._set("runtime", message.get("runtime"))

    def _run(self, message: dict[str, Any]) -> None:
        """A run record; a second one in the same file restates the run, tags taken off included."""
        if not message:
            return
        if self.state.get("has_run"):
            for name in ("tags", "notes", "display_name"):
                self.state.pop(name, None)
        self.state["has_run"] = True
        for name in ("run_id", "entity", "project", "run_group", "job_type", "display_name"):
            self._set(name, message.get(name))
        point = message.get("branch_point") or {}
        self._set("branch_point", {n: point[n] for n in ("run", "value", "metric") if n in point})
        for name in ("notes", "sweep_id", "host", "tags", "starting_step"):
            self._set(name, message.get(name))
        for name in ("resumed", "resume", "forked"):
            self._set(name, message.get(name))
        start = time_ns_of(message.get("start_time"))
        if "start_ns" not in self.state:
            self._set("start_ns", start)
        telemetry = message.get("telemetry") or {}
        self._set("client", telemetry.get("cli_version"))

    def metadata(self, found: dict[str, Tree], *, is_authority: bool) -> None:
        """Take in wandb-metadata.json; as the authority it also says how the run ended."""
        for name, source in (("user", "username"), ("host", "host"), ("job_type", "jobType")):
            if name not in self.state:
                self._set(name, found.get(source))
        if "start_ns" not in self.state:
            self._set("start_ns", time_ns_of(found.get("startedAt")))
        self._set("status", found.get("state"))
        if not is_authority:
            return
        code = found.get("exitcode")
        if found.get("state") in _ENDED and isinstance(code, int):
            self.state["exited"], self.state["exit_code"] = True, code
            self._set("end_ns", time_ns_of(found.get("heartbeatAt")))

    def last_runtime(self, seconds: Tree) -> None:
        """The run's duration as its summary states it, for exit records that do not."""
        if isinstance(seconds, (int, float)) and "runtime" not in self.state:
            self._set("runtime", seconds)

    def _set(self, name: str, value: Tree) -> None:
        if value not in (None, "", [], {}, False, 0):
            self.state[name] = value

    def text(self, name: str) -> str | None:
        """A fact that is a string; None when it is not known."""
        value = self.state.get(name)
        return value if isinstance(value, str) else None

    def run(self, key: RunKey) -> Run:
        """The header as known by now."""
        state = self.state
        client = self.text("client") or self.text("producer")
        tags = state.get("tags")
        started, ended = _int(state.get("start_ns")), _int(state.get("end_ns"))
        is_complete, code = bool(state.get("exited")), _int(state.get("exit_code"))
        runtime = state.get("runtime")
        if is_complete and ended is None and started and isinstance(runtime, (int, float)):
            ended = started + round(runtime * _NS)
        outcome = _outcome(is_complete, code, self.text("status"))
        return Run(
            key,
            name=self.text("display_name"),
            project=self.text("project"),
            entity=self.text("entity"),
            group=self.text("run_group"),
            job_type=self.text("job_type"),
            forked_from=self._fork(key.run_id),
            sweep=self.text("sweep_id"),
            tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
            notes=self.text("notes"),
            user=self.text("user"),
            host=self.text("host"),
            created_ns=started,
            started_ns=started,
            ended_ns=ended,
            status=self.text("status"),
            state=outcome,
            exit_code=code,
            complete=is_complete,
            client=f"wandb {client}" if client else None,
        )

    def _fork(self, run_id: str) -> Fork | None:
        point = self.state.get("branch_point")
        if not isinstance(point, dict) or not point.get("run"):
            return None
        value, origin = point.get("value", 0), str(point["run"])
        step = int(value) if isinstance(value, (int, float)) else None
        return Fork(origin, step, "rewind" if origin == run_id else "fork")

    def attributes(self) -> tuple[Attribute, ...]:
        """What the header has no field for."""
        names = ("resumed", "resume", "starting_step")
        found = [(name, self.state[name]) for name in names if name in self.state]
        point = self.state.get("branch_point")
        if isinstance(point, dict) and point.get("metric", "_step") != "_step":
            found.append(("branch_point", point))
        return tuple(Attribute(("_wandb", n), "environment", value) for n, value in found)


def _outcome(is_complete: bool, code: int | None, status: str | None) -> RunState:
    if not is_complete:
        return "unknown"
    if code == 0:
        return "finished"
    return "killed" if status == "killed" else "failed"


def _int(value: Tree) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
