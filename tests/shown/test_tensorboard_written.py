"""What was seen in TensorBoard is seen again once it went through an archive and back."""

from __future__ import annotations

from pathlib import Path

from selenium.webdriver.remote.webdriver import WebDriver
from tests.shown.tensorboard_logs import BOTH_PATHS, log_with_the_sdk
from tests.shown.tensorboard_page import seen, shown
from tests.shown.tensorboard_server import DataPath

from runferry.api import convert
from runferry.errors import ExitCode


@BOTH_PATHS
def test_what_we_write_is_seen_as_it_was(
    chromium: WebDriver, tmp_path: Path, data_path: DataPath
) -> None:
    expected = log_with_the_sdk(tmp_path / "logs")
    report = convert(
        f"tensorboard:{tmp_path / 'logs'}",
        f"tensorboard:{tmp_path / 'ours'}",
        archive=tmp_path / "archive",
    )
    assert report.exit_code is ExitCode.DONE, report
    with shown(chromium, tmp_path / "ours", data_path) as page:
        assert seen(page) == expected
