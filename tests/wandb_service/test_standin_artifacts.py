"""The vendor's public client reads artifacts, registered models, sweeps and reports; and edits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.wandb_service.vendors_client import run_client

from runferry.testing.wandb_service import RunContent, WandbService

ASK = """
api = wandb.Api()
run, reader = api.run("lab/nlp/maker"), api.run("lab/nlp/reader")
logged = {artifact.name: artifact for artifact in run.logged_artifacts()}
model = api.artifact("lab/nlp/model:best")
folder = Path(model.download(root=str(home / "model")))
registered = api.artifact("lab/model-registry/Best Model:prod")
kinds = {kind.name: [c.name for c in kind.collections()] for kind in api.artifact_types("lab/nlp")}
sweep = api.sweep("lab/nlp/sw1")
reports = list(api.reports("lab/nlp"))
facts = dict(
    logged=sorted(logged),
    used=[artifact.name for artifact in reader.used_artifacts()],
    model=[model.version, sorted(model.aliases), model.metadata, model.description, model.size,
           model.type, model.tags, sorted(model.manifest.entries)],
    bytes={str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.*")},
    files=sorted((file.name, file.size) for file in model.files()),
    made_by=model.logged_by().id, used_by=[each.id for each in model.used_by()],
    versions=[a.version for a in api.artifacts("model", "lab/nlp/model")],
    kinds=kinds,
    registered=[registered.name, registered.source_name, sorted(registered.aliases),
                registered.is_link],
    portfolio=[a.name for a in api.artifacts("model", "lab/model-registry/Best Model")],
    reference=logged["data:v0"].manifest.entries["far.bin"].ref,
    sweep=[sweep.name, sweep.state, sweep.config, sorted(each.id for each in sweep.runs)],
    sweep_of_run=run.sweep.id,
    sweeps=[each.id for each in api.project("nlp", "lab").sweeps()],
    registries=[(r.name, [c.name for c in r.collections()]) for r in api.registries("institute")],
    in_registry=api.artifact("wandb-registry-model/Gold:v0").source_name,
    file=model.files(names=["weights.bin"])[0].download(root=str(home / "one")).read(),
    collections=[c.name for c in api.artifact_collections("lab/nlp", "model")],
    exists=[api.artifact_exists("lab/nlp/model:v1"), api.artifact_exists("lab/nlp/model:v7")],
    reports=[(report.display_name, report.spec["blocks"][0]["type"]) for report in reports],
)
model.aliases.append("edited")
model.description = "new words"
model.save()
model.link("lab/model-registry/Other", aliases=["staging"])
run.notes = "edited"
run.tags.append("new")
run.config["late"] = 1
run.update()
run.upload_file(str(folder / "weights.bin"), root=str(folder))
reader.delete()
facts["edited"] = [
    sorted(api.artifact("lab/nlp/model:v1").aliases),
    api.artifact("lab/nlp/model:v1").description,
    api.artifact("lab/model-registry/Other:staging").source_name,
    [file.name for file in run.files()],
]
answer(**facts)
"""


@pytest.fixture(scope="module")
def service() -> Iterator[WandbService]:
    with WandbService() as service:
        service.put_sweep("lab/nlp/sw1", {"method": "grid", "parameters": {"lr": {"values": [1]}}})
        service.put_run("lab/nlp/maker", RunContent(sweep="sw1", config={"lr": 1}))
        service.put_run("lab/nlp/reader")
        service.put_artifact(
            "lab/nlp/data", "dataset", {}, references={"far.bin": "s3://b/far.bin"},
            logged_by="lab/nlp/maker",
        )  # fmt: skip
        for text in ("first", "second"):
            service.put_artifact(
                "lab/nlp/model",
                "model",
                {"weights.bin": text.encode(), "deep/vocab.txt": b"same"},
                logged_by="lab/nlp/maker",
                used_by=["lab/nlp/reader"] if text == "second" else [],
                aliases=["best"],
                metadata={"acc": 0.5},
                description="words",
                tags=["big"],
            )
        service.link_artifact("lab/nlp/model:v1", "lab/model-registry/Best Model", ["prod"])
        service.link_artifact("lab/nlp/model:v1", "institute-org/wandb-registry-model/Gold")
        service.put_report("lab/nlp", "Findings", {"version": 5, "blocks": [{"type": "heading"}]})
        yield service
        assert not service.failures


@pytest.fixture(scope="module")
def answers(service: WandbService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run_client(service, tmp_path_factory.mktemp("home"), ASK)


def test_artifacts_are_found_from_runs_and_by_name(answers: dict[str, Any]) -> None:
    assert answers["logged"] == ["data:v0", "model:v0", "model:v1"]
    assert answers["used"] == ["model:v1"]
    assert answers["versions"] == ["v1", "v0"]
    assert answers["kinds"] == {"dataset": ["data"], "model": ["model"]}


def test_an_artifact_is_what_was_put_in(answers: dict[str, Any]) -> None:
    entries = ["deep/vocab.txt", "weights.bin"]
    expected = ["v1", ["best", "latest"], {"acc": 0.5}, "words", 10, "model", ["big"], entries]
    assert answers["model"] == expected
    assert answers["bytes"] == {"weights.bin": "second", "deep/vocab.txt": "same"}
    assert answers["files"] == [["deep/vocab.txt", 4], ["weights.bin", 6]]
    assert answers["made_by"] == "maker"
    assert answers["used_by"] == ["reader"]
    assert answers["reference"] == "s3://b/far.bin"


def test_a_registered_model_links_to_its_source(answers: dict[str, Any]) -> None:
    expected = ["Best Model:prod", "model:v1", ["latest", "prod"], True]
    assert answers["registered"] == expected
    assert answers["portfolio"] == ["Best Model:v0"]


def test_registries_and_their_collections_are_listed(answers: dict[str, Any]) -> None:
    assert answers["registries"] == [["model", ["Gold"]]]
    assert answers["in_registry"] == "model:v1"
    assert answers["file"] == "second"
    assert answers["collections"] == ["model"]
    assert answers["exists"] == [True, False]


def test_sweeps_and_reports_are_listed(answers: dict[str, Any]) -> None:
    config = {"method": "grid", "parameters": {"lr": {"values": [1]}}}
    assert answers["sweep"] == ["sw1", "FINISHED", config, ["maker"]]
    assert answers["sweep_of_run"] == "sw1"
    assert answers["sweeps"] == ["sw1"]
    assert answers["reports"] == [["Findings", "heading"]]


def test_edits_of_the_client_are_kept(answers: dict[str, Any], service: WandbService) -> None:
    aliases, description, linked, files = answers["edited"]
    assert aliases == ["best", "edited", "latest"]
    assert description == "new words"
    assert linked == "model:v1"
    assert files == ["weights.bin"]
    run = service.run("lab/nlp/maker")
    assert (run["notes"], run["tags"]) == ("edited", '["new"]')
    assert '"late"' in run["config"]
    with pytest.raises(LookupError):
        service.run("lab/nlp/reader")
