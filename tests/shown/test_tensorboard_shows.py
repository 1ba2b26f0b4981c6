"""What lies in event files is seen by whoever opens them in TensorBoard."""

from __future__ import annotations

from pathlib import Path

from selenium.webdriver.remote.webdriver import WebDriver
from tensorboardX import SummaryWriter
from tests.shown.tensorboard_logs import BOTH_PATHS, log_with_the_sdk
from tests.shown.tensorboard_page import Curve, Seen, seen, shown
from tests.shown.tensorboard_server import DataPath


@BOTH_PATHS
def test_everything_is_seen(chromium: WebDriver, tmp_path: Path, data_path: DataPath) -> None:
    expected = log_with_the_sdk(tmp_path / "logs")
    with shown(chromium, tmp_path / "logs", data_path) as page:
        assert seen(page) == expected


def test_what_was_not_logged_is_not_seen(chromium: WebDriver, tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "logs" / "bare")) as writer:
        writer.add_scalar("loss", 0.5, 0)
        writer.add_scalar("loss", 0.25, 1)
    with shown(chromium, tmp_path / "logs", "python") as page:
        assert page.tabs() == ["TIME SERIES", "SCALARS"]
        assert seen(page) == Seen(
            scalars={("bare", "loss"): Curve(2)}, latest={("bare", "loss"): "0.25"}
        )
