"""Tries a wheel as a stranger would: an empty environment, no Rust, a real conversion.

    python .ci/wheel.py dist/runferry-*.whl

Fails when the wheel holds what does not belong there, lacks what does, or does not work. Its
dependencies come from the package index that pip is set up for, as wheels too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples" / "wandb"

BELONGS = re.compile(
    r"runferry/([a-z0-9_]+/)*([a-z0-9_]+\.(pyi?|graphql|sql|css|js)|py\.typed|_native(\.abi3)?\.(so|pyd))"
    r"|runferry-[^/]+\.dist-info/(licenses/)?[A-Za-z_.]+|runferry-[^/]+\.dist-info/sboms/[^/]+"
)
NEEDED = (
    r"runferry/__main__\.py",
    r"runferry/py\.typed",
    r"runferry/_native\.pyi",
    r"runferry/_native(\.abi3)?\.(so|pyd)",
    r"runferry/pictures/page\.css",
    r"runferry/pictures/page\.js",
    r"runferry/testing/writer_contract\.py",
    r"runferry-[^/]+\.dist-info/entry_points\.txt",
    r"runferry-[^/]+\.dist-info/licenses/LICENSE",
    r"runferry-[^/]+\.dist-info/licenses/THIRD_PARTY\.md",
)


def misplaced(wheel: Path) -> list[str]:
    """What is wrong with the wheel's name and the names in it."""
    found = []
    if "-cp311-abi3-" not in wheel.name:
        found.append(f"{wheel.name} is not for every Python from 3.11 on")
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    found += [f"does not belong there: {name}" for name in names if not BELONGS.fullmatch(name)]
    for pattern in NEEDED:
        count = sum(bool(re.fullmatch(pattern, name)) for name in names)
        if count != 1:
            found.append(f"{count} times there: {pattern}")
    return found


@dataclass(frozen=True, slots=True)
class Empty:
    """An environment with nothing in it but pip, from which neither Rust nor the source is seen."""

    folder: Path

    @property
    def scripts(self) -> Path:
        """Where its programs are."""
        return self.folder / "venv" / ("Scripts" if os.name == "nt" else "bin")

    def made(self) -> Empty:
        """It, on the disk."""
        venv.create(self.folder / "venv", with_pip=True)
        for tool in ("cargo", "rustc", "maturin"):
            assert shutil.which(tool, path=self.environ["PATH"]) is None, f"{tool} is in reach"
        return self

    @property
    def environ(self) -> dict[str, str]:
        """The variables of this process without those of Python and Rust, and a PATH of its own."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "CARGO", "RUST", "RUNFERRY", "VIRTUAL_ENV"))
        }
        system = [str(Path(os.environ["SYSTEMROOT"], "System32"))] if os.name == "nt" else []
        path = os.pathsep.join([str(self.scripts), *system])
        return kept | {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(self, program: str, *arguments: str | Path) -> str:
        """What a program of the environment prints. Raises CalledProcessError."""
        name = shutil.which(program, path=self.environ["PATH"])
        assert name is not None, f"no {program} was installed"
        print("$", program, *arguments, flush=True)
        ended = subprocess.run(
            [name, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            check=True,
            encoding="utf-8",
        )
        return ended.stdout


def tried(wheel: Path, folder: Path) -> None:
    """Install the wheel, and move the example runs. Raises AssertionError, CalledProcessError."""
    empty = Empty(folder).made()
    empty.run("python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", wheel)
    empty.run("python", "-m", "pip", "check")
    version = empty.run("runferry", "--version")
    assert re.fullmatch(r"runferry \d+\.\d+\.\d+\S*\n", version), version
    assert empty.run("python", "-m", "runferry", "--version") == version
    where = empty.run("python", "-c", "import runferry; print(runferry.__file__)").strip()
    assert Path(where).resolve().is_relative_to(folder.resolve()), where
    runs = shutil.copytree(EXAMPLES, folder / "wandb")
    for destination in ("tensorboard:./events", "wandb:./again", "parquet:./tables"):
        told = empty.run("runferry", "convert", runs, destination, "--json")
        report = json.loads(told)
        assert report["push"]["counts"] == {"new": 2}, told
        assert report["verify"]["clean"], told
        assert len(report["verify"]["runs"]) == 2, told
    assert "complete" in empty.run("runferry", "completion", "bash")


def main(wheel: Path) -> int:
    """0 if the wheel is what it should be."""
    wrong = misplaced(wheel)
    for problem in wrong:
        print(problem)
    with TemporaryDirectory(prefix="wheel-", ignore_cleanup_errors=True) as folder:
        tried(wheel.resolve(), Path(folder))
    print(f"{wheel.name}: {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
