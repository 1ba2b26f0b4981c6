"""What SwanLab's words for a conversion mean here: between which places, and which runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal

from runferry import settings
from runferry.dialects.swanlab.names import OWN_WORKSPACE
from runferry.errors import UsageError
from runferry.losses import Fate
from runferry.transfer.selection import EVERYTHING, Selection
from runferry.transfer.value_types import TYPES

Mode = Literal["cloud", "online", "local", "offline", "disabled"]
Kind = Literal["tensorboard", "wandb", "wandb-local", "mlflow"]
MODES: Final = ("cloud", "online", "local", "offline", "disabled")
KINDS: Final = ("tensorboard", "wandb", "wandb-local", "mlflow")
_LOG_DIR: Final = "swanlog"


@dataclass(frozen=True, slots=True)
class Road:
    """Between which places runs are moved, and which of them."""

    source: str
    destination: str
    selection: Selection = EVERYTHING
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """Where runs go, in SwanLab's words."""

    project: str | None = None
    workspace: str | None = None
    mode: Mode = "cloud"
    logdir: str | None = None

    def road(self, source: str, selection: Selection = EVERYTHING) -> Road:
        """The road there. Raises UsageError for a mode that is none."""
        if self.mode not in MODES:
            raise UsageError(
                f"{self.mode} is no mode of SwanLab", hint=f"one of {', '.join(MODES)}"
            )
        folder = self.logdir or os.environ.get("SWANLAB_LOG_DIR") or _LOG_DIR
        return Road(
            source,
            self._cloud() if self.is_cloud else f"swanlab:{_local(folder)}",
            selection,
            self.mode == "disabled",
        )

    @property
    def is_cloud(self) -> bool:
        """Whether runs go to SwanLab's cloud."""
        return self.mode in ("cloud", "online")

    @property
    def allowed(self) -> Fate | None:
        """Which losses leave the exit code at 0 where nobody says: None leaves it to the settings.

        The cloud holds no run exactly (of none the times at which it began and ended), so what it
        cannot hold is told and no reason for another exit code there. What it should hold and does
        not have in the end is a failure.
        """
        return Fate.DROPPED if self.is_cloud else None

    def _cloud(self) -> str:
        workspace = self.workspace or OWN_WORKSPACE
        return f"swanlab:{workspace}/{self.project}" if self.project else f"swanlab:{workspace}"

    @contextmanager
    def meant(self) -> Iterator[None]:
        """Within this, runs go into its project and workspace."""
        before = settings.current()
        chosen = replace(
            before,
            swanlab_project=self.project or before.swanlab_project,
            swanlab_workspace=self.workspace or before.swanlab_workspace,
            swanlab_dashboard=self.mode == "local" or before.swanlab_dashboard,
        )
        settings.install(chosen)
        try:
            yield
        finally:
            settings.install(before)


def wandb_service(
    project: str | None, entity: str | None, run_id: str | None
) -> tuple[str, Selection]:
    """The place, and which runs there; without an entity the account's own.

    Raises UsageError without a project.
    """
    if not project:
        raise UsageError(
            "no project of W&B is named", hint="--wb-project PROJECT --wb-entity ENTITY"
        )
    if not entity:
        return "wandb:", Selection(projects=_exactly(project), run_ids=_exactly(run_id))
    return f"wandb:{entity}/{project}", Selection(run_ids=_exactly(run_id))


def _exactly(name: str | None) -> tuple[str, ...]:
    """A name as a selection's glob that fits nothing else."""
    return (re.sub(r"([*?\[])", r"[\1]", name),) if name else ()


def wandb_folders(folder: str, run_folder: str | None, run_id: str | None) -> tuple[str, Selection]:
    """The place of a folder, or of one run in it, and which runs there."""
    return wandb_folder(folder, run_folder), Selection(run_ids=_exactly(run_id))


def wandb_folder(folder: str, run_folder: str | None) -> str:
    """The place of a folder, or of one run in it, which may be named by a whole path."""
    return f"wandb:{_local(os.path.join(folder, run_folder) if run_folder else folder)}"  # noqa: PTH118


def _local(folder: str) -> str:
    """A folder spelled so that it is no name of a service."""
    return folder if folder.startswith(("/", ".", "~")) else f"./{folder}"


def tensorboard(folder: str, types: str | None) -> tuple[str, Selection]:
    """The place, and of which types values are moved. Raises UsageError for one that is none."""
    named = frozenset(word.strip().lower() for word in (types or "").split(",") if word.strip())
    for unknown in sorted(named - {*TYPES}):
        raise UsageError(
            f"{unknown} is no type of values",
            hint=f"--tb-types {','.join(TYPES[:3])} or others of {', '.join(TYPES)}",
        )
    return f"tensorboard:{folder}", Selection(types=named)


def mlflow(uri: str, experiment: str | None, run_id: str | None) -> tuple[str, Selection]:
    """The place, and which runs there; an experiment's id comes before a name like it."""
    name = experiment
    if experiment and experiment.isdecimal():
        name = _experiment_of(uri, experiment) or experiment
    return f"mlflow:{uri}", Selection(projects=_exactly(name), run_ids=_exactly(run_id))


def _experiment_of(uri: str, number: str) -> str | None:
    from runferry.ports import Location, ReadOptions
    from runferry.readers.mlflow.reader import MlflowReader

    with closing(MlflowReader.open(Location("mlflow", uri), ReadOptions())) as reader:
        return reader.experiment_of(number)
