"""Whatever a destination is like: what is measured there was foretold by its limits."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from tests.exploring import examples

from runferry.ports import Limits, Location
from runferry.testing.recording import Sample
from runferry.testing.reference import ReferenceReader, tracker
from runferry.testing.strategies import limits, runs
from runferry.testing.writer_contract import WriterContract


class _Any(WriterContract):
    reader = ReferenceReader


def assert_lawful(samples: list[Sample], held: Limits) -> None:
    contract = _Any()
    contract.writer = tracker(held)  # type: ignore[misc]
    with TemporaryDirectory() as folder:
        where = Location("reference", str(Path(folder, "destination")))
        archive = contract.archive_of(Path(folder), samples)
        contract.pushed(archive, where)
        contract.assert_verified(archive, where)
        again = contract.pushed(archive, where)
        assert {outcome.status for outcome in again.outcomes} == {"unchanged"}


@settings(
    max_examples=examples(20),
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # to shrink would take minutes; the slow test does
    suppress_health_check=list(HealthCheck),
)
@given(runs(), limits())
def test_any_run_arrives_as_any_limits_say(sample: Sample, held: Limits) -> None:
    note(repr(held))
    assert_lawful([sample], held)


@pytest.mark.slow
@settings(max_examples=500, derandomize=False, suppress_health_check=list(HealthCheck))
@given(st.lists(runs(), min_size=1, max_size=3, unique_by=lambda s: s.run.key), limits())
def test_any_runs_arrive_as_any_limits_say(samples: list[Sample], held: Limits) -> None:
    note(repr(held))
    assert_lawful(samples, held)
