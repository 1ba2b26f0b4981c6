"""What is known of a run apart from its rows: collected record by record, given as a header."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import Any

from runferry.dialects.times import duration_ns, time_ns_of
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Fork, Run, RunKey, RunState, Tree
from runferry.readers.wandb.loose import Loose

_INTERNAL = "_wandb"
_ENDED: dict[str, RunState] = {"finished": "finished", "failed": "failed", "killed": "killed"}


@dataclass
class Facts:
    """The header in the making. `state` is plain data, so a cursor can carry it.

    A cursor's state is that of records alone; `beside` adds what else is known by now.
    """

    state: dict[str, Tree] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)

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
        start = self._time("start_time", message.get("start_time"))
        if "start_ns" not in self.state:
            self._set("start_ns", start)
        telemetry = message.get("telemetry") or {}
        self._set("client", telemetry.get("cli_version"))

    def beside(self, loose: Loose, summary: dict[str, Tree]) -> Facts:
        """These facts, completed by loose files and by what the summary says of the duration."""
        facts = Facts(copy.deepcopy(self.state))
        for metadata in loose.metadata:
            facts.metadata(metadata, is_authority=loose.is_authority)
        if loose.notes is not None:
            facts.state.setdefault("notes", loose.notes)
        internal = summary.get(_INTERNAL)
        stated = [internal.get("runtime")] if isinstance(internal, dict) else []
        for seconds in (*stated, summary.get("_runtime")):
            if duration_ns(seconds):
                facts.state.setdefault("runtime", seconds)
        return facts

    def metadata(self, found: dict[str, Tree], *, is_authority: bool) -> None:
        """Take in wandb-metadata.json; as the authority it also says how the run ended."""
        for name, source in (("user", "username"), ("host", "host"), ("job_type", "jobType")):
            if name not in self.state:
                self._set(name, found.get(source))
        if "start_ns" not in self.state:
            self._set("start_ns", self._time("startedAt", found.get("startedAt")))
        self._set("status", found.get("state"))
        if not is_authority:
            return
        code = _int(found.get("exitcode"))
        if self.text("status") in _ENDED and code is not None:
            self.state["exited"], self.state["exit_code"] = True, code
            self._set("end_ns", self._time("heartbeatAt", found.get("heartbeatAt")))

    def _time(self, name: str, value: Tree) -> int | None:
        """A time; one that cannot be understood is a loss."""
        found = time_ns_of(value)
        if found is None and value not in (None, "", {}):
            detail = f"no time, or none of the years 1677 to 2262: {value!s:.80}"
            self.losses.append(Loss("bad-time", Fate.DROPPED, name, 1, detail))
        return found

    def _set(self, name: str, value: Tree) -> None:
        if value not in (None, "", [], {}, False, 0):
            self.state[name] = value

    def text(self, name: str) -> str | None:
        """A fact that is a string; None when it is not known."""
        value = self.state.get(name)
        return value if isinstance(value, str) else None

    @property
    def is_rewind(self) -> bool:
        """Whether the run goes on from a step of its own, leaving what it had logged after that."""
        point = self.state.get("branch_point")
        return isinstance(point, dict) and "run" in point and point["run"] == self.text("run_id")

    def run(self, key: RunKey) -> Run:
        """The header as known by now."""
        state = self.state
        client = self.text("client") or self.text("producer")
        tags = state.get("tags")
        started, ended = _int(state.get("start_ns")), _int(state.get("end_ns"))
        is_complete, code = bool(state.get("exited")), _int(state.get("exit_code"))
        runtime = state.get("runtime")
        if is_complete and ended is None and started and (length := duration_ns(runtime)):
            ended = time_ns_of(started + length)
        outcome = _outcome(is_complete, code, self.text("status"))
        return Run(
            key,
            name=self.text("display_name"),
            project=self.text("project"),
            entity=self.text("entity"),
            group=self.text("run_group"),
            job_type=self.text("job_type"),
            forked_from=self._fork(),
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

    def _fork(self) -> Fork | None:
        point = self.state.get("branch_point")
        if not isinstance(point, dict) or not point.get("run"):
            return None
        step = _whole(point.get("value", 0))
        return Fork(str(point["run"]), step, "rewind" if self.is_rewind else "fork")

    def attributes(self) -> tuple[Attribute, ...]:
        """What the header has no field for."""
        names = ("resumed", "resume", "starting_step")
        found = [(name, self.state[name]) for name in names if name in self.state]
        point = self.state.get("branch_point")
        if isinstance(point, dict) and (
            point.get("metric", "_step") != "_step" or _whole(point.get("value", 0)) is None
        ):
            found.append(("branch_point", point))
        return tuple(Attribute((_INTERNAL, n), "environment", value) for n, value in found)


def _outcome(is_complete: bool, code: int | None, status: str | None) -> RunState:
    if not is_complete:
        return "unknown"
    if code == 0:
        return "finished"
    return "killed" if status == "killed" else "failed"


def _int(value: Tree) -> int | None:
    """An integer that 64 bits hold."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(2**63) <= value < 2**63 else None


def _whole(value: Tree) -> int | None:
    """An integer, also as a float."""
    if isinstance(value, float) and math.isfinite(value) and value == math.trunc(value):
        value = int(value)
    return _int(value)
