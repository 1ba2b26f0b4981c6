"""A page of the documentation as a story: its commands are called, one after another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.docs.doc_blocks import RUN, Block, Call, Note, calls_of, parts_of
from tests.docs.doc_outputs import ELISION, same
from tests.docs.doc_services import SERVICES

from runferry.python_apart import environment_apart

ROOT = Path(__file__).parents[2]
GIVEN = Path(__file__).with_name("given")
DEMO = "/demo"  # what pages call the folder in which they are
USER = "ada"
SECONDS = 240

_KEPT = {"LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "TZ", "COVERAGE_PROCESS_START"}
_BEFORE_EACH = "printf '\\001'"


class Story:
    """Tells one page, in a folder of its own. With `writing`, what was printed goes into it."""

    def __init__(self, page: Path, scratch: Path, *, writing: bool = False) -> None:
        self._page = page
        self._scratch = scratch
        self._writing = writing
        self._services = ExitStack()
        self._ports: dict[str, str] = {}
        self._more: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._folders = 0
        self._printed: list[tuple[Call, list[str]]] = []
        self._programs = self._scratch / "bin"
        self._home = self._scratch / "home"
        self._programs.mkdir()
        self._home.mkdir()
        for name, words in (("runferry", "-m runferry"), ("python", "")):
            program = self._programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
            program.chmod(0o755)
        self._begin_anew()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._services.close()

    def tell(self) -> None:
        """Run all that can be run. Fails where a page says something else than what happens."""
        for part in parts_of(self._page):
            if isinstance(part, Note):
                self._note(part)
                continue
            if (name := self._notes.get("file")) is not None:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_text(part.text, encoding="utf-8")
            elif part.language in RUN and "not run" not in self._notes:
                self._run(part)
            self._notes = {}
        if self._writing:
            self._write()

    def _begin_anew(self) -> None:
        self._folders += 1
        self.folder = self._scratch / f"demo{self._folders}"
        self.folder.mkdir()
        if "examples/" in self._page.read_text(encoding="utf-8"):
            (self.folder / "examples").symlink_to(ROOT / "examples")

    def _note(self, note: Note) -> None:
        match note.word:
            case "fresh":
                self._begin_anew()
            case "given":
                for name in note.value.split():
                    self._bash(f'python "{GIVEN / name}.py"', name)
            case "with":
                folder = self._scratch / note.value
                folder.mkdir()
                stated = self._services.enter_context(SERVICES[note.value](folder))
                for name, value in stated.items():
                    if name.startswith("PORT_OF_"):
                        self._ports[name.removeprefix("PORT_OF_")] = value
                    else:
                        self._more[name] = value
            case word:
                self._notes[word] = note.value

    # --- calling ----------------------------------------------------------------------------------

    def _run(self, block: Block) -> None:
        if block.language == "python":
            file = self._scratch / "block.py"
            file.write_text(block.text, encoding="utf-8")
            self._bash(f'python "{file}"', block.where)
        elif not block.is_session:
            self._bash(f"set -e\n{block.text}", block.where)
        else:
            self._type(calls_of(block), block)

    def _type(self, calls: Sequence[Call], block: Block) -> None:
        """The commands, in one shell, each with its own output and code."""
        ends = "\nprintf '\\002%d' \"$?\"\n"
        script = "".join(f"{_BEFORE_EACH}\n{call.command}{ends}" for call in calls)
        heard = self._bash(script, block.where).split("\001")[1:]
        assert len(heard) == len(calls), f"{block.where}: the shell ended early: {heard}"
        for number, (call, words) in enumerate(zip(calls, heard, strict=True)):
            output, _, code = words.rpartition("\002")
            is_last = number == len(calls) - 1
            expected = self._notes.get("exits", "0") if is_last else "0"
            assert code == expected, f"{block.where}: {call.command}: exit code {code}\n{output}"
            self._compare(call, output, block)

    def _compare(self, call: Call, output: str, block: Block) -> None:
        printed = self._tidied(output).splitlines()
        if same(call.output, printed):
            return
        if self._writing and ELISION not in call.output:
            self._printed.append((call, printed))
            return
        raise AssertionError(
            f"{block.where}: {call.command}\nprints\n"
            + "\n".join(printed)
            + "\nthe page says\n"
            + "\n".join(call.output)
        )

    def _bash(self, script: str, where: str) -> str:
        for stated, port in self._ports.items():
            script = script.replace(f"127.0.0.1:{stated}", f"127.0.0.1:{port}")
        done = subprocess.run(
            ["bash", "-c", script.replace(f"{DEMO}/", f"{self.folder}/")],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        if "\002" not in done.stdout:
            assert done.returncode == 0, f"{where} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        beside = Path(sys.executable).parent
        return {
            **{name: value for name, value in os.environ.items() if name in _KEPT},
            "PATH": os.pathsep.join([str(self._programs), str(beside), os.environ["PATH"]]),
            "PYTHONPATH": environment_apart()["PYTHONPATH"],
            "HOME": str(self._home),
            "USER": USER,
            "LOGNAME": USER,
            "COLUMNS": "80",
            "EXAMPLES": str(ROOT / "examples"),
            "PYTHONUNBUFFERED": "1",  # so that both streams come in order
            "RUNFERRY_WORKERS": "1",  # so that runs come in order
            "COMET_DISABLE_AUTO_LOGGING": "1",
            "WANDB_SILENT": "true",
            **self._more,
        }

    def _tidied(self, output: str) -> str:
        for stated, port in self._ports.items():
            output = output.replace(f"127.0.0.1:{port}", f"127.0.0.1:{stated}")
        output = output.replace(str(self.folder), DEMO).replace(str(self._home), "~")
        return output.replace(str(self._scratch), "/tmp")

    # --- writing ----------------------------------------------------------------------------------

    def _write(self) -> None:
        """Put what was printed into the page, in place of what stands there."""
        lines = self._page.read_text(encoding="utf-8").splitlines()
        for call, printed in reversed(self._printed):
            while printed and not printed[-1]:
                printed = printed[:-1]
            lines[call.line : call.line + len(call.output)] = [line.rstrip() for line in printed]
        self._page.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
