"""What the machine and the source code are, on request: system metrics, and the state of git.

In the training process, in threads that training does not wait for, since only there it is known
which machine and folder are meant. Metrics are of the whole machine, every few seconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from runferry.live.experiment import Experiment
from runferry.live.journal import Journal
from runferry.redact import without_credentials

PERIOD_SECONDS = 10.0
_GIT_SECONDS = 20.0
_GIT_PATIENCE_SECONDS = 5.0  # of a training that is over
_SECTOR = 512


class Machine:
    """Samples the machine for one experiment, until it is stopped."""

    def __init__(self, experiment: Experiment, period_seconds: float = PERIOD_SECONDS) -> None:
        self._experiment = experiment
        self._period_seconds = period_seconds
        self._stopped = threading.Event()
        self._before: dict[str, float] = {}
        self._before_at = 0.0
        self._count = 0
        self._thread = threading.Thread(target=self._go, name="runferry-machine", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was sampled is logged."""
        self._stopped.set()
        self._thread.join(1.0)

    def _go(self) -> None:
        with contextlib.suppress(Exception):  # a machine that shows nothing of itself
            self._sample()
            while not self._stopped.wait(self._period_seconds):
                self._sample()
            self._sample()

    def _sample(self) -> None:
        """Levels as they are, and counters as what came of them a second since the last sample."""
        now = time.monotonic()
        counters, seconds = dict(_counters()), now - self._before_at
        found = dict(_levels())
        for name, value in counters.items():
            if name in self._before and seconds > 0:
                found[name] = (value - self._before[name]) / seconds
        self._before, self._before_at = counters, now
        busy = found.pop("cpu.busy", None)
        if busy is not None:
            found["cpu"] = min(busy * 100.0, 100.0)
        for name, value in found.items():
            self._experiment.log_metric(f"system/{name}", value, self._count)
        self._count += 1


def _levels() -> Iterator[tuple[str, float]]:
    """Memory and disk, in percent of what there is; processors and memory of NVIDIA's cards."""
    with contextlib.suppress(OSError, ValueError, KeyError, ZeroDivisionError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        memory = {line.split(":")[0]: float(line.split()[1]) for line in lines if line.strip()}
        yield "memory", 100.0 * (1 - memory["MemAvailable"] / memory["MemTotal"])
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(Path.cwd())
        yield "disk", 100.0 * usage.used / usage.total
    yield from _cards()


def _counters() -> Iterator[tuple[str, float]]:
    """What only grows: busy processors' share of all seconds, bytes of disk and network."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/stat").read_text().splitlines()
        ticks = [float(word) for word in lines[0].split()[1:9]]
        cores = sum(line.startswith("cpu") for line in lines) - 1
        busy = sum(ticks) - ticks[3] - ticks[4]  # all but idle, and waiting for a disk
        yield "cpu.busy", busy / os.sysconf("SC_CLK_TCK") / max(cores, 1)
    with contextlib.suppress(OSError, ValueError, IndexError):
        rows = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
        whole = [row for row in rows if Path("/sys/block", row[2]).exists()]
        yield "disk.read_bytes", sum(float(row[5]) for row in whole) * _SECTOR
        yield "disk.written_bytes", sum(float(row[9]) for row in whole) * _SECTOR
    with contextlib.suppress(OSError, ValueError, IndexError):
        listed = Path("/proc/net/dev").read_text().splitlines()[2:]
        named = [line.partition(":") for line in listed]
        others = [words.split() for name, _, words in named if name.strip() != "lo"]
        yield "network.received_bytes", sum(float(words[0]) for words in others)
        yield "network.sent_bytes", sum(float(words[8]) for words in others)


def _cards() -> Iterator[tuple[str, float]]:
    """NVIDIA's cards, where NVML and its Python package are there."""
    try:
        import pynvml
    except ImportError:
        return
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        for number in range(pynvml.nvmlDeviceGetCount()):
            card = pynvml.nvmlDeviceGetHandleByIndex(number)
            memory = pynvml.nvmlDeviceGetMemoryInfo(card)
            yield f"gpu.{number}", float(pynvml.nvmlDeviceGetUtilizationRates(card).gpu)
            yield f"gpu.{number}.memory", 100.0 * memory.used / memory.total


class GitState:
    """Logs the state of git in the working directory once: tags, and as a file what is not
    committed. What git does not say in time is counted as dropped.
    """

    def __init__(self, experiment: Experiment, journal: Journal) -> None:
        self._experiment = experiment
        self._journal = journal
        self._folder = Path.cwd()
        self._thread = threading.Thread(target=self._log, name="runferry-git", daemon=True)

    def start(self) -> None:
        """Begin to ask git."""
        self._thread.start()

    def stop(self) -> None:
        """Give git a moment more: a short training may be over before it has answered."""
        self._thread.join(_GIT_PATIENCE_SECONDS)
        if self._thread.is_alive():
            self._journal.drop("git")

    def _log(self) -> None:
        try:
            for name, value in git_state(self._folder).items():
                self._experiment.set_tag(f"git.{name}", value)
            patch = _git(self._folder, "diff", "HEAD")
            if patch:
                self._experiment.log_text(patch, "git.patch")
        except (OSError, subprocess.SubprocessError):
            self._journal.drop("git")


def git_state(folder: Path) -> dict[str, str]:
    """Commit, branch, remote without credentials, and whether anything is not committed.

    Empty where there is no repository. Raises OSError and SubprocessError where git fails us.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    found = {
        "commit": commit,
        "branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        "remote": without_credentials(
            _git(folder, "config", "--get", "remote.origin.url"), is_location=True
        ),
        "dirty": "true" if _git(folder, "status", "--porcelain") else "false",
    }
    return {name: value for name, value in found.items() if value}


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_GIT_SECONDS,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace").strip() if not done.returncode else ""
