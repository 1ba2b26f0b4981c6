"""What is pushed when: parents first, then children, models, and versions one by one."""

from __future__ import annotations

from runferry.model import Run, RunKey
from runferry.transfer.waves import waves_of


def run(run_id: str, **facts: object) -> Run:
    return Run(RunKey("t", "s", run_id), **facts)  # type: ignore[arg-type]


def test_models_come_after_all_runs_and_versions_one_after_the_other() -> None:
    versions = [run(f"M-{n}", kind="model_version", group="M") for n in (10, 2, 1)]
    others = [run("N-1", kind="model_version", group="N")]
    runs = [*versions, run("M", kind="model"), *others, run("child", parent="r"), run("r")]
    waves = [[one.key.run_id for one in wave] for wave in waves_of(runs)]
    assert waves == [["r"], ["child"], ["M"], ["M-1", "N-1"], ["M-2"], ["M-10"]]
