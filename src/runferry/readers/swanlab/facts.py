"""What the records of a run say of it, apart from rows: plain data, so that a cursor carries it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from runferry.dialects.swanlab.names import STATES, SYSTEM_PREFIX, TRACKER
from runferry.model import Attribute, Run, RunKey, Series, Stream, Tree


@dataclass
class Facts:
    """The header and the attributes in the making."""

    header: dict[str, Tree] = field(default_factory=dict)  # fields of `Run`
    other: dict[str, Tree] = field(default_factory=dict)  # what the model has no field for
    columns: dict[str, Tree] = field(default_factory=dict)  # by key: what is said of a series
    begun: dict[str, Tree] = field(default_factory=dict)  # of a resumed run: when it first began

    def put(self, **fields: Tree) -> None:
        """Header fields; what is empty says nothing."""
        self.header.update({name: value for name, value in fields.items() if value})

    def ended(self, state: int, error: str, time_ns: int | None) -> None:
        """The run ended so, by the number of its state."""
        word, state_word = STATES[state] if 0 <= state < len(STATES) else (str(state), "unknown")
        self.put(status=word, state=state_word, ended_ns=time_ns, complete=True)
        if error:
            self.other["error"] = error

    def resumed(self) -> None:
        """The run goes on: it began when it first did, and its end is not known again."""
        times = {name: self.header.get(name) for name in ("created_ns", "started_ns")}
        self.begun = {**{name: time for name, time in times.items() if time}, **self.begun}
        for name in ("status", "state", "ended_ns", "complete"):
            self.header.pop(name, None)
        self.other.pop("error", None)

    def run(self, key: RunKey) -> Run:
        """The header as it is known now."""
        fields = cast("dict[str, Any]", {**self.header, **self.begun})
        fields.pop("run_id", None)
        fields["tags"] = tuple(fields.get("tags", ()))
        return Run(key, **fields)

    def key(self, otherwise: str) -> RunKey:
        """The run's key; `otherwise` is its id where no record states one."""
        run_id, project = self.header.get("run_id"), self.header.get("project")
        return RunKey(TRACKER, str(project or ""), str(run_id or otherwise))

    def stream_of(self, key: str) -> Stream:
        """Whether the machine's monitor logged a series, or the user."""
        column = self.columns.get(key)
        is_system = isinstance(column, dict) and column.get("class") in ("SYSTEM", 2)
        return "system" if is_system or key.startswith(SYSTEM_PREFIX) else "user"

    def applied(self, series: Series) -> Series:
        """The series with what its column says."""
        column = self.columns.get(series.path[0])
        if not isinstance(column, dict):
            return series
        axis = column.get("x_axis")
        return Series(
            series.key,
            series.path,
            series.stream,
            series.kind,
            x_axis=str(axis) if axis and axis != "_step" else series.x_axis,
            hidden=bool(column.get("hidden")),
        )

    def attributes(self) -> Iterator[Attribute]:
        """What no other place has: below `swanlab`."""
        for name, value in self.other.items():
            yield Attribute((TRACKER, name), "other", value)
        for key, value in self.columns.items():
            yield Attribute((TRACKER, "columns", key), "other", value)

    def tree(self) -> list[Tree]:
        """For a cursor."""
        return [self.header, self.other, self.columns, self.begun]

    @classmethod
    def of(cls, tree: Any) -> Facts:
        """The inverse of `tree`."""
        header, other, columns, begun = tree
        return cls(dict(header), dict(other), dict(columns), dict(begun))
