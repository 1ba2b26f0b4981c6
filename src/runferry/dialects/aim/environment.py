"""An environment of its own for a package that cannot live in everybody's; made once, by itself.

    <cache>/runferry/environments/
        aim-3.29.1-<digest>/        whole: it was filled and tried elsewhere, then renamed
        aim-3.29.1-<digest>.<hex>/  being made, or what a killed process left
        aim-3.29.1-<digest>.lock    held by whoever makes it, and by what that has started

The digest is that of its packages and of the machine's kind: a home may be shared by several.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runferry.dialects.aim.installing import SECONDS_BETWEEN_LOOKS, python_of, run, ways
from runferry.durable import sync, sync_tree
from runferry.errors import MissingExtra, UsageError
from runferry.http import waits

_log = logging.getLogger(__name__)


class NoEnvironment(MissingExtra):
    """A package has no environment of its own, and none can be made here."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        UsageError.__init__(self, what, where=where, hint=hint)


def environments() -> Path:
    """The folder of the user's cache that they lie in."""
    import platformdirs

    return platformdirs.user_cache_path("runferry", appauthor=False) / "environments"


@dataclass(frozen=True, slots=True)
class OwnEnvironment:
    """An environment for `called`: what is installed into it, and what must run in it then."""

    called: str
    version: str
    packages: tuple[str, ...]
    pythons: tuple[tuple[int, int], ...]
    tried: tuple[str, ...]
    """Arguments of its Python that end with 0 where it is of use."""
    about: str
    """How much there is to fetch."""
    otherwise: str
    """A command for where this cannot be made."""

    @property
    def home(self) -> Path:
        """Where it is, once it is made."""
        stated = "\n".join((sysconfig.get_platform(), *self.packages))
        digest = hashlib.sha256(stated.encode()).hexdigest()[:8]
        return environments() / f"{self.called.lower()}-{self.version}-{digest}"

    def python(self) -> Path:
        """Its Python; the environment is made where it is not there. Raises NoEnvironment.

        Whoever comes while another makes it waits until it is there.
        """
        python = python_of(self.home)
        if python.exists():
            return python
        if sys.platform == "win32":
            raise NoEnvironment(
                f"{self.called} has no packages for Windows", hint="run runferry in WSL"
            )
        try:
            self.home.parent.mkdir(parents=True, exist_ok=True)
            with _held(self.home.with_name(f"{self.home.name}.lock"), self.called) as lock:
                if not python.exists():
                    self._make(lock)
        except OSError as error:
            raise NoEnvironment(
                f"no environment for {self.called} can be made here ({error.strerror or error})",
                where=str(self.home),
                hint=f"XDG_CACHE_HOME names another folder, or: {self.otherwise}",
            ) from error
        return python

    def _make(self, lock: int) -> None:
        """Beside its place, then rename it; the lock is held."""
        for left in self.home.parent.glob(f"{self.home.name}.*/"):
            shutil.rmtree(left, ignore_errors=True)
        _log.warning(
            "making an environment of its own for %s %s, once (%s): %s",
            *(self.called, self.version, self.about, self.home),
        )
        new, gone = (
            self.home.with_name(f"{self.home.name}.{secrets.token_hex(4)}") for _ in range(2)
        )
        try:
            self._fill(new, lock)
            sync_tree(new)
            with suppress(FileNotFoundError):  # it is there only if its Python is not any more
                self.home.rename(gone)
            new.rename(self.home)
            sync([self.home.parent])
        finally:
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(gone, ignore_errors=True)
        _log.info("the environment for %s is made", self.called)

    def _fill(self, new: Path, lock: int) -> None:
        """Install into it, and see that it is of use. Raises NoEnvironment."""
        install = self._begun(new, lock)
        ended = run([*install, *self.packages], lock)
        if ended.code:
            raise self._failed(
                f"its packages cannot be installed: {ended.words}",
                "see that the package index is reached (PIP_INDEX_URL names another), run again",
            )
        ended = run([str(python_of(new)), *self.tried], lock)
        if ended.code:
            raise self._failed(f"what was installed does not run: {ended.words}", "")

    def _begun(self, new: Path, lock: int) -> list[str]:
        """Make it empty; what installs into it. Raises NoEnvironment."""
        words = ""
        for make, install in ways(new, self.pythons):
            ended = run(make, lock)
            if not ended.code:
                return install
            words = ended.words
        wanted = " or ".join(f"{major}.{minor}" for major, minor in self.pythons)
        what = words or f"it wants Python {wanted}, and there is none on the PATH"
        raise self._failed(what, "install `uv` (it fetches a Python), then run again")

    def _failed(self, why: str, hint: str) -> NoEnvironment:
        return NoEnvironment(
            f"no environment for {self.called} could be made: {why}",
            where=str(self.home),
            hint=", or: ".join(filter(None, (hint, self.otherwise))),
        )


@contextmanager
def _held(path: Path, called: str) -> Iterator[int]:
    """The lock of this file; the system frees it when all who hold it are gone."""
    import fcntl

    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    is_told = False
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not is_told:
                    _log.info("waiting for the environment for %s, which another makes", called)
                is_told = True
                waits.wait(SECONDS_BETWEEN_LOOKS, "")
        yield lock
    finally:
        os.close(lock)
