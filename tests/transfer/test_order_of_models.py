"""What is pushed when: parents first, then children, models, and versions one by one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from runferry.model import Run, RunKey, Uid
from runferry.transfer.waves import Before, waves_of


def run(run_id: str, **facts: object) -> Run:
    return Run(RunKey("t", "s", run_id), **facts)  # type: ignore[arg-type]


def test_models_come_after_all_runs_and_versions_one_after_the_other() -> None:
    versions = [run(f"M-{n}", kind="model_version", group="M") for n in (10, 2, 1)]
    others = [run("N-1", kind="model_version", group="N")]
    runs = [*versions, run("M", kind="model"), *others, run("child", parent="r"), run("r")]
    waves = [[one.key.run_id for one in wave] for wave in waves_of(runs)]
    assert waves == [["r"], ["child"], ["M"], ["M-1", "N-1"], ["M-2"], ["M-10"]]


def ids(runs: Iterable[Run], before: Before | None = None) -> list[list[str]]:
    return [[one.key.run_id for one in wave] for wave in waves_of(runs, before)]


def test_who_waits_for_others_comes_right_after_the_last_of_them() -> None:
    a, b, c, d = (run(name) for name in "abcd")
    before = {b.uid: frozenset({a.uid}), d.uid: frozenset({a.uid, b.uid})}
    assert ids([d, c, b, a], before) == [["c", "a"], ["b"], ["d"]]
    child = run("child", parent="b")
    assert ids([child, a, b], before) == [["a"], ["b"], ["child"]]


def test_of_a_circle_the_one_that_began_first_is_first_and_who_waits_for_it_later() -> None:
    x, y = run("x", parent="y", started_ns=2), run("y", parent="x", started_ns=1)
    below, z = run("below", parent="y", started_ns=3), run("z", parent="z")
    assert ids([below, x, y, z]) == [["z"], ["y"], ["below", "x"]]


def test_a_long_chain_is_looked_at_once_for_each_run() -> None:
    asked: list[Uid] = []

    class Asked(dict[Uid, frozenset[Uid]]):
        def get(self, uid: Uid, default: object = None) -> frozenset[Uid]:
            asked.append(uid)
            return super().get(uid, frozenset())

    chain = [run(f"r{number}") for number in range(300)]
    before = Asked({later.uid: frozenset({earlier.uid}) for earlier, later in pairwise(chain)})
    assert [one for (one,) in waves_of(reversed(chain), before)] == chain
    assert len(asked) == len(chain)
