"""Converting to SwanLab with the words of SwanLab's own `convert`: its options, in code and not.

    from runferry.swanlab import WandbConverter
    WandbConverter(project="zoo", mode="offline").run(wb_project="zoo", wb_entity="team")

Each is `runferry.convert` between two places. `cloud` and `online` are the same; `local` and
`offline` write run folders, which `swanlab sync` takes; `disabled` only says what would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runferry.errors import UsageError
from runferry.losses import Fate
from runferry.swanlab_roads import Goal, Mode, mlflow, tensorboard, wandb_folders, wandb_service
from runferry.transfer.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from runferry.transfer.report import ConvertReport


class _Converter:
    """What the converters share: SwanLab's words for where runs go, as of 0.10.3 and before.

    `log_dir` is `logdir`. `resume` changes nothing: ids are kept in any case. `allow` is the worst
    loss that leaves the report's exit code at 0, by default `Goal.allowed`. Raises UsageError for
    `tags`: runs keep their own.
    """

    def __init__(
        self,
        project: str | None = None,
        workspace: str | None = None,
        mode: Mode = "cloud",
        log_dir: str | None = None,
        logdir: str | None = None,
        tags: Sequence[str] | None = None,
        resume: bool = False,
        *,
        allow: Fate | str | None = None,
    ) -> None:
        del resume
        if tags:
            raise UsageError(
                "runs keep the tags that they have", hint="leave tags= out, and tag them in SwanLab"
            )
        self.goal = Goal(project, workspace, mode, log_dir or logdir)
        self.allow = allow

    def _convert(self, source: str, selection: Selection = EVERYTHING) -> ConvertReport:
        from runferry.api import convert

        road = self.goal.road(source, selection)
        with self.goal.meant():
            return convert(
                road.source,
                road.destination,
                selection=road.selection,
                allow=self.goal.allowed if self.allow is None else self.allow,
                dry_run=road.dry_run,
            )


class WandbConverter(_Converter):
    """Runs of W&B's service."""

    def __init__(
        self,
        project: str | None = None,
        workspace: str | None = None,
        mode: Mode = "cloud",
        log_dir: str | None = None,
        logdir: str | None = None,
        tags: Sequence[str] | None = None,
        resume: bool = False,
        wb_project: str | None = None,
        wb_entity: str | None = None,
        *,
        allow: Fate | str | None = None,
    ) -> None:
        """`wb_project` and `wb_entity` hold where `run` names none."""
        super().__init__(project, workspace, mode, log_dir, logdir, tags, resume, allow=allow)
        self._place = (wb_project, wb_entity)

    def run(
        self,
        wb_project: str | None = None,
        wb_entity: str | None = None,
        wb_runid: str | None = None,
        *,
        wb_run_id: str | None = None,
    ) -> ConvertReport:
        """All runs of the project; of an id that one. Failed runs are in the report."""
        project, entity = wb_project or self._place[0], wb_entity or self._place[1]
        return self._convert(*wandb_service(project, entity, wb_runid or wb_run_id))


class WandbLocalConverter(_Converter):
    """Run folders of W&B's client."""

    def __init__(
        self,
        project: str | None = None,
        workspace: str | None = None,
        mode: Mode = "cloud",
        log_dir: str | None = None,
        logdir: str | None = None,
        tags: Sequence[str] | None = None,
        resume: bool = False,
        root_wandb_dir: str = "./wandb",
        wandb_run_dir: str | None = None,
        *,
        allow: Fate | str | None = None,
    ) -> None:
        """The folders hold where `run` names none."""
        super().__init__(project, workspace, mode, log_dir, logdir, tags, resume, allow=allow)
        self._folders = (root_wandb_dir, wandb_run_dir)

    def run(
        self,
        root_wandb_dir: str | None = None,
        wandb_run_dir: str | None = None,
        wb_run_id: str | None = None,
    ) -> ConvertReport:
        """All runs of the folder, that of one run's folder in it, or that of an id."""
        home, run_folder = root_wandb_dir or self._folders[0], wandb_run_dir or self._folders[1]
        return self._convert(*wandb_folders(home, run_folder, wb_run_id))


class TFBConverter(_Converter):
    """Event files of TensorBoard: scalars, images, audio, text, histograms, hparams."""

    def __init__(
        self,
        project: str | None = None,
        workspace: str | None = None,
        mode: Mode = "cloud",
        log_dir: str | None = None,
        logdir: str | None = None,
        types: str | None = None,
        *,
        allow: Fate | str | None = None,
    ) -> None:
        """`types` are those of values, with commas between them; None means all."""
        super().__init__(project, workspace, mode, log_dir, logdir, allow=allow)
        self.types = types

    def run(self, convert_dir: str = ".", depth: int | None = None) -> ConvertReport:
        """All runs below the folder, however deep: `depth` is SwanLab's, and limits nothing here.

        Raises UsageError for a type that is none.
        """
        del depth
        return self._convert(*tensorboard(convert_dir, self.types))


class MLFlowConverter(_Converter):
    """Runs of an MLflow server or store."""

    def run(
        self, tracking_uri: str, experiment: str | None = None, run_id: str | None = None
    ) -> ConvertReport:
        """All runs of an experiment, by its id or name; of a run's id that one."""
        return self._convert(*mlflow(tracking_uri, experiment, run_id))
