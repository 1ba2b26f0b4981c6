"""Models and traces of a file store: damage is told, nothing outside is read, each is read once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from runferry.chunks import Artifact, Chunk, File, Lost
from runferry.dialects.yaml_trees import parse_yaml
from runferry.model import Run
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader, file_folders

RUN = "a" * 32


def written(folder: Path, **facts: object) -> Path:
    """A folder with such a `meta.yaml`."""
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(yaml.safe_dump(facts))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One experiment with one run."""
    root = tmp_path / "mlruns"
    written(root / "0", experiment_id="0", name="Default")
    written(root / "0" / RUN, run_id=RUN, status=3, start_time=5)
    return root


def opened(store: Path) -> tuple[MlflowReader, dict[str, Run]]:
    reader = MlflowReader.open(Location("mlflow", str(store)), ReadOptions())
    return reader, {run.key.run_id: run for run in reader.runs()}


def lost(chunks: list[Chunk]) -> list[tuple[str, str, int]]:
    found = [one.loss for one in chunks if isinstance(one, Lost)]
    return [(loss.code, loss.where, loss.count) for loss in found]


@pytest.mark.parametrize("maker", [RUN, None])
def test_a_damaged_line_of_a_models_metrics_is_told_with_its_model(
    store: Path, maker: str | None
) -> None:
    model = written(
        store / "0" / "models" / "m-1", model_id="m-1", name="net", source_run_id=maker, status=2
    )
    (model / "metrics").mkdir()
    (model / "metrics" / "acc").write_text(f"5 0.5 1 {RUN}\nrubbish\n\n6 0.5\n7 1 2 {RUN}\n")
    reader, runs = opened(store)
    chunks = list(reader.read(runs[maker or "m-1"]))
    assert lost(chunks) == [("damaged-metric-line", "m-1/acc", 2)]
    (artifact,) = (one for one in chunks if isinstance(one, Artifact))
    assert isinstance(artifact.metadata, dict)
    assert len(artifact.metadata["metrics"]) == 2  # type: ignore[arg-type]


def test_a_damaged_registered_model_or_version_is_told(store: Path) -> None:
    written(store / "models" / "net", name="net")
    written(store / "models" / "net" / "version-1", name="net", version=1)
    (store / "models" / "net" / "version-2").mkdir()
    (store / "models" / "net" / "version-2" / "meta.yaml").write_text("{: [")
    gone = store / "models" / "net" / "version-3"
    written(gone, version=3, current_stage="Deleted_Internal")
    written(store / "models" / "bad" / "version-1", name="bad", version=1)
    (store / "models" / "bad" / "meta.yaml").write_text("- no mapping")
    logged = written(store / "0" / "models" / "m-1")
    (logged / "meta.yaml").write_text("{: [")
    reader, runs = opened(store)
    told = {name: lost(list(reader.read(run))) for name, run in runs.items()}
    of_versions = {
        name: [loss for loss in losses if loss[0] == "damaged-header"]
        for name, losses in told.items()
    }
    assert of_versions == {
        RUN: [],
        "net": [("damaged-header", "net/version-2/meta.yaml", 1)],
        "bad": [("damaged-header", "bad/meta.yaml", 1)],
        "m-1": [("damaged-header", "m-1/meta.yaml", 1)],
    }
    versions = [c.version for c in reader.read(runs["bad"]) if isinstance(c, Artifact)]
    assert versions == ["1"]


def test_an_alias_of_a_version_that_cannot_be_read_is_told(store: Path) -> None:
    net = written(store / "models" / "net", name="net")
    written(net / "version-1", name="net", version=1)
    (net / "version-2").mkdir()
    (net / "version-2" / "meta.yaml").write_text("{: [")
    (net / "aliases").mkdir()
    for alias, number in {"good": "1", "best": "2", "gone": "7", "odd": "two"}.items():
        (net / "aliases" / alias).write_text(number)
    reader, runs = opened(store)
    chunks = list(reader.read(runs["net"]))
    assert [c.aliases for c in chunks if isinstance(c, Artifact)] == [("good",)]
    assert [one for one in lost(chunks) if one[0] == "damaged-alias"] == [
        ("damaged-alias", f"net/aliases/{alias}", 1) for alias in ("best", "gone", "odd")
    ]


@pytest.mark.parametrize(("kind", "place"), [("MODEL", "models"), ("DATASET", "datasets")])
def test_an_input_never_names_a_folder_outside(store: Path, kind: str, place: str) -> None:
    (store / "0" / place).mkdir()
    outside = written(store.parent / "outside" / "m-secret", model_id="m-secret", name="secret")
    assert outside.is_dir()
    name = "../../../outside/m-secret"
    written(store / "0" / RUN / "inputs" / "i", source_type=kind, source_id=name)
    reader, runs = opened(store)
    chunks = list(reader.read(runs[RUN]))
    assert "secret" not in str([c for c in chunks if not isinstance(c, Lost)])
    assert lost(chunks) == [("damaged-header", "inputs/i/meta.yaml", 1)]


def test_headers_are_read_a_few_times_however_many_models_there_are(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 30
    for number in range(count):
        written(store / "models" / f"n{number}", name=f"n{number}")
        source = f"models:/m-{number}"
        written(store / "models" / f"n{number}" / "version-1", version=1, source=source)
        written(store / "0" / "models" / f"m-{number}", model_id=f"m-{number}", name="x")
    read: list[object] = []
    monkeypatch.setattr(file_folders, "parse_yaml", lambda it: read.append(it) or parse_yaml(it))
    reader, runs = opened(store)
    assert len(runs) == 1 + 2 * count
    for run in runs.values():
        list(reader.read(run))
    assert count < len(read) < 15 * count


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "\ud800", "a: &a [*a]"])
def test_yaml_that_nobody_means_is_a_damaged_header(store: Path, text: str) -> None:
    (store / "0" / RUN / "meta.yaml").write_text(text, "utf-8", "surrogatepass")
    reader, runs = opened(store)
    assert lost(list(reader.read(runs[RUN]))) == [("damaged-header", f"{RUN}/meta.yaml", 1)]


def test_what_was_said_of_a_trace_and_cannot_be_read_is_told(store: Path) -> None:
    trace = store / "0" / "traces" / "tr-1"
    for folder in ("request_metadata", "assessments", "artifacts"):
        (trace / folder).mkdir(parents=True)
    (trace / "trace_info.yaml").write_text("trace_id: tr-1")
    (trace / "request_metadata" / "mlflow.sourceRun").write_text(RUN)
    (trace / "artifacts" / "traces.json").write_text('{"spans": []}')
    (trace / "assessments" / "a-1.yaml").write_text("assessment_name: good")
    (trace / "assessments" / "a-2.yaml").write_text("{: [")
    reader, runs = opened(store)
    chunks = list(reader.read(runs[RUN]))
    assert lost(chunks) == [("damaged-header", "tr-1/assessments/a-2.yaml", 1)]
    (file,) = (one for one in chunks if isinstance(one, File))
    assert file.blob.open is not None
    with file.blob.open() as stream:
        told = json.load(stream)["info"]
    assert told["assessments"] == [{"assessment_name": "good"}]


def test_what_cannot_be_read_of_a_run_is_told_of_that_run_and_once(store: Path) -> None:
    other = "b" * 32
    (written(store / "0" / other, run_id=other) / "tags").mkdir()
    (store / "0" / other / "tags" / "note").write_bytes(b"\xff")
    reader, runs = opened(store)
    assert lost(list(reader.read(runs[RUN]))) == []
    assert lost(list(reader.read(runs[other]))) == [("invalid-utf8", "tags/note", 1)]
