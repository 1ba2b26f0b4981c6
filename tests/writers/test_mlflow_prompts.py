"""Prompts are registered models with tags: MLflow's own client loads the same ones there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from tests.writers.conftest import served_anew  # noqa: F401
from tests.writers.mlflow_models import at, carried

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{question}}"}]


@pytest.fixture
def source(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two prompts of MLflow's own making: one of two versions, and one of a conversation."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{database}"
    with at(uri) as client:
        made = mlflow.genai.register_prompt
        made("greet", "Hello {{name}}", commit_message="first", tags={"by": "us"})
        made("greet", "Hi {{name}}, {{how}}", commit_message="shorter", tags={"by": "them"})
        for text in ("Hey", "Ho", "Dear {{name}}"):
            made("greet", text)
        for version in ("3", "5"):
            client.delete_prompt_version("greet", version)
        made("ask", CHAT)
        client.set_prompt_alias("greet", "good", 1)
        client.set_prompt_tag("greet", "team", "words")
    return uri


def prompts(uri: str) -> list[Any]:
    """All that can be said of the prompts of a place but for times."""
    with at(uri) as client:
        loaded = [client.load_prompt(name, allow_missing=True) for name in ("greet", "ask")]
        loaded += [
            client.load_prompt("greet", version=1),
            client.load_prompt("prompts:/greet@good"),
        ]
        assert {one.name for one in client.search_prompts()} == {"greet", "ask"}
        own = {tag: client.get_prompt("greet").tags.get(tag) for tag in ("team",)}
        return [own] + [
            (one.name, one.version, one.template, one.commit_message or None, one.variables,
             sorted(one.aliases), {k: v for k, v in one.tags.items() if "runferry" not in k})
            for one in loaded
        ]  # fmt: skip


def test_prompts_go_into_sqlite_and_back(source: str, tmp_path: Path) -> None:
    there = f"sqlite:///{tmp_path}/there.db"
    report = carried(source, there, tmp_path)
    assert prompts(there) == prompts(source)
    assert len(prompts(there)) == 5
    back = f"sqlite:///{tmp_path}/back.db"
    carried(there, back, tmp_path / "other")
    assert prompts(back) == prompts(source)
    assert not [x for x in report.losses if "prompt" in x.code]


def test_prompts_go_through_servers(
    source: str,
    served_anew: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    carried(source, served_anew, tmp_path)
    assert prompts(served_anew) == prompts(source)
    back = f"sqlite:///{tmp_path}/back.db"
    carried(served_anew, back, tmp_path / "other")
    assert prompts(back) == prompts(source)
    again = carried(source, served_anew, tmp_path)
    assert set(again.push.counts) == {"unchanged"}
