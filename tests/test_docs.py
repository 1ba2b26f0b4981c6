"""What the documents say is so."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import pytest

from runferry import errors
from runferry.errors import ExitCode, RunferryError
from runferry.losses import Fate
from runferry.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def anchors_of(document: Path) -> set[str]:
    """The anchors of its headings, where the repository's site and MkDocs give the same."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).strip().lower() for title in titles]
    words = [re.sub(r"[^\w\s-]", "", title) for title in plain]
    theirs, ours = ({re.sub(rf"[\s-]{more}", "-", title) for title in words} for more in ("", "+"))
    return theirs & ours


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_anchor_is_a_heading(document: Path) -> None:
    for target, anchor in re.findall(
        r"\]\(([^)#\s:]*)#([^)\s]+)\)", document.read_text(encoding="utf-8")
    ):
        page = document.parent / target if target else document
        assert anchor in anchors_of(page), f"{target}#{anchor}"


def test_every_page_is_in_the_navigation() -> None:
    from yaml import BaseLoader, load

    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inner = entry.values() if isinstance(entry, dict) else entry
        assert isinstance(inner, Iterable)
        return [page for part in inner for page in pages(part)]

    listed = pages(load(text_of("mkdocs.yml"), BaseLoader)["nav"])
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    brought = {"contributing.md", "changes.md", "licences.md"}  # by .ci/site.py
    assert {*listed} - there == brought
    assert there <= {*listed}
    assert len(listed) == len({*listed})


def test_the_readme_leads_to_every_page() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    linked = set(re.findall(r"\]\((docs/[^)#]+)", text_of("README.md")))
    assert pages - linked == {"docs/index.md"}  # which is the README's like on the site


def test_the_readme_has_the_two_commands_of_a_fresh_machine() -> None:
    commands = re.findall(r"^pip install .*$", text_of("README.md"), re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("runferry convert examples/wandb mlflow:sqlite:///runs.db")
    assert commands[1].endswith("python -m pytest")


def test_every_setting_is_documented() -> None:
    table = text_of("docs/settings.md")
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {
        field.name for field in fields(Settings)
    }


def test_every_error_exit_code_and_fate_is_documented() -> None:
    page = text_of("docs/errors.md")
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, RunferryError):
            assert re.search(rf"\b{name}\b", page), name
    table = re.findall(r"^\| (\d+) \|", text_of("docs/cli.md"), re.MULTILINE)
    codes = {int(code) for code in table}
    assert codes == {int(code) for code in ExitCode}
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == [fate.label for fate in Fate]


def test_every_verb_is_documented() -> None:
    from runferry.cli.verbs import app

    listed = re.findall(r"^runferry (\w+) ", text_of("docs/cli.md"), re.MULTILINE)
    names = [info.name or info.callback.__name__ for info in app.registered_commands]  # type: ignore[union-attr]
    assert listed[: len(names)] == names


def test_every_call_that_is_mentioned_has_a_verb_and_options_that_there_are() -> None:
    import typer

    from runferry.cli.verbs import app

    known = typer.main.get_command(app)
    verbs = known.commands  # type: ignore[attr-defined]
    anywhere = {option for param in known.params for option in param.opts} | {"--help"}
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for call in re.findall(r"(?:`|^\$ |^)runferry +([a-z][^`\n]*)", text, re.MULTILINE):
            words = re.split(r" -- | [|&]", call)[0].split()
            verb = verbs.get(words[0])
            assert verb is not None, f"{document.name}: runferry {call}"
            while len(words) > 1 and words[1] in getattr(verb, "commands", {}):
                verb = verb.commands[words.pop(1)]
            stated = {
                option for param in verb.params for option in (*param.opts, *param.secondary_opts)
            }
            for word in words[1:]:
                option = word.split("=")[0].rstrip(".,;)")
                is_option = re.fullmatch(r"--?[a-z][a-z-]*", option) is not None
                assert not is_option or option in stated | anywhere, f"{document.name}: {call}"


def test_the_table_of_layers_has_every_layer_of_the_contract() -> None:
    (contract,) = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    assert contract["exhaustive"]  # so these are all modules
    layers = [name for layer in contract["layers"] for name in layer.split(" | ")]
    rows = re.findall(r"^\| \d \| (`.*?) \|", text_of("docs/architecture.md"), re.MULTILINE)
    assert sorted(layers) == sorted(name for row in rows for name in re.findall(r"`(\w+)`", row))


def test_the_page_of_formats_is_what_the_command_prints() -> None:
    from runferry.cli.holdings import holdings_page

    printed = holdings_page()
    assert text_of("docs/formats.md") == printed, "runferry formats --markdown > docs/formats.md"
