"""Tests that need rights which this user has not, or has too many.

Root writes to read-only files, and only root mounts a disk. Both are arranged, so that nobody has
to skip a test: the first for a thread, the second in a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3 of linux/capability.h
_OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_LOW_AND_HIGH = ctypes.c_uint32 * 6
"""Effective, permitted and inheritable capabilities, the lower 32 bits of each and the upper."""


@contextmanager
def modes_that_hold() -> Iterator[None]:
    """File modes count for this thread and for those that it starts, also where it is root's.

    Programs that it starts are root's again.
    """
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        yield
        return
    before = _capabilities("capget", _LOW_AND_HIGH())
    without = _LOW_AND_HIGH(*before)
    without[0] &= ~_OVERRIDES
    _capabilities("capset", without)
    try:
        yield
    finally:
        _capabilities("capset", before)


def _capabilities(call: str, bits: ctypes.Array[ctypes.c_uint32]) -> ctypes.Array[ctypes.c_uint32]:
    """Ask for those of this thread, or change them: capget(2), capset(2)."""
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    if getattr(library, call)(ctypes.byref(header), ctypes.byref(bits)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), call)
    return bits


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


@contextmanager
def small_disk(tmp_path: Path, megabytes: int = 1) -> Iterator[Path]:
    """A disk of its own, for as long as the block runs."""
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
