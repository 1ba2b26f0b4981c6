"""The same script run with clients of five years; slow, since each is installed first."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from wandb_runs import gather_one
from wandb_sdk_checks import check_all

SCRIPT = Path(__file__).with_name("wandb_sdk_script.py")
# each where something changed: the first of this layout, protobuf 4, core as an option, core with
# aligned blocks, core only, no loose files offline, no datastore in Python
VERSIONS = (
    "0.10.33",
    "0.12.21",
    "0.13.11",
    "0.15.12",
    "0.16.6",
    "0.17.5",
    "0.17.9",
    "0.18.7",
    "0.19.11",
    "0.22.3",
    "0.30.0",
)
WITH_A_CHOICE = ("0.17.5", "0.17.9")  # of wandb-core; before there was none, after no other

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stated = os.environ.get("RUNFERRY_WANDB_ENVIRONMENTS")
    return Path(stated) if stated else tmp_path_factory.mktemp("environments")


def python_with(environments: Path, version: str) -> Path:
    folder = environments / version
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        wanted = [f"wandb=={version}", "numpy<2", "pillow", "setuptools<80"]
        if version < "0.13":
            wanted.append("protobuf<3.21")
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
        (folder / "ready").touch()
    return python


@pytest.mark.parametrize(
    ("version", "core"),
    [(v, core) for v in VERSIONS for core in (False, True) if not core or v in WITH_A_CHOICE],
)
def test_every_client_reads_as_what_it_logged(
    environments: Path, tmp_path: Path, version: str, core: bool
) -> None:
    environment = dict(os.environ)
    if core:
        environment["WANDB__REQUIRE_CORE"] = "true"
    command = [str(python_with(environments, version)), str(SCRIPT), "full", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode in (0, 3), done.stderr
    check_all(gather_one(tmp_path), version)


if __name__ == "__main__":
    sys.exit(pytest.main(["-m", "slow", __file__]))
