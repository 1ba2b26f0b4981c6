"""What strangers install: an sdist, and a wheel that is made of it and needs no Rust.

Slow, since the extension is compiled and packages are fetched: `.ci/run` has a step for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cargo") is None, reason="Rust is not installed"),
]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    subprocess.run(["maturin", "sdist", "--out", folder], cwd=ROOT, check=True)
    (made,) = folder.glob("runferry-*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))  # crates are compiled once
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", folder, sdist],
        env={**os.environ, "CARGO_TARGET_DIR": built},
        check=True,
    )  # fmt: skip
    (made,) = folder.glob("runferry-*.whl")
    return made


def test_the_sdist_has_all_that_is_built_and_tested_and_nothing_else(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = [Path(*Path(name).parts[1:]) for name in archive.getnames()]
    tops = {name.parts[0] for name in names}
    assert {"Cargo.lock", "Cargo.toml", "LICENSE", "THIRD_PARTY.md", "rust", "src"} <= tops
    assert {"tests", "examples", "docs", "bench"} <= tops
    assert not {"fuzz", "target", "corpus"} & tops
    assert not [top for top in tops if top.startswith(".")]
    assert not [name for name in names if name.suffix in (".so", ".pyd", ".pyc", ".db")]


def test_a_wheel_works_in_an_empty_environment_without_rust(wheel: Path) -> None:
    script = ROOT / ".ci" / "wheel.py"
    subprocess.run([sys.executable, script, wheel], check=True, timeout=900)
