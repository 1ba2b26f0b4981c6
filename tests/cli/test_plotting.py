"""plot: in a terminal, as a file, as JSON."""

from __future__ import annotations

import builtins
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from tests.cli.calling import Caller, in_new_process, widest

from runferry.archive.store import Archive
from runferry.testing.recording import Recording
from runferry.testing.samples import header

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "wandb"
HOSTILE = "\x1b[31mred\x1b[0m$x^2$<b>_日本語"


@pytest.fixture
def kept(runferry: Caller) -> Path:
    """Two runs: one calm, one with a spike, a NaN, a fall of its steps and a name that is odd."""
    archive = Archive.open(runferry.folder / "kept", create=True)
    for name in ("calm", HOSTILE):
        run = Recording(replace(header(f"id{len(name)}"), name=name))
        for step in range(300):
            value = 1 / (step + 1)
            if name == HOSTILE and step in (150, 200):
                value = 50.0 if step == 150 else math.nan
            run.log({"loss": value, "val/loss": 2 * value, "_hidden": 1.0}, step=step % 250)
        with archive.draft(run.run) as draft:
            for chunk in run.sample().chunks:
                draft.put(chunk)
            draft.commit()
    return archive.path


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_picture_fits_the_terminal_and_says_what_is_no_part_of_it(
    runferry: Caller, kept: Path, columns: int
) -> None:
    shown = runferry("plot", kept, "--metric", "loss", COLUMNS=str(columns))
    assert shown.code == 0
    assert max(map(cell_len, shown.out.splitlines())) <= columns
    assert "\x1b" not in shown.out
    assert shown.out.count("×") == 1
    if columns >= 80:
        assert "1 NaN, 1 falling steps" in shown.out


def test_lines_are_told_apart_by_letters_where_there_are_no_colours(
    runferry: Caller, kept: Path
) -> None:
    plain = runferry("plot", kept, "--metric", "loss").out
    assert re.search(r"^a  .*calm", plain, re.MULTILINE) or "b  calm" in plain
    coloured = runferry("plot", kept, "--metric", "loss", "--color", "always").out
    assert "\x1b[36m" in coloured
    assert "\x1b[31mred" not in coloured


def test_each_series_has_a_panel_unless_they_are_drawn_together(
    runferry: Caller, kept: Path
) -> None:
    apart = runferry("plot", kept, "--metric", "*loss", "--json").json
    assert [panel["title"] for panel in apart["panels"]] == ["loss", "val/loss"]
    together = runferry("plot", kept, "--metric", "*loss", "--together", "--json").json
    assert [len(panel["lines"]) for panel in together["panels"]] == [4]


def test_the_numbers_are_those_of_the_run(runferry: Caller, kept: Path) -> None:
    drawn = runferry("plot", kept, "--metric", "loss", "--json").json
    lines = {line["name"]: line for line in drawn["panels"][0]["lines"]}
    calm, odd = lines["calm"], lines[HOSTILE]
    assert calm["points"] == calm["drawn"] == 300
    assert odd["odd"] == {"NaN": 1}
    assert odd["max"] == 50.0
    assert [150, 50.0] in odd["strokes"][0]
    assert len(odd["strokes"]) == 2


def test_what_is_not_drawn_is_told(runferry: Caller, kept: Path) -> None:
    few = runferry("plot", kept, "--limit", "1")
    assert "5 more series not drawn" in few.err
    assert runferry("plot", kept, "--limit", "1", "--json").json["left_out"] == 5


@pytest.mark.parametrize("axis", ["step", "time", "relative", "row"])
def test_every_axis_holds_all_rows_that_have_a_place(runferry: Caller, axis: str) -> None:
    drawn = runferry("plot", EXAMPLE, "--x", axis, "--json").json
    assert drawn["x"] == axis
    for panel in drawn["panels"]:
        for line in panel["lines"]:
            assert line["beyond"] == 0
            assert line["drawn"] + sum(line["odd"].values()) == line["points"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--metric", "nothing"), "no series of numbers matches --metric"),
        (("--run", "nothing"), "no run is selected"),
        (("--x", "epoch"), "--x"),
        (("-o", "curve.pdf"), ".png or .svg"),
        (("-o", ""), ".png or .svg"),
    ],
)
def test_a_call_that_cannot_be_drawn_is_refused(
    runferry: Caller, kept: Path, options: tuple[str, ...], said: str
) -> None:
    refused = runferry("plot", kept, *options)
    assert refused.code == 2
    assert said in refused.err
    assert "hint:" in refused.err


def test_an_svg_has_the_names_as_text_and_no_markup_of_theirs(runferry: Caller, kept: Path) -> None:
    answer = runferry("plot", kept, "--metric", "*loss", "-o", "curve.svg")
    assert (answer.code, answer.out) == (0, "")
    root = ET.parse(runferry.folder / "curve.svg").getroot()
    texts = {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"loss", "val/loss", "calm", "step"} <= texts
    assert any("<b>_日本語  (1 NaN)" in text and "$x^2$" in text for text in texts)
    again = (runferry.folder / "curve.svg").read_bytes()
    runferry("plot", kept, "--metric", "*loss", "-o", "curve.svg")
    assert (runferry.folder / "curve.svg").read_bytes() == again


def test_a_png_is_one_and_letters_that_its_font_lacks_are_told(
    runferry: Caller, kept: Path
) -> None:
    answer = runferry("plot", kept, "-o", "curve.png", "--log")
    assert answer.code == 0
    assert (runferry.folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not answer.err or "Glyph" in answer.err


def test_a_folder_that_is_not_there_is_told(runferry: Caller, kept: Path) -> None:
    answer = runferry("plot", kept, "-o", "nowhere/curve.png")
    assert answer.code == 1
    assert "nowhere/curve.png" in answer.err


def test_without_the_extra_a_file_is_refused_and_the_terminal_draws(
    runferry: Caller, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_matplotlib(name: str, *args: object, **more: object) -> object:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    refused = runferry("plot", kept, "-o", "curve.png")
    assert refused.code == 2
    assert "hint: pip install 'runferry[plot]'" in refused.err
    assert runferry("plot", kept).code == 0


def test_a_damaged_run_is_told_and_the_others_are_drawn(runferry: Caller, kept: Path) -> None:
    first, second = sorted(kept.glob("commits/*/*.json"))
    first.write_text("{")
    answer = runferry("plot", kept, "--metric", "loss", "--json")
    assert answer.code == 4
    assert len(answer.json["panels"][0]["lines"]) == len(answer.json["failed"]) == 1
    second.write_text("{")
    nothing = runferry("plot", kept)
    assert nothing.err.count("error: ") == 3  # each run, and that nothing is left


@pytest.mark.parametrize("options", [(), ("--log",)])
def test_values_at_the_ends_of_the_floats_are_drawn_in_a_file(
    runferry: Caller, options: tuple[str, ...]
) -> None:
    run = Recording(header("far"))
    for step, value in enumerate((-1.7e308, 5e-324, 1.7e308)):
        run.log({"loss": value}, step=step)
    with Archive.open(runferry.folder / "far", create=True).draft(run.run) as draft:
        for chunk in run.sample().chunks:
            draft.put(chunk)
        draft.commit()
    answer = runferry("plot", "far", "-o", "far.svg", *options)
    assert (answer.code, answer.err) == (0, "")
    root = ET.parse(runferry.folder / "far.svg").getroot()
    texts = {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert texts & {"1e308", "1e101"}


def test_panels_stand_as_on_the_page_and_have_two_labels_each(runferry: Caller) -> None:
    """The user's series before the tracker's own, the longest first."""
    answer = runferry("plot", EXAMPLE, "--json")
    titles = [panel["title"] for panel in answer.json["panels"]]
    assert titles == ["lr", "train/loss", "val/accuracy", "_runtime"]
    drawn = runferry("plot", EXAMPLE, COLUMNS="120").out.splitlines()
    for n, line in enumerate(drawn):
        if "└" in line:
            assert line.count("┬") >= 2 * line.count("└"), drawn[n + 1]


def test_a_lone_name_is_shortened_by_what_the_terminal_can_spell(tmp_path: Path) -> None:
    run = Recording(replace(header("one"), name="far too long a name " * 8))
    for step in range(9):
        run.log({"loss": 1.0 * step}, step=step)
    with Archive.open(tmp_path / "long", create=True).draft(run.run) as draft:
        for chunk in run.sample().chunks:
            draft.put(chunk)
        draft.commit()
    shown = in_new_process("plot", tmp_path / "long", PYTHONIOENCODING="ascii")
    assert "\\u2026" not in shown.out
    assert widest(shown.out) <= 80
