"""Tests that need rights which this user has not, or has too many: run again in a child.

Root writes to read-only files, and only root mounts a disk. Both are arranged for one test in a
process of its own, so that nobody has to skip it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_OVERRIDE = "-dac_override,-dac_read_search"


def is_done_without_override(request: pytest.FixtureRequest) -> bool:
    """Whether the test has passed in a child for which file modes hold, although it is root's."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or "TESTS_AGAIN" in os.environ:
        return False
    _run_again(request, "setpriv", f"--bounding-set={_OVERRIDE}", f"--inh-caps={_OVERRIDE}")
    return True


def is_done_with_mounts(request: pytest.FixtureRequest) -> bool:
    """Whether the test has passed in a child that may mount, although its user may not."""
    if not sys.platform.startswith("linux"):
        pytest.skip("small disks are mounted on Linux only")
    if os.geteuid() == 0 or "TESTS_AGAIN" in os.environ:
        return False
    _run_again(request, "unshare", "--user", "--map-root-user", "--mount")
    return True


def _run_again(request: pytest.FixtureRequest, *prefix: str) -> None:
    if shutil.which(prefix[0]) is None:
        pytest.skip(f"there is no {prefix[0]} (util-linux)")
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip(f"this machine does not let us call {prefix[0]}")
    name = f"{request.node.path}::{request.node.name}"
    folder = request.getfixturevalue("tmp_path") / "again"
    options = ["-p", "no:cacheprovider", "--basetemp", str(folder), "-rs"]
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "pytest", *options, name],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TESTS_AGAIN": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout, done.stdout
