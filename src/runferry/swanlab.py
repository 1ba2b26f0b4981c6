"""Converting to SwanLab with the words of SwanLab's own `convert`: its options, in code and not.

    from runferry.swanlab import WandbConverter
    WandbConverter(project="zoo", mode="offline").run(wb_project="zoo", wb_entity="team")

Each is `runferry.convert` between two places. `cloud` and `online` are the same; `local` and
`offline` write run folders, which `swanlab sync` takes; `disabled` only says what would be lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from runferry import settings
from runferry.dialects.swanlab.names import OWN_WORKSPACE
from runferry.errors import UsageError
from runferry.transfer.selection import EVERYTHING, Selection
from runferry.transfer.value_types import TYPES

if TYPE_CHECKING:
    from runferry.transfer.report import ConvertReport

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
        is_cloud = self.mode in ("cloud", "online")
        folder = self.logdir or os.environ.get("SWANLAB_LOG_DIR") or _LOG_DIR
        return Road(
            source,
            self._cloud() if is_cloud else f"swanlab:{_local(folder)}",
            selection,
            self.mode == "disabled",
        )

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


class _Converter:
    """What the converters share: SwanLab's words for where runs go."""

    def __init__(
        self,
        project: str | None = None,
        workspace: str | None = None,
        mode: Mode = "cloud",
        logdir: str | None = None,
    ) -> None:
        self.goal = Goal(project, workspace, mode, logdir)

    def _convert(self, source: str, selection: Selection = EVERYTHING) -> ConvertReport:
        from runferry.api import convert

        road = self.goal.road(source, selection)
        with self.goal.meant():
            return convert(
                road.source, road.destination, selection=road.selection, dry_run=road.dry_run
            )


class WandbConverter(_Converter):
    """Runs of W&B's service."""

    def run(
        self,
        wb_project: str | None = None,
        wb_entity: str | None = None,
        wb_runid: str | None = None,
    ) -> ConvertReport:
        """All runs of the project; of an id that one. Failed runs are in the report."""
        return self._convert(*wandb_service(wb_project, wb_entity, wb_runid))


class WandbLocalConverter(_Converter):
    """Run folders of W&B's client."""

    def run(
        self, root_wandb_dir: str = "./wandb", wandb_run_dir: str | None = None
    ) -> ConvertReport:
        """All runs of the folder, or that of one run's folder in it."""
        return self._convert(wandb_folder(root_wandb_dir, wandb_run_dir))


class TFBConverter(_Converter):
    """Event files of TensorBoard: scalars, images, audio, text, histograms, hparams."""

    def __init__(
        self,
        project: str | None = None,
        workspace: str | None = None,
        mode: Mode = "cloud",
        logdir: str | None = None,
        types: str | None = None,
    ) -> None:
        """`types` are those of values, with commas between them; None means all."""
        super().__init__(project, workspace, mode, logdir)
        self.types = types

    def run(self, convert_dir: str = ".") -> ConvertReport:
        """All runs below the folder. Raises UsageError for a type that is none."""
        return self._convert(*tensorboard(convert_dir, self.types))


class MLFlowConverter(_Converter):
    """Runs of an MLflow server or store."""

    def run(
        self, tracking_uri: str, experiment: str | None = None, run_id: str | None = None
    ) -> ConvertReport:
        """All runs of an experiment, by its name; of an id that one."""
        return self._convert(*mlflow(tracking_uri, experiment, run_id))


def wandb_service(
    project: str | None, entity: str | None, run_id: str | None
) -> tuple[str, Selection]:
    """The place, and which runs there; without an entity the account's own."""
    if entity is None:
        projects = (project,) if project else ()
        return "wandb:", Selection(projects=projects, run_ids=(run_id,) if run_id else ())
    where = "/".join(part for part in (entity, project, run_id if project else None) if part)
    only = (run_id,) if run_id and not project else ()
    return f"wandb:{where}", Selection(run_ids=only)


def wandb_folder(folder: str, run_folder: str | None) -> str:
    """The place of a folder, or of one run in it."""
    return f"wandb:{_local(f'{folder}/{run_folder}' if run_folder else folder)}"


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
    """The place, and which runs there."""
    projects = (experiment,) if experiment else ()
    return f"mlflow:{uri}", Selection(projects=projects, run_ids=(run_id,) if run_id else ())
