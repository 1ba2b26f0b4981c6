"""Joining the session of `runferry run` in a process that it, or a child of it, has started."""

from __future__ import annotations

import os
from pathlib import Path

from runferry.live.hooks.clearml import ClearmlHook
from runferry.live.hooks.lightning import LightningHook
from runferry.live.hooks.mlflow import MlflowHook
from runferry.live.hooks.tensorboard import TensorboardHook
from runferry.live.hooks.wandb import WandbHook
from runferry.live.layout import FOLDER_VARIABLE, Layout, is_session
from runferry.live.session import sessions


def join() -> None:
    """Put all hooks on, for the session that the environment names."""
    named = os.environ.get(FOLDER_VARIABLE)
    if not named or not is_session(Path(named)):
        return
    session = sessions.join(Layout(Path(named)))
    session.capture(TensorboardHook(session.journal))
    session.capture(WandbHook(session.journal))
    session.capture(MlflowHook(session.journal, session.layout.files))
    session.capture(LightningHook(session.journal, session.hooks.__contains__))
    session.capture(ClearmlHook(session.journal, session.layout.files))
