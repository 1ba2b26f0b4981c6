"""What a training script calls: mirror W&B, TensorBoard or MLflow, or log to many backends at once.

Nothing here waits for a backend or imports one. What cannot be right (a place that does not exist,
an unknown mode) is an error at once; from then on training does not hear of us, except by warnings.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypedDict, Unpack

from runferry import settings
from runferry.live import backends, swanlab_run
from runferry.live.experiment import Experiment
from runferry.live.hooks.clearml import ClearmlHook
from runferry.live.hooks.lightning import LightningHook
from runferry.live.hooks.mlflow import MlflowHook
from runferry.live.hooks.tensorboard import TensorboardHook
from runferry.live.hooks.wandb import WandbHook
from runferry.live.hooks.wandb_offline import WandbOffline
from runferry.live.layout import Stated
from runferry.live.machine import GitState, Machine
from runferry.live.session import Session, sessions, without_secrets

Places = str | Iterable[str]


class More(TypedDict, total=False):
    """What every `sync_…` takes besides: SwanLab's workspace and its folder of logs, for where
    runs go without `to`; and `journal`, the session's folder, else a new one below
    `./.runferry/live`.
    """

    workspace: str | None
    logdir: str | None
    journal: str | os.PathLike[str] | None


_active: list[Experiment] = []
_asked: list[Machine | GitState] = []


def _missed() -> None:
    for session in sessions.all():
        session.journal.drop(WandbHook.name)


_offline: Final = WandbOffline(_missed)
_SWITCHES: Final = ("track_system", "track_git")


def sync_wandb(
    mode: str = "cloud",
    wandb_run: bool = True,
    to: Places | None = None,
    **more: Unpack[More],
) -> Session | None:
    """Mirror runs of W&B that begin from now on; anywhere before `wandb.init()`.

    Without `to` they go to SwanLab, as `mode` says: `cloud`, `local`, `offline` or `disabled`. With
    `wandb_run=False` nothing goes to W&B, until `stop_logging`. Raises BadLocation, UsageError.
    """
    session = _session(to, mode, **more)
    if not wandb_run:
        _offline.on()
    if session is not None:

        def events() -> None:
            session.capture(TensorboardHook(session.journal))

        session.capture(WandbHook(session.journal, events=events))
    return session


def sync_tensorboard(
    mode: str = "cloud",
    to: Places | None = None,
    *,
    root: str | None = None,
    **more: Unpack[More],
) -> Session | None:
    """Mirror what writers of TensorBoard are given, those of torch and of tensorboardX.

    Writers that exist already are mirrored from now on. Runs are named by their folders below
    `root`, or below the working directory. The rest is as for `sync_wandb`.
    """
    session = _session(to, mode, **more)
    if session is not None:
        session.capture(TensorboardHook(session.journal, root))
    return session


def sync_mlflow(
    mode: str = "cloud",
    to: Places | None = None,
    **more: Unpack[More],
) -> Session | None:
    """Mirror what is logged with MLflow's client. The rest is as for `sync_wandb`."""
    session = _session(to, mode, **more)
    if session is not None:
        session.capture(MlflowHook(session.journal, session.layout.files))
    return session


def sync_clearml(
    mode: str = "cloud",
    to: Places | None = None,
    **more: Unpack[More],
) -> Session | None:
    """Mirror tasks of ClearML, with a server or offline, those too that have begun already.

    The rest is as for `sync_wandb`.
    """
    session = _session(to, mode, **more)
    if session is not None:
        session.capture(ClearmlHook(session.journal, session.layout.files))
    return session


def sync_lightning(
    mode: str = "cloud",
    to: Places | None = None,
    **more: Unpack[More],
) -> Session | None:
    """Mirror what trainings of Lightning log, with any logger or with none.

    Loggers of W&B, TensorBoard and MLflow are mirrored by the `sync_…` of their SDK, where that is
    on for the same places, and else by this. The rest is as for `sync_wandb`.
    """
    session = _session(to, mode, **more)
    if session is not None:
        session.capture(LightningHook(session.journal, session.hooks.__contains__))
    return session


def start_logging(
    exp_name: str | None = None,
    project: str | None = None,
    backend: Places = "archive",
    api_key: str | None = None,
    backend_url: str | None = None,
    config: Mapping[str, object] | None = None,
    *,
    journal: str | os.PathLike[str] | None = None,
) -> Experiment:
    """Begin an experiment: from now on TensorBoard, W&B and MLflow are captured for every backend.

    `backend` is a name, a place, a list of them, or a text with commas. `track_system` and
    `track_git` in `config` ask for metrics of the machine and the state of git; all else in it is
    logged as parameters. Raises BadLocation, UsageError.
    """
    project = project or settings.current().live_project
    name = exp_name or "experiment"
    places = backends.places(backend, url=backend_url, project=project)
    stated = Stated(without_secrets(places), project, name)
    secrets = backends.keys(places, api_key)
    session = sessions.begin(places, _path(journal), stated, secrets)
    experiment = Experiment(session.journal, session.layout.files, name, project)
    _active.append(experiment)
    session.capture(TensorboardHook(session.journal, experiment=experiment.run_id))
    session.capture(WandbHook(session.journal))
    session.capture(MlflowHook(session.journal, session.layout.files))
    session.capture(ClearmlHook(session.journal, session.layout.files))
    is_hooked = session.hooks.__contains__
    session.capture(LightningHook(session.journal, is_hooked, experiment.source))
    if (config or {}).get("track_git"):
        _ask(GitState(experiment, session.journal))
    if (config or {}).get("track_system"):
        _ask(Machine(experiment))
    params = {key: value for key, value in (config or {}).items() if key not in _SWITCHES}
    if params:
        experiment.log_params(params)
    return experiment


def get_active_experiment() -> Experiment | None:
    """The one that `start_logging` began last, if it has not been stopped."""
    return _active[-1] if _active else None


def stop_logging(timeout: float = 60.0) -> dict[str, dict[str, object]]:
    """Take all hooks off, and wait until everything is delivered, or for so many seconds.

    Gives, for each backend, records `captured`, `delivered`, `pending` and `dropped`, in `failing`
    what the last attempt ended in, and in `losses`, by kinds, how much is not there exactly. What
    is pending then is delivered later: by the process that is at it, or by `runferry resume`. A
    backend that refuses for good (no keys, say) is not waited for.
    """
    _answered()
    while _active:
        _active.pop().end()
    _offline.off()
    found: dict[str, dict[str, object]] = {}
    running = sessions.all()
    for session in running:
        session.release()
    for session in running:
        found |= _told(session, timeout)
    return found


def _ask(what: Machine | GitState) -> None:
    what.start()
    _asked.append(what)


def _answered() -> None:
    while _asked:
        _asked.pop().stop()


def _left() -> None:
    """A script is over that has not called `stop_logging`: its experiments have ended with it."""
    # as Python has just printed; where lines are typed in, an earlier one that failed is no end
    is_broken = getattr(sys, "last_value", None) is not None and not hasattr(sys, "ps1")
    _answered()
    while _active:
        experiment = _active.pop()
        if experiment.process == os.getpid():  # and not a child's copy of it
            experiment.end("FAILED" if is_broken else "FINISHED")


atexit.register(_left)


def _told(session: Session, timeout: float) -> dict[str, dict[str, object]]:
    status = session.wait(timeout)
    captured = session.journal.captured.total()
    dropped = session.journal.dropped.total()
    if status is None:
        return {
            place: {"captured": captured, "delivered": 0, "pending": captured, "dropped": dropped,
                    "failing": "the delivery process has not begun", "losses": {}, "waiting": None}
            for place in session.destinations
        }  # fmt: skip
    captured = max(status.captured, captured)  # which may not have been looked at yet
    return {
        one.destination: {
            "captured": captured,
            "delivered": one.delivered,
            "pending": captured - one.delivered,
            "dropped": max(status.dropped, dropped),
            "failing": one.failing,
            "losses": one.losses,
            "waiting": one.waiting,
        }
        for one in status.destinations
    }


def _session(to: Places | None, mode: str, **more: Unpack[More]) -> Session | None:
    """The session for these places; None where SwanLab's mode says that nothing is mirrored."""
    options: dict[str, object] = {}
    if to is None:
        place = backends.of_swanlab(
            mode, workspace=more.get("workspace"), logdir=more.get("logdir")
        )
        run = swanlab_run.open_run() if place else None
        if run is not None:
            place = swanlab_run.adopted_place(run)
        if not place:
            return None
        to, options = place, backends.options_of_swanlab(mode) if run is None else {}
    listed = [to] if isinstance(to, str) else list(to)
    places = backends.checked(listed)
    stated = Stated(without_secrets(places), options=options)
    return sessions.begin(places, _path(more.get("journal")), stated)


def _path(journal: str | os.PathLike[str] | None) -> Path | None:
    return None if journal is None else Path(journal)
