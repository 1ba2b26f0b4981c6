"""What the vendor's client 0.31 asks is understood, or named here as not modelled."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from graphql import (
    GraphQLSyntaxError,
    build_client_schema,
    get_introspection_query,
    parse,
    validate,
)

from runferry.testing.wandb_service import WandbService
from runferry.testing.wandb_service.graphql import schema, snake

# People, keys, agents, registries' members, launch: nothing that a migration reads or writes.
NOT_MODELLED = {
    "CreateInvite", "CreateServiceAccount", "CreateTeam", "CreateUserFromAdmin", "DeleteApiKey",
    "DeleteInvite", "GenerateApiKey", "AddArtifactCollectionTags", "CreateRegistryMembers",
    "DeleteArtifactCollectionTags", "DeleteArtifactPortfolio", "DeleteArtifactSequence",
    "DeleteRegistry", "DeleteRegistryMembers", "RegistryTeamMembers", "RegistryUserMembers",
    "RenameRegistry", "UpdateArtifactPortfolio", "UpdateArtifactSequence",
    "UpdateArtifactSequenceType", "UpdateTeamRegistryRole", "UpdateUserRegistryRole",
    "CreateDefaultResourceConfig", "UpsertRunQueue", "RewindRun", "EnqueueSweepRun",
    "CreateRunQueue", "CreateCustomChart",
}  # fmt: skip

NAME = re.compile(r"\b(?:query|mutation)\s+(\w+)")


def python_documents() -> dict[str, str]:
    import wandb.apis._generated.operations as public
    import wandb.sdk.artifacts._generated.operations as artifacts
    from wandb.apis.public import files, reports, runs

    generated = [getattr(module, name) for module in (public, artifacts) for name in module.__all__]
    written = [
        runs._create_runs_query(lazy=True),
        runs._create_runs_query(lazy=False),
        reports.Reports.QUERY,
        files.Files._get_query(None),
    ]
    return {_name(text): text for text in [*generated, *written]}


def core_documents() -> dict[str, str]:
    """The documents in the program that the client starts; each ends where its braces close."""
    import wandb

    content = (Path(wandb.__file__).parent / "bin/wandb-core").read_bytes()
    found = re.findall(rb"\n((?:query|mutation) [A-Z]\w+ ?[({][\t\n -~]{10,4000})", content)
    texts = [_closed(text.decode()) for text in found]
    return {_name(text): text for text in texts if text is not None}


def _name(text: str) -> str:
    found = NAME.search(text)
    assert found is not None
    return found.group(1)


def _closed(text: str) -> str | None:
    depth = 0
    whole = None
    for at, sign in enumerate(text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "}" and depth == 0:
            rest = text[at + 1 :].lstrip()
            try:
                parse(text[: at + 1])
            except GraphQLSyntaxError:
                return whole
            whole = text[: at + 1]
            if not rest.startswith("fragment "):
                return whole
    return whole


@pytest.mark.parametrize("documents", [python_documents, core_documents])
def test_each_document_of_the_client_is_valid_here(documents: object) -> None:
    assert callable(documents)
    found: dict[str, str] = documents()
    assert len(found) > 10
    refused = {
        name: [error.message for error in validate(schema(), parse(text))]
        for name, text in found.items()
        if name not in NOT_MODELLED
    }
    assert {name: errors for name, errors in refused.items() if errors} == {}


def test_the_schema_can_be_asked_for() -> None:
    with WandbService() as service:
        query = {"query": get_introspection_query()}
        auth = ("api", service.account.key)
        answer = httpx.post(f"{service.url}/graphql", json=query, auth=auth)
    assert "Run" in build_client_schema(answer.json()["data"]).type_map


def test_names_of_fields_become_columns() -> None:
    assert snake("historyLineCount") == "history_line_count"
    assert snake("artifactID") == "artifact_id"
    assert snake("clientIDMapping") == "client_id_mapping"
