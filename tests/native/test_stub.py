"""The typed stub says what the compiled module is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def test_the_stub_is_that_of_the_module(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"  # not the project's, which would check the whole package
    config.write_text("[mypy]\nfollow_imports = silent\n")
    command = [sys.executable, "-m", "mypy.stubtest", "runferry._native", "--concise"]
    command += ["--mypy-config-file", str(config)]
    checked = subprocess.run(
        command,
        cwd=tmp_path,  # not the source folder: the module that is installed is the one that counts
        env={**os.environ, "MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
