"""Models of other trackers become registered models of MLflow; what somebody changes there since is
what comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.writers.mlflow_models import at, client_of, fill
from tests.writers.mlflow_runs import header, last_header, pulled, push

from runferry import convert
from runferry.chunks import Artifact, Attributes, Chunk, Document, File, Lost
from runferry.losses import Fate
from runferry.model import ArtifactEntry, Attribute, Blob, Run, RunKey
from runferry.ports import Location
from runferry.writers.mlflow import MlflowWriter


def linked(version: int, collection: str = "net", project: str = "model-registry") -> list[Chunk]:
    """A W&B run that logged an artifact and linked it to a model."""
    link = {"entity": "team", "project": project, "collection": collection,
            "version": f"v{version}", "aliases": ["latest", "v7", "best"],
            "artifact": "run-net", "artifact_version": "v9"}  # fmt: skip
    entries = (ArtifactEntry("model.bin", Blob.from_bytes(b"weights")),)
    return [
        Artifact("run-net", "model", "produced", "v9", "id9", ("latest",), "good", {"a": 1}, "d",
                 entries),
        Document("registered_model", f"team/{project}/{collection}:v{version}", link),
    ]  # fmt: skip


def test_a_version_that_wandb_linked_is_a_version_of_a_registered_model(database: Path) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remotes = [push(writer, header(f"w{n}"), linked(n)) for n in (0, 2)]
    told = {loss.code: loss.fate for loss in writer.losses(remotes[0])}
    assert told == {"alias-reserved": Fate.REENCODED}
    elsewhere = push(writer, header("w3"), linked(0, project="wandb-registry-Prod"))
    writer.close()
    with at(f"sqlite:///{database}") as client:
        found = {v.version: v for v in client.search_model_versions("name = 'net'")}
        assert {number: v.run_id for number, v in found.items()} == {1: remotes[0], 3: remotes[1]}
        assert dict(client.get_registered_model("net").aliases) == {"best": 3}
        assert found[1].description == "good"
        folder = Path(found[1].source)
        assert (folder / "model.bin").read_bytes() == b"weights"
        (version,) = client.search_model_versions("name = 'Prod.net'")
        assert version.run_id == elsewhere


def neptune(run_id: str, **facts: object) -> Run:
    return Run(RunKey("neptune", "team/vision", run_id), **facts)  # type: ignore[arg-type]


def test_models_of_neptune_are_registered_and_their_stages_are_mlflows(database: Path) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    model = neptune("PRO-MOD", name="net", kind="model", group="PRO-MOD", notes="what it is")
    push(writer, model, [])
    stages = {1: "none", 3: "production"}
    for number, stage in stages.items():
        run = neptune(f"PRO-MOD-{number}", kind="model_version", group="PRO-MOD")
        at_stage = Attributes((Attribute(("sys", "stage"), "other", stage),))
        push(writer, run, [at_stage, File("model.pt", "other", Blob.from_bytes(b"w"))])
    writer.close()
    client = client_of(f"sqlite:///{database}")
    assert client.get_registered_model("PRO-MOD").description == "what it is"
    versions = {v.version: v for v in client.search_model_versions("name = 'PRO-MOD'")}
    assert {n: v.current_stage for n, v in versions.items()} == {1: "None", 3: "Production"}
    assert (Path(versions[3].source) / "model.pt").read_bytes() == b"w"


def test_a_name_that_another_model_has_is_left_to_that_one(database: Path) -> None:
    client = client_of(f"sqlite:///{database}")
    client.create_registered_model("net", {"whose": "theirs"})
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remote = push(writer, header("w0"), linked(0))
    assert "model-renamed" in {loss.code for loss in writer.losses(remote)}
    writer.close()
    assert not client.search_model_versions("name = 'net'")
    assert client.get_registered_model("net").tags == {"whose": "theirs"}
    assert len(client.search_registered_models()) == 2


def test_what_is_discarded_takes_its_versions_away(database: Path) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    run = header("w0")
    remote = push(writer, run, linked(0), seal=False)
    target = writer._target(remote)
    writer._register(remote, run, target, run.uid)  # as a push that was killed before it sealed
    client = client_of(f"sqlite:///{database}")
    assert len(client.search_model_versions("name = 'net'")) == 1
    writer.discard(remote)
    writer.close()
    assert not client.search_model_versions("name = 'net'")


def test_what_is_changed_in_the_registry_is_what_comes_back(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = f"sqlite:///{tmp_path}/there/runs.db"
    with at(f"sqlite:///{database}") as client:
        fill(client, tmp_path)
    convert(f"mlflow:sqlite:///{database}", f"mlflow:{there}", archive="archive", workers=1)
    with at(there) as client:
        client.set_registered_model_alias("net", "champion", "1")
        client.update_registered_model("net", description="changed")
        client.update_model_version("net", "1", "better")
        client.set_model_version_tag("net", "3", "new", "tag")
        client.delete_model_version("net", "4")
        (holder,) = client.search_runs(
            [client.get_experiment_by_name("Registered models").experiment_id],
            "attributes.run_name = 'net'",
        )
    chunks = pulled(there, holder.info.run_id)
    versions = {c.version: c for c in chunks if isinstance(c, Artifact)}
    assert versions.keys() == {"1", "3"}
    assert set(versions["1"].aliases) == {"oldest", "champion"}
    assert versions["1"].description == "better"
    assert isinstance(versions["3"].metadata, dict)
    assert versions["3"].metadata["tags"] == {"new": "tag"}
    assert last_header(chunks).notes == "changed"
    gone = [c.loss for c in chunks if isinstance(c, Lost)]
    assert [(loss.code, loss.where) for loss in gone] == [("removed-from-mlflow", "net/4")]


@pytest.mark.parametrize("content", ['{"x": 1}', "[7]", '[{"what": "artifact"}]', "nonsense"])
def test_what_was_registered_in_a_foreign_shape_is_a_loss_and_never_an_error(
    content: str, database: Path
) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remote = push(writer, header("w0"), linked(0))
    writer.close()
    bundle = database.parent.glob(f"mlruns/*/{remote}/artifacts/runferry")
    (folder,) = bundle
    (part,) = folder.glob("registered-*.json")
    part.write_text(content)
    (seal,) = folder.glob("sealed-*.json")
    sealed = json.loads(seal.read_text()) | {f"runferry/{part.name}": len(content)}
    seal.write_text(json.dumps(sealed))
    codes = {c.loss.code for c in pulled(str(database), remote) if isinstance(c, Lost)}
    assert "bundle-part-damaged" in codes


def test_what_was_set_by_hand_outlives_a_push_of_a_model_that_grew(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, there = f"sqlite:///{database}", f"sqlite:///{tmp_path}/there/runs.db"
    with at(source) as client:
        made = fill(client, tmp_path)
        client.set_model_version_tag("net", "1", "dropped", "later")
    convert(f"mlflow:{source}", f"mlflow:{there}", archive="archive", workers=1)
    with at(there) as client:
        client.set_registered_model_alias("net", "by_hand", "1")
        client.set_registered_model_alias("net", "champion", "3")
        client.set_model_version_tag("net", "1", "by_hand", "yes")
        client.set_model_version_tag("net", "1", "acc", "0.95")
        client.update_model_version("net", "1", "better")
    with at(source) as client:
        client.delete_registered_model_alias("net", "oldest")
        client.delete_model_version_tag("net", "1", "dropped")
        run = client.get_run(made["trainer"]).info
        client.create_model_version("net", f"{run.artifact_uri}/model", run.run_id)
    convert(f"mlflow:{source}", f"mlflow:{there}", archive="archive", workers=1)
    with at(there) as client:
        assert {v.version for v in client.search_model_versions("name = 'net'")} == {1, 3, 4, 5}
        assert dict(client.get_registered_model("net").aliases) == {"by_hand": 1, "champion": 3}
        version = client.get_model_version("net", "1")
        own = {k: v for k, v in version.tags.items() if not k.startswith("runferry.")}
        assert own == {"by_hand": "yes", "acc": "0.95"}
        assert version.description == "better"
