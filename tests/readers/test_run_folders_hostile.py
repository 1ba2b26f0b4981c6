"""Run folders that somebody made to do harm, or that are simply broken: told, never followed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_folders import (
    dvclive,
    gather_one,
    hf,
    hydra,
    ray,
    result,
    results,
    sacred,
    trainer_rows,
    trainer_state,
)

from runferry.chunks import File
from runferry.errors import NotFound, SourceError
from runferry.losses import Fate
from runferry.paths import inside
from runferry.ports import Location, Reader, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.dvclive import DvcliveReader
from runferry.readers.hf_trainer import HfTrainerReader
from runferry.readers.hydra import HydraReader
from runferry.readers.ray_tune import RayTuneReader
from runferry.readers.run_folders import run_files
from runferry.readers.sacred import SacredReader

SECRET = "the secret of somebody else"
DEEP = "[" * 100_000
READERS: dict[str, type[Reader]] = {
    "hf_trainer": HfTrainerReader,
    "dvclive": DvcliveReader,
    "ray_tune": RayTuneReader,
    "sacred": SacredReader,
    "hydra": HydraReader,
}
MAKERS: dict[str, Callable[[Path], None]] = {
    "hf_trainer": hf,
    "dvclive": dvclive,
    "ray_tune": ray,
    "sacred": sacred,
    "hydra": hydra,
}
FILES = [
    ("hf_trainer", "trainer_state.json"),
    ("dvclive", "metrics.json"),
    ("dvclive", "params.yaml"),
    ("dvclive", "plots/metrics/loss.tsv"),
    ("ray_tune", "result.json"),
    ("ray_tune", "params.json"),
    ("sacred", "run.json"),
    ("sacred", "config.json"),
    ("sacred", "info.json"),
    ("sacred", "metrics.json"),
    ("sacred", "cout.txt"),
    ("hydra", ".hydra/config.yaml"),
    ("hydra", "train.log"),
]
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "no text": bytes(range(256)) * 20,
    "deep lists": DEEP.encode(),
    "deep mappings": b'{"a":' * 50_000,
    "deep and whole": b'{"log_history": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a list": b"[1, 2]",
    "a number": b"5",
    "null": b"null",
    "a mapping of nothing meant": b'{"a": {"b": [{}]}, "steps": "x", "step": {}, "values": 5}',
    "an integer of 100,000 digits": b'{"a": ' + b"9" * 100_000 + b"}",
    "a key twice": b'{"a": 1, "a": 2}',
    "halves of a pair": b'{"\\ud800": "\\udfff"}\n',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "nul": b"\0" * 10_000,
    "aliases": b"a: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 112)
    ),
    "a tag": b"a: !!python/object/apply:os.system ['exit 1']\n",
}


def made(name: str, home: Path) -> Path:
    home.mkdir(parents=True)
    MAKERS[name](home)
    return home


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize(("name", "file"), FILES)
def test_whatever_stands_in_a_file_the_run_is_read_and_the_rest_is_told(
    tmp_path: Path, name: str, file: str, kind: str
) -> None:
    home = made(name, tmp_path / "run")
    (home / file).write_bytes(CONTENTS[kind])
    reader = READERS[name].open(Location(name, str(tmp_path)), ReadOptions())
    for run in reader.runs():
        for _ in reader.read(run):
            pass
    if name == "ray_tune" and file == "result.json":
        return  # a folder of which nothing says that it is a trial is none
    found = gather_one(READERS[name], tmp_path)
    told = {loss.code for loss in found.losses}
    if kind in ("deep lists", "deep mappings", "no text", "utf-16") and file.endswith("json"):
        assert told & {"unreadable-file", "damaged-json", "cut-json", "bad-json"}, told
    if kind == "aliases" and file.endswith("yaml"):
        assert "unreadable-file" in told


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_link_that_climbs_out_is_not_followed(tmp_path: Path, name: str, file: str) -> None:
    home = made(name, tmp_path / "root" / "run")
    away = tmp_path / "elsewhere"
    away.write_text(json.dumps({"secret": SECRET, "log_history": [{"secret": SECRET}]}) + "\n")
    (home / file).unlink()
    (home / file).symlink_to(away)
    reader = READERS[name].open(Location(name, str(tmp_path / "root")), ReadOptions())
    for run in reader.runs():
        assert SECRET not in repr(run)
        read = list(reader.read(run))
        assert SECRET not in repr(read)
        blobs = [chunk.blob for chunk in read if hasattr(chunk, "blob")]
        for blob in blobs:
            if blob.open is not None:
                with blob.open() as content:
                    assert SECRET.encode() not in content.read()


@pytest.mark.parametrize("name", READERS)
def test_a_folder_that_is_linked_from_elsewhere_is_told(tmp_path: Path, name: str) -> None:
    home = made(name, tmp_path / "root" / "run")
    away = tmp_path / "elsewhere"
    away.mkdir()
    (away / "x").write_text(SECRET)
    (home / "model").symlink_to(away)
    found = gather_one(READERS[name], tmp_path / "root")
    links = [loss for loss in found.losses if loss.code == "linked-file"]
    is_asked = name != "hf_trainer" or links
    assert not is_asked or [(loss.where, loss.fate) for loss in links] == [("model", Fate.DROPPED)]
    assert "model" not in found.content.files


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_among_the_files_does_not_hang(tmp_path: Path, name: str) -> None:
    import os

    home = made(name, tmp_path / "run")
    os.mkfifo(home / "pipe")
    found = gather_one(READERS[name], tmp_path)
    assert "pipe" not in found.content.files


@pytest.mark.parametrize("name", READERS)
def test_a_file_or_nothing_is_an_error_with_a_command(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    for where in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(NotFound) as caught:
            READERS[name].open(Location(name, str(where)), ReadOptions())
        assert caught.value.hint


@pytest.mark.parametrize("name", READERS)
def test_a_run_is_found_below_and_recognised_and_others_are_not(tmp_path: Path, name: str) -> None:
    made(name, tmp_path / "a" / "b" / "run")
    (tmp_path / "c").mkdir()
    for other, reader in READERS.items():
        assert reader.recognises(tmp_path) is (other == name)
    assert not READERS[name].recognises(tmp_path / "c")
    assert not READERS[name].recognises(tmp_path / "c" / "nothing")


@pytest.mark.parametrize("name", READERS)
def test_two_runs_called_alike_in_different_roots_are_two(tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {
        "hf_trainer": lambda home: (home / "trainer_state.json").write_text(
            trainer_state(trainer_rows(3, first=5))
        ),
        "dvclive": lambda home: (home / "plots/metrics/loss.tsv").write_text("step\tloss\n0\t9\n"),
        "ray_tune": lambda home: results(home, [result(7)]),
        "sacred": lambda home: (home / "run.json").write_text('{"start_time": "2024-01-01"}'),
        "hydra": lambda home: (home / ".hydra" / "config.yaml").write_text("lr: 7\n"),
    }
    made(name, tmp_path / "one" / "run")
    changes[name](made(name, tmp_path / "two" / "run"))
    first, second = (gather_one(READERS[name], tmp_path / root).run for root in ("one", "two"))
    assert first.name == second.name == "run"
    assert first.key != second.key
    assert gather_one(READERS[name], tmp_path / "one" / "run").run.key == first.key


def test_a_yaml_bomb_costs_no_memory(tmp_path: Path) -> None:
    home = made("hydra", tmp_path / "run")
    (home / ".hydra" / "config.yaml").write_bytes(CONTENTS["aliases"])
    script = (
        "import sys; from run_folders import gather_one; from pathlib import Path;"
        "from runferry.testing.peak import peak_bytes;"
        "from runferry.readers.hydra import HydraReader;"
        "gather_one(HydraReader, Path(sys.argv[1]));"
        "print(peak_bytes())"
    )
    environment = environment_apart()
    environment["PYTHONPATH"] = f"{environment.get('PYTHONPATH', '')}:{Path(__file__).parent}"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert int(ended.stdout) < 400 << 20


CLOSED = {
    "ray_tune": (
        "result.json",
        {"result.json": '{"training_iteration": 1}\n', "params.json": "{}"},
    ),
    "sacred": ("run.json", {"run.json": '{"command": "x"}', "config.json": "{}"}),
    "hydra": (".hydra", {".hydra/config.yaml": "lr: 1\n"}),
}


@pytest.mark.parametrize("step", ["takes", "inside"])
def test_a_file_deleted_while_the_folder_is_read_is_none_of_the_run(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `save_total_limit` deletes a checkpoint, at either moment after the folder was listed."""
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(b"weights")

    def takes(name: str) -> bool:
        if (name, step) == ("a.pt", "takes"):
            (tmp_path / name).unlink()
        return True

    def is_inside(home: Path, name: str) -> Path | None:
        found = inside(home, name)
        if (name, step) == ("a.pt", "inside"):
            (tmp_path / name).unlink()
        return found

    monkeypatch.setattr(run_files, "inside", is_inside)
    (only,) = run_files.run_files(tmp_path, {}, takes)
    assert isinstance(only, File)
    assert only.path == "b.pt"


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.usefixtures("modes_hold")
def test_a_run_that_is_closed_to_us_fails_and_is_not_left_out(tmp_path: Path, name: str) -> None:
    shut, files = CLOSED[name]
    for run in ("open", "shut"):
        for file, text in files.items():
            path = tmp_path / run / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (tmp_path / "shut" / shut).chmod(0)
    reader = READERS[name].open(Location(name, str(tmp_path)), ReadOptions())
    try:
        first, second = sorted(reader.runs(), key=lambda run: run.key.run_id)
        assert list(reader.read(first))
        with pytest.raises(SourceError, match="cannot be read: Permission denied"):
            list(reader.read(second))
    finally:
        (tmp_path / "shut" / shut).chmod(0o700)
