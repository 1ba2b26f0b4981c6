"""Tells every test that was skipped, and fails for one that nobody said may be.

Usage: skips.py JUNIT_XML
"""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ET
from fnmatch import fnmatchcase
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("RUNFERRY_CORPUS", REPOSITORY.parent / "shared" / "corpus"))
CORPUS_REASONS = ("no corpus; *", "the corpus *")

ALLOWED = (
    # test, reason, why the law is not lost by it
    ("*.TestPushed.*", "what was logged *", "what it holds was pushed, and is compared there"),
    ("*.TestFinished.*", "what was logged *", "tests/readers/test_wandb_sdk.py compares it"),
    ("*.TestGrowing.*", "what was logged *", "tests/readers/test_wandb_sdk.py compares it"),
    ("*.TestWandbFiles.*", "what was logged *", "tests/readers/test_wandb_sdk.py compares it"),
    ("*.TestWandbService.*", "what was logged *", "test_wandb_service_equal.py compares it"),
    ("*.TestTensorboard.*", "what was logged *", "TestEventFile compares it"),
    ("*.TestJsonLines.*", "what was logged *", "an example"),
    ("*.TestHfTrainer.*", "what was logged *", "tests/readers/test_hf_trainer.py compares it"),
    ("*.TestDvclive.*", "what was logged *", "tests/readers/test_dvclive.py compares it"),
    ("*.TestRayTune.*", "what was logged *", "tests/readers/test_ray_tune.py compares it"),
    ("*.TestSacred.*", "what was logged *", "tests/readers/test_sacred.py compares it"),
    ("*.TestHydra.*", "what was logged *", "tests/readers/test_hydra.py compares it"),
    ("*.TestKeras.*", "what was logged *", "tests/readers/test_keras.py compares it"),
    ("*.TestLightning.*", "what was logged *", "tests/readers/test_lightning.py compares it"),
    ("*.TestStableBaselines.*", "what was logged *", "tests/readers/test_sb3.py compares it"),
    ("*.TestWandbCsv.*", "what was logged *", "tests/readers/test_wandb_csv.py compares it"),
    ("*.TestWandbCsv.*", "no growing source *", "an export is written once"),
    ("*.TestCsv.*", "what was logged *", "tests/readers/test_plain_csv.py compares it"),
    ("*.TestJsonTables.*", "what was logged *", "tests/readers/test_json_tables.py compares it"),
    ("*.TestParquet.*", "what was logged *", "test_parquet_tables.py compares it"),
    ("*.TestParquet.*", "no growing source *", "a Parquet file is written once"),
    ("*.TestNeptuneExport.*", "what was logged *", "tests/readers/test_neptune_export.py does"),
    ("*.TestNeptuneExport.*", "no growing source *", "an export is written once"),
    ("*.TestNeptuneQueue.*", "what was logged *", "tests/readers/test_neptune_queue.py does"),
    ("*.TestNeptuneScale.*", "what was logged *", "tests/readers/test_neptune_scale.py does"),
    ("*.TestNeptuneServed.*", "what was logged *", "tests/readers/test_neptune_served.py does"),
    ("*.TestNeptuneServed.*", "no large source *", "pages are counted in test_neptune_served.py"),
    ("*.test_trackio.TestTrackio.*", "what was logged *", "test_trackio.py compares it"),
    ("*.TestComet.*", "what was logged *", "tests/readers/test_comet.py compares it"),
    ("*.TestComet.*", "no growing source *", "an archive is written once"),
    ("*.TestAim.*", "what was logged *", "tests/readers/test_aim.py compares it"),
    ("*.TestAim.*", "no growing source *", "a run is read whole"),
    ("*.TestAim.*", "no large source *", "Aim itself takes too long to write one"),
    ("*.test_live_deliver.*", "no autogroup *", "niceness does it where the kernel has none"),
    ("*.test_live_lightning.*", "* is not installed", "slow, and gigabytes: run apart"),
    ("*.test_live_dataloader.*", "torch is not installed", "slow, and gigabytes: run apart"),
    ("*.test_aim.*", "aim is not installed", "it has no wheels for this Python or system"),
    ("*.TestJsonLinesWriter.*", "this writer publishes whole runs only", "nothing to find"),
    ("*.TestJsonLinesWriter.*", "resend is atomic", "nothing is sent again"),
    ("*.test_trackio_contract.*", "this writer publishes whole runs only", "nothing to find"),
    ("*.test_trackio_contract.*", "resend is atomic", "nothing is sent again"),
    ("*.test_aim_contract.*", "this writer publishes whole runs only", "nothing to find"),
    ("*.test_aim_contract.*", "resend is atomic", "nothing is sent again"),
    ("*.test_aim_written.*", "aim is not installed", "it has no wheels for this Python or system"),
    (
        "*.test_aim_published.*",
        "aim is not installed",
        "it has no wheels for this Python or system",
    ),
    ("*.test_aim_contract.*", "aim is not installed", "it has no wheels for this Python or system"),
    ("*.test_own_copies*", "aim is not installed", "it has no wheels for this Python or system"),
    ("*.test_native_walk.*", "aim is not installed", "it has no wheels for this Python or system"),
    ("*.test_all_pairs.*", "aim is not installed", "it has no wheels for this Python or system"),
    ("*.TestPushed.*", "no growing source *", "TestRecorded grows"),
    ("*.TestFinished.*", "no growing source *", "TestGrowing grows"),
    ("*.TestPushed.*", "no large source *", "TestRecorded has one"),
    ("*.TestFinished.*", "no large source *", "TestWandbFiles has one"),
    ("*.TestGrowing.*", "no large source *", "TestWandbFiles has one"),
    ("*.TestEventFile.*", "no large source *", "TestTensorboard has one"),
    ("*.TestJsonLines.*", "no large source *", "an example"),
    ("*.TestAny.*", "what was logged *", "each of its sources has a contract of its own"),
    ("*.TestAny.*", "no large source *", "each of its sources has a contract of its own"),
    ("*.TestFaithful.*", "this writer publishes whole runs only", "there is nothing to find"),
    ("*.TestFaithful.*", "resend is atomic", "nothing is sent again"),
    ("*.TestStrict.*", "this tracker keeps *", "the other writers hold it"),
    ("*.TestStrict.*", "resend is continue", "nothing is sent again"),
    ("*.TestTensorboardWriter.*", "resend is continue", "nothing is sent again"),
    ("*.TestWandbWriter.*", "this writer publishes whole runs only", "there is nothing to find"),
    ("*.TestWandbWriter.*", "resend is atomic", "nothing is sent again"),
    ("*.TestDestination.*", "this writer publishes whole runs only", "there is nothing to find"),
    ("*.TestDestination.*", "resend is atomic", "nothing is sent again"),
    *(
        (f"*.test_plain_folder_contract.{form}.*", reason, why)
        for form in ("TestCsv", "TestJsonLines", "TestParquet")
        for reason, why in (
            ("this writer publishes whole runs only", "there is nothing to find"),
            ("resend is atomic", "nothing is sent again"),
        )
    ),
    ("*.TestSwanlab.*", "what was logged *", "tests/readers/test_swanlab_sdk.py compares it"),
    ("*.TestSwanlabResumed.*", "what was logged *", "test_swanlab_sdk.py compares it"),
    ("*.TestSwanlabResumed.*", "no large source *", "TestSwanlab has one"),
    ("*.TestSwanlabFolder.*", "this writer publishes whole runs only", "there is nothing to find"),
    ("*.TestSwanlabFolder.*", "resend is atomic", "nothing is sent again"),
    *(
        (f"*.TestNeptune{form}.*", reason, why)
        for form in ("Export", "Queue", "Server")
        for reason, why in (
            ("this writer publishes whole runs only", "there is nothing to find"),
            ("resend is atomic", "nothing is sent again"),
        )
    ),
    ("*.TestClearml*.*", "what was logged *", "tests/readers/test_clearml.py compares it"),
    ("*.TestClearml*.*", "no growing source *", "a session is read whole each time"),
    ("*.TestClearmlZip.*", "no large source *", "TestClearmlSession has one"),
    ("*.TestClearmlOwn.*", "no large source *", "it is what `parquet` writes"),
    ("*.TestClearmlServed.*", "no large source *", "pages are counted in test_clearml_server.py"),
    ("*.TestClearmlSessions.*", "this writer publishes whole runs only", "nothing to find"),
    ("*.TestClearmlSessions.*", "resend is atomic", "nothing is sent again"),
)


def allowance(test: str, reason: str) -> str | None:
    """Why this skip is no gap; None if it is one."""
    if any(fnmatchcase(reason, glob) for glob in CORPUS_REASONS):
        return None if CORPUS.is_dir() else "the corpus is not on this machine"
    for tests, reasons, why in ALLOWED:
        if fnmatchcase(test, tests) and fnmatchcase(reason, reasons):
            return why
    return None


def main(report: str) -> int:
    """0 if every skip is allowed."""
    skipped: list[tuple[str, str]] = []
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped += [
            (name, mark.get("message") or "")
            for mark in case.iter("skipped")
            if mark.get("type") != "pytest.xfail"
        ]
    gaps = 0
    for test, reason in skipped:
        why = allowance(test, reason)
        gaps += why is None
        print(f"{'NOT ALLOWED' if why is None else 'allowed'}: {test}: {reason}: {why or '?'}")
    if not CORPUS.is_dir():
        unproven = sum(fnmatchcase(reason, "*corpus*") for _, reason in skipped)
        print(
            f"\n*** {unproven} tests on strangers' data DID NOT RUN: no corpus at "
            f"$RUNFERRY_CORPUS or beside the repository. Green says nothing about them. ***"
        )
    print(f"{len(skipped)} skipped, {gaps} of them not allowed (.ci/skips.py)")
    return int(gaps > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
