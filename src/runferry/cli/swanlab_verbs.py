"""`runferry swanlab convert`: the options of SwanLab's own `convert`, documented ones too."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from runferry.cli.app import app
from runferry.cli.options import OptionalText, Session, verb
from runferry.errors import ExitCode, UsageError
from runferry.losses import Fate

swanlab = typer.Typer(
    name="swanlab",
    help="Convert to SwanLab with the options of SwanLab's own command.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(swanlab)


def _text(*names: str, help: str, words: tuple[str, ...] = ()) -> typer.models.OptionInfo:
    told = (lambda: list(words)) if words else None
    return cast("typer.models.OptionInfo", typer.Option(*names, help=help, autocompletion=told))


@verb(swanlab, settings=["archive", "workers", "allow", "timezone"])
def convert(
    session: Session,
    kind: Annotated[
        str,
        _text(
            "--type",
            "-t",
            help="tensorboard, wandb, wandb-local or mlflow.",
            words=("tensorboard", "wandb", "wandb-local", "mlflow"),
        ),
    ] = "tensorboard",
    project: Annotated[OptionalText, _text("--project", "-p", help="SwanLab project.")] = None,
    workspace: Annotated[
        OptionalText, _text("--workspace", "-w", help="SwanLab workspace.")
    ] = None,
    mode: Annotated[
        str,
        _text(
            "--mode",
            help="cloud (online), local, offline or disabled.",
            words=("cloud", "local", "offline", "disabled"),
        ),
    ] = "cloud",
    logdir: Annotated[
        OptionalText, _text("--logdir", "-l", help="Folder of run folders. [default: ./swanlog]")
    ] = None,
    tb_log_dir: Annotated[
        OptionalText, _text("--tb-log-dir", "--tb-logdir", help="Folder of event files.")
    ] = None,
    tb_types: Annotated[
        OptionalText,
        _text("--tb-types", help="Only these: scalar,image,audio,text. [default: all]"),
    ] = None,
    wb_project: Annotated[OptionalText, _text("--wb-project", help="W&B project.")] = None,
    wb_entity: Annotated[OptionalText, _text("--wb-entity", help="W&B entity.")] = None,
    wb_runid: Annotated[OptionalText, _text("--wb-runid", help="One run; else all.")] = None,
    wb_dir: Annotated[str, _text("--wb-dir", help="Folder of W&B's run folders.")] = "./wandb",
    wb_run_dir: Annotated[OptionalText, _text("--wb-run-dir", help="One of them.")] = None,
    mlflow_url: Annotated[
        str, _text("--mlflow-url", help="MLflow server or store.")
    ] = "http://127.0.0.1:5000",
    mlflow_exp: Annotated[
        OptionalText, _text("--mlflow-exp", help="Experiment's id or name.")
    ] = None,
    mlflow_runid: Annotated[
        OptionalText, _text("--mlflow-runid", help="One run; else all.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Ids are kept in any case; needs --wb-runid.")
    ] = False,
) -> ExitCode:
    """Convert runs of other trackers to SwanLab."""
    from runferry import swanlab_roads as roads

    if resume and not wb_runid:
        raise UsageError("--resume is for one run", hint="--wb-runid RUN --resume")
    if kind not in roads.KINDS:
        raise UsageError(f"`--type` cannot be {kind!r}", hint=f"one of: {', '.join(roads.KINDS)}")
    goal = roads.Goal(project, workspace, cast("roads.Mode", mode), logdir)
    match kind:
        case "wandb":
            source, selection = roads.wandb_service(wb_project, wb_entity, wb_runid)
        case "wandb-local":
            source, selection = roads.wandb_folders(wb_dir, wb_run_dir, wb_runid)
        case "mlflow":
            source, selection = roads.mlflow(mlflow_url, mlflow_exp, mlflow_runid)
        case _:
            source, selection = roads.tensorboard(tb_log_dir or ".", tb_types)
    allowed = session.settings.allow
    if session.resolved.origins["allow"] == "default":
        allowed = goal.allowed or allowed
    with goal.meant():
        return _moved(session, goal.road(source, selection), allowed)


def _moved(session: Session, road: object, allowed: Fate) -> ExitCode:
    from runferry import swanlab_roads as roads
    from runferry.cli.places import destined, hub, located, read_options
    from runferry.cli.reports import show_conversion
    from runferry.transfer.convert import ConvertOptions
    from runferry.transfer.convert import convert as transfer
    from runferry.transfer.patience import Patience

    assert isinstance(road, roads.Road)
    origin, end = located(road.source), destined(road.destination)
    chosen = session.settings
    options = ConvertOptions(
        read=read_options(session),
        selection=road.selection,
        workers=chosen.workers,
        allow=allowed,
        dry_run=road.dry_run,
        reserve_bytes=chosen.reserve_bytes,
        patience=Patience(chosen.patience),
    )
    archive = hub(session, origin, end)
    with session.working() as (observer, stop):
        report = transfer(origin, end, archive, options, observer=observer, stop=stop)
    return session.conclude(report, show_conversion, is_asked=road.dry_run)
