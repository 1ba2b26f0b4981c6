"""Artifacts of the service: bytes, lineage, links to registered models; and sweeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.blobs import bytes_of
from tests.readers.wandb_service_runs import gather, opened, read_one, served, the_run

from runferry.archive.store import Archive
from runferry.losses import Fate
from runferry.ports import Location
from runferry.testing.wandb_service import RunContent, Trouble, WandbService
from runferry.testing.wandb_service.manifests import manifest_of
from runferry.transfer.pull import pull

MAKER, USER = "lab/p/maker", "lab/p/user"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "home") as service:
        service.put_run(MAKER)
        service.put_run(USER)
        yield service


def put(service: WandbService, content: bytes = b"weights", name: str = "lab/p/net") -> str:
    return service.put_artifact(
        name,
        "model",
        {"net.bin": content, "in/deep.txt": b"deep", "../../out.txt": b"data"},
        references={"there": "s3://bucket/x"},
        logged_by=MAKER,
        used_by=[USER],
        metadata={"acc": 0.5},
        description="the best",
        aliases=["best"],
        tags=["t"],
    )


def test_what_was_produced_has_its_bytes_and_references(service: WandbService) -> None:
    put(service)
    with opened(MAKER) as reader:
        found = gather(reader, the_run(reader))
        (made,) = found.artifacts
        members = {entry.path: entry for entry in made.entries}
        assert bytes_of(members["net.bin"].blob) == b"weights"
        assert bytes_of(members["in/deep.txt"].blob) == b"deep"
        assert bytes_of(members["../../out.txt"].blob) == b"data"
    assert (made.name, made.type, made.relation, made.version) == (
        "net",
        "model",
        "produced",
        "v0",
    )
    assert {*made.aliases} >= {"best"}
    assert made.description == "the best"
    assert isinstance(made.metadata, dict)
    assert made.metadata["acc"] == 0.5
    assert members["there"].reference == "s3://bucket/x"
    assert members["there"].blob.is_missing
    assert not [loss for loss in found.losses if loss.fate > Fate.KEPT]


def test_members_that_the_manifest_does_not_describe_are_counted(service: WandbService) -> None:
    put(service)
    manifest = manifest_of(service.store, 1)
    assert manifest is not None
    file = service.store.blob_path(manifest["blob"])
    assert file is not None
    stated = json.loads(file.read_bytes())
    stated["contents"] |= {"odd": None, "odder": 7}
    file.write_text(json.dumps(stated))
    found = read_one(MAKER)
    (made,) = found.artifacts
    assert {"odd", "odder"}.isdisjoint(entry.path for entry in made.entries)
    lost = {(loss.code, loss.fate, loss.where, loss.count) for loss in found.losses}
    assert lost == {("artifact-member", Fate.DROPPED, "net", 2)}


def test_what_was_used_tells_which_run_has_the_bytes(service: WandbService) -> None:
    put(service)
    found = read_one(USER)
    (used,) = found.artifacts
    assert (used.name, used.relation, used.version) == ("net", "used", "v0")
    assert {entry.path for entry in used.entries} == {
        "net.bin",
        "in/deep.txt",
        "../../out.txt",
        "there",
    }
    assert all(entry.blob.is_missing for entry in used.entries)
    (loss,) = found.losses
    assert (loss.code, loss.count, loss.fate) == ("artifact-elsewhere", 3, Fate.KEPT)
    assert MAKER in loss.detail


def test_what_no_run_of_the_project_produced_has_its_bytes_where_it_is_used(
    service: WandbService,
) -> None:
    service.put_run("lab/other/r")
    service.put_artifact("lab/other/data", "dataset", {"a": b"1"}, logged_by="lab/other/r")
    service.put_artifact("lab/p/lone", "dataset", {"b": b"2"})
    service.use_artifact("lab/other/data:v0", USER)
    service.use_artifact("lab/p/lone:v0", USER)
    with opened(USER) as reader:
        found = gather(reader, the_run(reader))
        held = {a.name: bytes_of(a.entries[0].blob) for a in found.artifacts}
    assert held == {"data": b"1", "lone": b"2"}


def test_links_to_registered_models_are_told(service: WandbService) -> None:
    path = put(service)
    service.link_artifact(path, "lab/model-registry/Best Net", ["production"])
    found = read_one(MAKER)
    (model,) = found.documents
    assert model.kind == "registered_model"
    assert model.name == "lab/model-registry/Best Net:v0"
    assert isinstance(model.body, dict)
    assert "production" in str(model.body["aliases"])
    assert (model.body["artifact"], model.body["artifact_version"]) == ("net", "v0")
    (made,) = found.artifacts
    assert isinstance(made.metadata, dict)
    assert "Best Net" in str(made.metadata["_wandb"])
    assert "production" not in made.aliases


def test_a_version_is_given_again_when_what_is_said_of_it_changes(service: WandbService) -> None:
    put(service)
    first = read_one(MAKER)
    assert not read_one(MAKER, first.cursor()).artifacts
    put(service, b"better")  # which takes the aliases
    again = read_one(MAKER, first.cursor())
    assert sorted(str(a.version) for a in again.artifacts) == ["v0", "v1"]


def test_expired_urls_of_members_are_asked_for_anew(service: WandbService) -> None:
    put(service)
    with opened(MAKER) as reader:
        (made,) = gather(reader, the_run(reader)).artifacts
        service.faults.add(Trouble("status", "storage:GET", status=403))
        assert {bytes_of(entry.blob) for entry in made.entries if entry.reference is None} == {
            b"weights",
            b"deep",
            b"data",
        }


def test_every_page_of_members_is_read(service: WandbService, tmp_path: Path) -> None:
    files = {f"f{number:04}": str(number).encode() for number in range(60)}
    service.put_artifact("lab/p/many", "dataset", files, logged_by=MAKER)
    archive = Archive.open(tmp_path / "archive", create=True)
    report = pull(Location("wandb", MAKER), archive, reserve_bytes=0)
    assert not report.failures
    assert not [loss for one in report.outcomes for loss in one.losses]


def test_names_of_members_never_leave_their_folder(service: WandbService, tmp_path: Path) -> None:
    put(service)
    archive = Archive.open(tmp_path / "in" / "archive", create=True)
    assert not pull(Location("wandb", "lab/p"), archive, reserve_bytes=0).failures
    assert not list(tmp_path.rglob("out.txt"))
    assert {path.name for path in tmp_path.iterdir()} == {"home", "in"}


def test_a_sweep_gives_its_definition_once(service: WandbService) -> None:
    config = {"method": "grid", "parameters": {"lr": {"values": [0.1, 0.2]}}}
    service.put_sweep("lab/p/s1", config)
    service.put_run("lab/p/swept", RunContent(sweep="s1"))
    found = read_one("lab/p/swept")
    (sweep,) = found.documents
    assert (sweep.kind, sweep.name, found.header.sweep) == ("sweep", "s1", "s1")
    assert isinstance(sweep.body, dict)
    assert sweep.body["config"] == config
    assert not read_one("lab/p/swept", found.cursor()).documents
