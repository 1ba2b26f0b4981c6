"""Where a run lies in the service, and how questions name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runferry.dialects.wandb.service import Answer
from runferry.errors import NotFound


@dataclass(frozen=True, slots=True)
class RunPlace:
    """The entity, the project and the id of a run."""

    entity: str
    project: str
    run: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.run}"

    @property
    def variables(self) -> dict[str, object]:
        """Of a question about this run."""
        return {"entity": self.entity, "project": self.project, "run": self.run}

    def run_in(self, answer: Answer) -> dict[str, Any]:
        """The run's node of an answer. Raises NotFound."""
        project = answer.get("project") or {}
        node = project.get("run")
        if not isinstance(node, dict):
            raise NotFound(
                "the service has no such run; it may have been deleted",
                where=str(self),
                hint=f"runferry ls wandb:{self.entity}/{self.project}",
            )
        return node
