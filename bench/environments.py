"""The peers' own environments, below `.bench/envs`: made once, then used again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent / ".bench"


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with one peer in it."""

    package: str
    version: str  # as pip takes it: "0.29.*"
    besides: tuple[str, ...] = ()  # what makes it faster, where its documentation says so

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return HOME / "envs" / f"{self.package}-{self.version.removesuffix('.*')}"

    def __str__(self) -> str:
        return f"{self.package} {self.version_of(self.package)}"

    @property
    def is_there(self) -> bool:
        """Whether it was installed, by this run or an earlier one."""
        return (self.folder / "installed").exists()

    @property
    def python(self) -> Path:
        """Its interpreter, installed first if it is not there."""
        scripts = "Scripts" if sys.platform == "win32" else "bin"
        python = self.folder / scripts / "python"
        if not self.is_there:
            subprocess.run([sys.executable, "-m", "venv", "--clear", self.folder], check=True)
            wanted = [f"{self.package}=={self.version}", *self.besides]
            subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
            (self.folder / "installed").write_text(" ".join(wanted) + "\n", encoding="ascii")
        return python

    def version_of(self, package: str) -> str:
        """The exact version of a package in it that pip chose."""
        ask = f"import importlib.metadata as m; print(m.version({package!r}))"
        answer = subprocess.run(
            [self.python, "-c", ask], check=True, capture_output=True, text=True
        )
        return answer.stdout.strip()

    def file(self, inside: str) -> Path:
        """A file of the installed package, by its path inside site-packages."""
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        answer = subprocess.run(
            [self.python, "-c", ask], check=True, capture_output=True, text=True
        )
        return Path(answer.stdout.strip()) / inside


WANDB_SEED = Environment("wandb", "0.29.*")  # the last line with a reader in Python
WANDB = Environment("wandb", "0.31.*")
MLFLOW = Environment("mlflow", "3.17.*")
TENSORBOARD = Environment("tensorboard", "2.21.*")  # with the data server that it depends on
TBPARSE = Environment("tbparse", "0.0.9")
TENSORBOARDX = Environment("tensorboardX", "2.6.5", ("crc32c",))
TRACKIO = Environment("trackio", "0.43.*")
CLEARML = Environment("clearml", "2.1.*", ("numpy",))
AIM = Environment("aim", "3.29.*")
SWANLAB = Environment("swanlab", "0.10.*")
PEERS = (
    *(WANDB_SEED, WANDB, MLFLOW, TENSORBOARD, TBPARSE, TENSORBOARDX),
    *(TRACKIO, CLEARML, AIM, SWANLAB),
)
