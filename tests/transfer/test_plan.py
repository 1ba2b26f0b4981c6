"""The plan: pure, stable, and right about every destination there could be."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.exploring import examples
from tests.transfer.roads import archive_of, push_to, verify_with

from runferry.losses import Fate
from runferry.model import Attribute, Fork, Inventory, Run, RunKey, Series, SeriesCounts
from runferry.ports import KeyRule, Limits
from runferry.testing.recording import Recording, Sample
from runferry.testing.reference import EVERYTHING, tracker
from runferry.testing.samples import header
from runferry.testing.strategies import limits as any_limits
from runferry.testing.strategies import runs
from runferry.transfer.plan import plan

RUN = Run(RunKey("t", "s", "r"))
HOLDS = Limits(holds=EVERYTHING)
PICTURES = Series("pictures", ("pictures",), kind="media", counts=SeriesCounts(points=2))


def one_series(**counts: int) -> Inventory:
    series = Series("loss", ("loss",), counts=SeriesCounts(points=10, **counts))
    return Inventory(RUN, (), (series,), rows={"scalar": 10})


@pytest.mark.parametrize(
    ("limit", "counts", "code", "expected"),
    [
        ({"null_step": Fate.DROPPED}, {"null_steps": 3}, "null-step", 3),
        ({"fractional_step": Fate.ROUNDED}, {"fractional_steps": 3}, "fractional-step", 3),
        ({"negative_step": Fate.DROPPED}, {"negative_steps": 2}, "negative-step", 2),
        ({"falling_step": Fate.DROPPED}, {"falling_steps": 2}, "falling-step", 2),
        ({"step_beyond": Fate.DROPPED, "max_step": 9}, {"max_step": 10}, "step-beyond", 10),
        ({"null_time": Fate.ROUNDED}, {"null_times": 4}, "null-time", 4),
        ({"negative_time": Fate.ROUNDED}, {"min_time_ns": -1}, "negative-time", 10),
        (
            {"finer_time": Fate.ROUNDED, "time_unit_ns": 10**6},
            {"submillisecond_times": 7},
            "finer-time",
            7,
        ),
        ({"nan": Fate.DROPPED}, {"nan": 5}, "nan", 5),
        ({"infinity": Fate.ROUNDED}, {"positive_inf": 1, "negative_inf": 2}, "infinity", 3),
        ({"null_value": Fate.DROPPED}, {"null_values": 1}, "null-value", 1),
        ({"inexact_int": Fate.ROUNDED}, {"inexact_ints": 1}, "inexact-int", 1),
        ({"number_kind": Fate.ROUNDED}, {"not_float": 10}, "number-kind", 10),
    ],
)
def test_every_limit_on_rows_is_foretold_with_its_count(
    limit: dict[str, Fate], counts: dict[str, int], code: str, expected: int
) -> None:
    planned = plan(one_series(**counts), replace(HOLDS, **limit))  # type: ignore[arg-type]
    (loss,) = planned.losses
    assert (loss.code, loss.where, loss.count) == (code, "loss", expected)
    assert plan(one_series(**counts), HOLDS).losses == ()
    kept = {name: Fate.KEPT if isinstance(fate, Fate) else fate for name, fate in limit.items()}
    assert plan(one_series(**counts), replace(HOLDS, **kept)).losses == ()  # type: ignore[arg-type]


def test_a_crowded_step_may_move_the_rows_of_all_series_that_have_steps() -> None:
    crowded = Series("a", ("a",), counts=SeriesCounts(points=10, duplicate_steps=3))
    beside = Series("b", ("b",), counts=SeriesCounts(points=2))
    machine = Series("c", ("c",), "system", counts=SeriesCounts(points=9, duplicate_steps=8))
    limits = replace(HOLDS, repeated_step=Fate.ROUNDED)
    planned = plan(Inventory(RUN, (), (crowded, beside, machine)), limits)
    found = {(x.code, x.fate, x.where): x.count for x in planned.possible}
    assert found == {
        ("repeated-step", Fate.ROUNDED, "a"): 10,
        ("repeated-step", Fate.ROUNDED, "b"): 2,
    }
    assert planned.losses == ()
    assert plan(Inventory(RUN, (), (beside,)), limits).possible == ()
    between = Series("d", ("d",), counts=SeriesCounts(points=1, fractional_steps=1))
    assert {x.where for x in plan(Inventory(RUN, (), (beside, between)), limits).possible} >= {"b"}


@pytest.mark.parametrize(
    ("limit", "inventory", "code"),
    [
        ({"run_id": Fate.RENAMED}, Inventory(RUN, (), ()), "run-id"),
        (
            {"header_times": Fate.ROUNDED},
            Inventory(replace(RUN, ended_ns=1), (), ()),
            "header-times",
        ),
        (
            {"header_fields": {"notes": Fate.DROPPED}},
            Inventory(replace(RUN, notes="x"), (), ()),
            "header-field",
        ),
        (
            {"lineage": Fate.DROPPED},
            Inventory(replace(RUN, forked_from=Fork("q")), (), ()),
            "lineage",
        ),
        (
            {"attribute_type": Fate.ROUNDED},
            Inventory(RUN, (Attribute(("lr",), "config", 1),), ()),
            "attribute-type",
        ),
        (
            {"long_attribute": Fate.ROUNDED, "max_attribute_length": 3},
            Inventory(RUN, (Attribute(("lr",), "config", "long"),), ()),
            "long-attribute",
        ),
        (
            {"key_path": Fate.ROUNDED},
            Inventory(RUN, (Attribute(("a", "b"), "config", "x"),), ()),
            "key-path",
        ),
        (
            {"series_facts": Fate.DROPPED},
            Inventory(RUN, (), (Series("a", ("a",), goal="minimize"),)),
            "series-facts",
        ),
        (
            {"media_path": Fate.DROPPED},
            Inventory(RUN, (), (PICTURES,), media_facts=lambda: {"pictures": (2, 0)}),
            "media-path",
        ),
        (
            {"media_metadata": Fate.DROPPED},
            Inventory(RUN, (), (PICTURES,), media_facts=lambda: {"pictures": (0, 2)}),
            "media-metadata",
        ),
        ({"stream": Fate.ROUNDED}, Inventory(RUN, (), (Series("a", ("a",), "system"),)), "stream"),
        (
            {"long_text": Fate.ROUNDED, "max_text_length": 5},
            Inventory(
                RUN,
                (),
                (Series("t", ("t",), kind="text", counts=SeriesCounts(points=1, longest=6)),),
            ),
            "long-text",
        ),
    ],
)
def test_every_other_limit_is_foretold(
    limit: dict[str, object], inventory: Inventory, code: str
) -> None:
    assert [loss.code for loss in plan(inventory, replace(HOLDS, **limit)).losses] == [code]  # type: ignore[arg-type]
    assert plan(inventory, HOLDS).losses == ()


@pytest.mark.parametrize("kind", sorted(EVERYTHING))
def test_a_kind_that_is_not_held_is_foretold(kind: str) -> None:
    held = replace(HOLDS, holds={name: f for name, f in EVERYTHING.items() if name != kind})
    series: tuple[Series, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    if kind in ("scalar", "text", "histogram"):
        series = (Series("x", ("x",), kind=kind, counts=SeriesCounts(points=2)),)  # type: ignore[arg-type]
    if kind in ("config", "summary", "environment", "other"):
        attributes = (Attribute(("x",), kind, 1), Attribute(("y",), kind, 2))  # type: ignore[arg-type]
    inventory = Inventory(RUN, attributes, series, rows={kind: 2})
    losses = plan(inventory, held).losses
    assert {(loss.code, loss.fate) for loss in losses} == {(kind, Fate.DROPPED)}
    assert sum(loss.count for loss in losses) == 2


@pytest.mark.parametrize("declared", ["scalar", "text"])
@pytest.mark.parametrize("dropped", ["scalar", "text", None])
def test_what_is_lost_of_a_series_of_numbers_and_texts_is_foretold_of_both(
    declared: str, dropped: str | None, tmp_path: Path
) -> None:
    run = Recording(header("mixed"))
    run.series(("loss",), declared)  # type: ignore[arg-type]
    run.log({"loss": 0.5}, step=0).log({"loss": "a long text"}, step=1)
    run.log({"loss": "another text"}, step=2).log({"loss": 1.5}, step=3)
    run.log({"loss": "text"}, step=None).log({"loss": 2.5}, step=None)
    held = {kind: fate for kind, fate in EVERYTHING.items() if kind != dropped}
    limits = Limits(
        held, "any", "atomic", run_id=Fate.RENAMED, null_step=Fate.DROPPED, max_text_length=5,
        long_text=Fate.ROUNDED,
    )  # fmt: skip
    archive = archive_of([run.sample()], tmp_path)
    (found,) = archive.records()
    planned = plan(archive.inventory(found), limits)
    foretold = {loss.code: loss.count for loss in planned.losses if loss.where == "loss"}
    whole = {None: {"null-step": 2}, "text": {"null-step": 1}, "scalar": {"null-step": 1}}
    expected = whole[dropped] | ({"text": 3} if dropped == "text" else {"long-text": 3})
    assert foretold == (expected | {"scalar": 3} if dropped == "scalar" else expected)
    assert push_to(archive, tmp_path / "there", tracker(limits)).failures == ()
    assert verify_with(archive, tmp_path / "there", limits).unexpected == ()
    archive.ledger.close()


def test_a_renamed_key_is_foretold_by_its_new_name() -> None:
    limits = replace(HOLDS, series_key=KeyRule(allowed="[a-z]"))
    inventory = Inventory(RUN, (), (Series("a b", ("a b",)),))
    planned = plan(inventory, limits)
    (loss,) = planned.losses
    assert (loss.code, loss.fate, loss.where) == ("renamed-key", Fate.RENAMED, "a b")
    assert planned.series["a b"] in loss.detail


def test_equal_plans_have_equal_hashes_and_others_do_not() -> None:
    inventory = one_series(nan=1)
    assert plan(inventory, HOLDS).hash == plan(inventory, HOLDS).hash
    assert plan(inventory, replace(HOLDS, nan=Fate.DROPPED)).hash != plan(inventory, HOLDS).hash
    more = replace(inventory, series=(*inventory.series, Series("x", ("x",))))
    assert plan(more, HOLDS).hash != plan(inventory, HOLDS).hash
    assert plan(more, HOLDS).rules == plan(inventory, HOLDS).rules


@settings(
    max_examples=examples(40),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(runs(), any_limits())
def test_what_any_destination_loses_of_any_run_was_foretold(sample: Sample, limits: Limits) -> None:
    kind = tracker(replace(limits, resend="atomic"))
    with tempfile.TemporaryDirectory() as folder:
        archive = archive_of([sample], Path(folder))
        report = push_to(archive, Path(folder, "there"), kind)
        assert [outcome.error for outcome in report.failures] == []
        compared = verify_with(archive, Path(folder, "there"), kind.limits)
        archive.ledger.close()
    assert [run.error for run in compared.runs if run.error] == []
    assert compared.unexpected == ()
