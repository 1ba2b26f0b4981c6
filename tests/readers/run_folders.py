"""Run folders as their libraries write them, made without these libraries, and what is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runferry import chunks, tables
from runferry.chunks import Chunk
from runferry.model import Cursor, Run, Tree
from runferry.ports import Location, Reader, ReadOptions
from runferry.testing.content import Content

CORPUS = Path(
    os.environ.get("RUNFERRY_CORPUS", Path(__file__).parents[2].parent / "shared" / "corpus")
)


class Gathered:
    """A run, read."""

    def __init__(self, run: Run, read: Iterable[Chunk]) -> None:
        self.chunks = list(read)
        self.run = run
        self.content = Content.of(self.chunks)
        self.losses = self.content.losses

    def series(self, key: str) -> list[tuple[int | None, Any]]:
        """(step, value) of each point of a series, in order; integers exact."""
        return [(row["step"], _value(row)) for row in self.rows(chunks.Points, key)]

    def texts(self, key: str) -> list[tuple[int | None, str]]:
        return [(row["step"], row["text"]) for row in self.rows(chunks.Texts, key)]

    def times(self, key: str) -> list[int | None]:
        """ns since the epoch."""
        found = []
        for row in self.rows(chunks.Points, key):
            time = row["time"]
            found.append(
                None
                if time is None
                else round(time.timestamp() * 1e6) * 1000 + (row["time_ns"] or 0)
            )
        return found

    def rows(
        self, kind: type[chunks.Points] | type[chunks.Texts], key: str
    ) -> list[dict[str, Any]]:
        schema = tables.POINTS if kind is chunks.Points else tables.TEXTS
        return [
            row
            for chunk in self.chunks
            if isinstance(chunk, kind)
            for row in tables.conform(chunk.batch, schema).to_pylist()
            if row["key"] == key
        ]

    def console(self) -> list[dict[str, Any]]:
        return [
            row
            for chunk in self.chunks
            if isinstance(chunk, chunks.Console)
            for row in tables.conform(chunk.batch, tables.CONSOLE).to_pylist()
        ]

    def attributes(self, role: str) -> dict[tuple[str, ...], Tree]:
        return {
            path: tables.loads(text)
            for (of, path), text in self.content.attributes.items()
            if of == role
        }

    def codes(self) -> dict[str, int]:
        """Losses by their codes."""
        found: dict[str, int] = {}
        for loss in self.losses:
            found[loss.code] = found.get(loss.code, 0) + loss.count
        return found

    def cursor(self) -> Cursor:
        last = self.chunks[-1]
        assert isinstance(last, chunks.Checkpoint)
        position = tables.loads(tables.dumps(last.position))
        return Cursor(position, tuple(self.content.series.values()))


def gather(
    reader: type[Reader], root: Path, options: ReadOptions | None = None
) -> dict[str, Gathered]:
    """Every run below `root` by its name."""
    source = reader.open(Location(reader.name, str(root)), options or ReadOptions())
    return {str(run.name): Gathered(run, source.read(run)) for run in source.runs()}


def gather_one(reader: type[Reader], root: Path, after: Cursor | None = None) -> Gathered:
    source = reader.open(Location(reader.name, str(root)), ReadOptions())
    (run,) = source.runs()
    return Gathered(run, source.read(run, after))


def _value(row: dict[str, Any]) -> Any:
    if row["kind"] == "int":
        return int(row["value"]) if row["value_i64"] is None else row["value_i64"]
    return bool(row["value"]) if row["kind"] == "bool" else row["value"]


def trainer_state(rows: list[Any], **facts: Any) -> str:
    """As `TrainerState.save_to_json` of transformers 4.5x writes it."""
    stated = {
        "best_global_step": None,
        "best_metric": None,
        "best_model_checkpoint": None,
        "epoch": 1.0,
        "eval_steps": 500,
        "global_step": len(rows),
        "is_hyper_param_search": False,
        "log_history": rows,
        "max_steps": 1000,
        "num_train_epochs": 3,
        "stateful_callbacks": {"TrainerControl": {"args": {"should_save": True}, "attributes": {}}},
        "total_flos": 5.184393336533811e16,
        "trial_params": None,
    }
    return json.dumps({**stated, **facts}, indent=2, sort_keys=True) + "\n"


def trainer_rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "epoch": n / 7,
            "grad_norm": float(n % 5),
            "learning_rate": 1e-05 * n,
            "loss": 1 / (n + 1),
            "step": n,
        }
        for n in range(first, first + count)
    ]


def metric_file(home: Path, name: str, rows: list[tuple[Any, ...]], *, timed: bool = False) -> Path:
    """A table as `Metric.dump` of DVCLive 3 appends to it."""
    path = home / "plots" / "metrics" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    titles = [*(["timestamp"] if timed else []), "step", name]
    with path.open("a") as table:
        if table.tell() == 0:
            table.write("\t".join(titles) + "\n")
        table.writelines("\t".join(map(str, row)) + "\n" for row in rows)
    return path


def results(home: Path, rows: Iterable[Any], mode: str = "w") -> Path:
    """`result.json` as `JsonLoggerCallback` of Ray Tune writes it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "result.json").open(mode) as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return home


def result(number: int, *, done: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "loss": 1 / number,
        "info": {"learner": {"kl": number * 0.5, "n": number}, "empty": {}},
        "timesteps_total": number * 1000,
        "training_iteration": number,
        "trial_id": "c8fe3_00000",
        "hostname": "box",
        "pid": 21,
        "timestamp": 1_600_000_000 + number,
        "time_total_s": 2.5 * number,
        "done": done,
        "date": f"2020-09-13_{number}",
        "config": {"lr": 0.1, "layers": [1, 2]},
        **more,
    }


def hf(home: Path) -> None:
    (home / "trainer_state.json").write_text(trainer_state(trainer_rows(3)))


def dvclive(home: Path) -> None:
    metric_file(home, "loss", [(0, 0.5), (1, 0.25)])
    (home / "metrics.json").write_text('{"loss": 0.25}')
    (home / "params.yaml").write_text("lr: 0.1\n")


def ray(home: Path) -> None:
    results(home, [result(1), result(2)])
    (home / "params.json").write_text('{"lr": 0.1}')


def sacred(home: Path) -> None:
    (home / "run.json").write_text('{"status": "COMPLETED", "experiment": {"name": "e"}}')
    (home / "config.json").write_text('{"lr": 0.1}')
    (home / "info.json").write_text('{"a": 1}')
    metrics = {"loss": {"steps": [0], "timestamps": ["2024-01-01T00:00:00"], "values": [1.0]}}
    (home / "metrics.json").write_text(json.dumps(metrics))
    (home / "cout.txt").write_text("hello\n")


def hydra(home: Path) -> None:
    (home / ".hydra").mkdir()
    (home / ".hydra" / "config.yaml").write_text("lr: 0.1\n")
    (home / "train.log").write_text("hello\n")
