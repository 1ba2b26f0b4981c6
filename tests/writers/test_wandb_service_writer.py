"""Runs go into W&B's service by its own `wandb sync`, and read back as they were."""

from __future__ import annotations

import io
import logging
import math
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.transfer.roads import archive_of
from tests.wandb_service.vendors_client import run_client
from wandb_bench import WHERE, Bench
from wandb_bench import bench as bench  # noqa: PLC0414  a fixture
from wandb_bench import service as service  # noqa: PLC0414  a fixture

from runferry import chunks
from runferry.archive.store import Archive
from runferry.dialects.wandb.service_copy import ServiceCopy
from runferry.errors import BadLocation, ExitCode, MissingExtra, Unreachable
from runferry.losses import Fate
from runferry.model import ArtifactEntry, Attribute, Blob, KeyPath, Run, RunKey, Tree
from runferry.ports import Location
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import SECOND_NS, START_NS, as_run, curve, header, plain
from runferry.testing.wandb_service import Trouble
from runferry.transfer.push import plan_all, push
from runferry.transfer.verify import verify_archive
from runferry.writers.wandb import WandbWriter, upload
from runferry.writers.wandb.draft import Draft
from runferry.writers.wandb.service import ServiceWriter


def test_what_was_uploaded_reads_back_equal(bench: Bench) -> None:
    archive = bench.archive(plain(), curve(50))
    assert bench.pushed(archive).counts == {"new": 2}
    bench.verified(archive)


def test_an_ordinary_run_loses_nothing_and_the_exit_code_says_so(bench: Bench) -> None:
    told = header("ordinary", project="of another", user="anna", labels={"team": "vision"})
    told = replace(told, name=None)  # as of W&B's client, where nobody named it
    run = Recording(replace(told, source_url="https://there/1", exit_code=0, notes=""))
    for step in range(4):
        at = START_NS + step * SECOND_NS
        row: dict[str, float] = {"loss": 1.0 / (step + 1), "accuracy": float(step), "epoch": step}
        run.log({**row, "done": step == 3, ("deep", "er"): 0.5}, step=step, time_ns=at)
        run.log({"gpu.temp": float(step)}, time_ns=at, stream="system")
    rates: dict[str | KeyPath, Tree] = {
        "rate": 1.0, "decay": -0.0, "seed": 2**60 + 1, "nan": math.nan, "word": "Infinity",
        "none": None, "on": True, "many": [1.0, {"x": 2.0}], "bytes": b"\x00", "fraction": 0.1,
        "when": datetime(2026, 1, 2, tzinfo=UTC),
    }  # fmt: skip
    run.attributes("config", {**rates, "a.b": 1, ("a", "c"): 2, ("d.e", "f"): 3})
    finals: dict[str | KeyPath, Tree] = {"best": 1.0, "none": None, "worst": math.inf}
    run.attributes("summary", {**finals, ("a", "b"): 1, ("a", "c"): None})
    archive = bench.archive(run.sample())
    (planned,) = plan_all(archive, WHERE).outcomes
    report = push(archive, WHERE)
    assert not [loss for loss in report.losses if loss.fate > Fate.REENCODED]
    assert report.exit_code == verify_archive(archive, WHERE).exit_code == ExitCode.DONE
    assert not [loss for loss in planned.losses if loss.fate > Fate.REENCODED]
    assert not bench.verified(archive).measured


def test_what_somebody_changed_in_the_service_is_changed_in_what_is_read() -> None:
    was = replace(header("copied", labels={"team": "a"}), state="killed", exit_code=9)
    rate = Attribute(("a.b",), "config", 1.0)
    sent = ServiceCopy(was, "failed", ("team=a",), attributes={("config", ("a", "b")): rate})
    copy = ServiceCopy.of(sent.content())
    assert copy == sent
    there = Run(RunKey("wandb", "lab", "x"), state="failed", tags=("team=a",), name="new")
    assert copy.header(there) == replace(was, key=there.key, tags=(), name="new")
    nameless = replace(copy, run=replace(was, name=None))
    assert nameless.header(there).name == "new"
    assert nameless.header(replace(there, name="x")).name is None
    resumed = copy.header(replace(there, state="finished", tags=("team=a", "good")))
    assert (resumed.state, resumed.exit_code) == ("finished", None)
    assert (resumed.tags, resumed.labels) == (("team=a", "good"), {})
    assert copy.attribute(Attribute(("a", "b"), "config", 1)) == rate
    changed = Attribute(("a", "b"), "config", 2)
    assert copy.attribute(changed) == changed
    forgotten = Attribute(("best",), "summary", None)
    written = (replace(forgotten, value=3),)
    copy = replace(copy, beside=(forgotten,))
    assert copy.with_beside((), is_as_sent=True) == (forgotten,)
    assert copy.with_beside(written, is_as_sent=True) == written


def test_workers_that_wish_for_one_id_bring_their_runs_apart(bench: Bench) -> None:
    samples = [of_scope(scope, 5 + number) for number, scope in enumerate(("one", "other"))]
    archive = bench.archive(*samples)
    report = push(archive, WHERE, allow=Fate.DROPPED, workers=2)
    assert report.counts == {"new": 2}, report.failures
    bench.verified(archive)


def of_scope(scope: str, rows: int) -> Sample:
    """A run whose id another scope has, too."""
    told = header("same")
    run = Recording(replace(told, key=replace(told.key, scope=scope)))
    for step in range(rows):
        run.log({"loss": step / 4 + 0.1}, step=step, time_ns=START_NS + step * SECOND_NS)
    return run.sample()


def test_the_vendors_client_finds_the_run(bench: Bench) -> None:
    sample = plain()
    bench.pushed(bench.archive(sample))
    run_id = sample.run.key.run_id
    found = run_client(
        bench.service,
        bench.folder / "reading",
        f"""
run = wandb.Api().run("lab/moved/{run_id}")
answer(name=run.name, state=run.state, config=dict(run.config), rows=list(run.scan_history()))
""",
    )
    assert (found["name"], found["state"]) == (sample.run.name, "finished")
    assert found["config"] == {"optimizer": "adam", "note": "tame"}
    assert [row["_step"] for row in found["rows"]] == [0, 1, 2, 3, 4]
    assert found["rows"][0]["_timestamp"] == 1_700_000_000
    assert [row["loss"] for row in found["rows"]] == [1.0, 0.5, 1 / 3, 0.25, 0.2]


def test_a_second_push_from_anywhere_makes_no_second_run(bench: Bench) -> None:
    sample = curve(20)
    bench.pushed(bench.archive(sample))
    before = bench.rows(sample.run.key.run_id)
    assert bench.pushed(bench.archive(sample)).counts == {"unchanged": 1}
    bench.pushed(archive_of([sample], bench.folder / "another"))
    assert bench.rows(sample.run.key.run_id) == before
    assert bench.service.store.value("SELECT COUNT(*) FROM runs") == 1


def test_a_run_that_grew_is_brought_up_to_date_in_its_place(bench: Bench) -> None:
    whole = as_run(curve(40, batch=10), "growing")
    for cut in (5, len(whole.chunks)):
        archive = bench.archive(Sample(whole.run, whole.chunks[:cut]))
        bench.pushed(archive)
        bench.verified(archive)
    assert bench.rows("growing") == 40
    assert bench.service.store.value("SELECT COUNT(*) FROM runs") == 1


def test_an_id_that_somebody_else_has_is_left_alone(bench: Bench) -> None:
    from runferry.testing.wandb_service import RunContent

    sample = as_run(plain(), "taken")
    bench.service.put_run("lab/moved/taken", RunContent(config={"theirs": True}))
    bench.pushed(bench.archive(sample))
    assert "theirs" in str(bench.service.run("lab/moved/taken")["config"])
    assert bench.rows(sample.run.uid) == 5


def test_a_run_that_does_not_arrive_is_an_error_and_a_rerun_ends_it(bench: Bench) -> None:
    archive = bench.archive(plain())
    bench.service.faults.add(Trouble("status", "graphql:UpsertBucket", status=403))
    (outcome,) = push(archive, WHERE).failures
    assert "wandb sync" in (outcome.error or "")
    assert outcome.hint
    bench.service.faults.clear()
    assert bench.pushed(archive).counts == {"new": 1}
    assert bench.service.store.value("SELECT COUNT(*) FROM runs") == 1


def test_a_connection_lost_behind_the_upload_is_asked_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, faults = ServiceWriter._check, [Unreachable("for a moment")]

    def check(writer: ServiceWriter, draft: Draft) -> None:
        if faults:
            raise faults.pop()
        asked(writer, draft)

    monkeypatch.setattr(ServiceWriter, "_check", check)
    sample = plain()
    assert bench.pushed(bench.archive(sample)).counts == {"new": 1}
    assert bench.rows(sample.run.key.run_id) == 5


def test_what_the_environment_says_of_training_is_not_said_of_an_upload(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RESUME", "must")
    monkeypatch.setenv("WANDB_IGNORE_GLOBS", "*")
    monkeypatch.setenv("WANDB_NAME", "another")
    run = Recording(header("apart")).log({"loss": 0.5}, step=0, time_ns=START_NS)
    run.put(chunks.File("notes.txt", "other", Blob.from_bytes(b"notes")))
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    bench.verified(archive)


def test_no_key_is_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.pushed(bench.archive(plain()))
    assert "wandb sync:" in caplog.text
    assert bench.service.account.key not in caplog.text


def test_without_the_vendors_package_it_is_said_how_to_install_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    monkeypatch.setattr(upload, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"wandb"):
        WandbWriter.open(WHERE)


def test_a_project_of_the_accounts_own_entity_needs_no_name_of_it(bench: Bench) -> None:
    own = Location("wandb", "@/moved")
    archive = bench.archive(plain())
    assert push(archive, own, allow=Fate.DROPPED).counts == {"new": 1}
    assert verify_archive(archive, own).is_clean
    bench.verified(archive)  # by the entity's name


@pytest.mark.parametrize("where", ["lab", "lab/moved/run", "@"])
def test_runs_go_into_a_project(bench: Bench, where: str) -> None:
    del bench
    with pytest.raises(BadLocation, match="project"):
        WandbWriter.open(Location("wandb", where))


def test_artifacts_come_with_their_run_and_say_nothing_but_what_the_user_said(
    bench: Bench,
) -> None:
    said: Tree = {"accuracy": 0.5, "_wandb": {"client_id": "of another server"}}
    blob = Blob(7, open=lambda: io.BytesIO(b"weights"))
    entries = (ArtifactEntry("w.bin", blob),)
    made = chunks.Artifact("model", "model", "produced", "v3", metadata=said, entries=entries)
    archive = bench.archive(Recording(header("maker")).put(made).sample())
    bench.pushed(archive)
    found = run_client(
        bench.service,
        bench.folder / "reading",
        """
(one,) = wandb.Api().run("lab/moved/maker").logged_artifacts()
answer(name=one.name, metadata=one.metadata, files=sorted(one.manifest.entries))
""",
    )
    expected = {"name": "model:v0", "metadata": {"accuracy": 0.5}, "files": ["w.bin"]}
    assert found == expected
    verified = bench.verified(archive)
    assert [(loss.code, loss.fate) for loss in verified.measured] == [
        ("artifact-version", Fate.RENAMED)
    ]
    assert verified.exit_code == ExitCode.DONE


def test_a_version_that_another_run_brought_is_told_not_to_be_this_ones(bench: Bench) -> None:
    def run(name: str, *contents: bytes) -> Archive:
        recording = Recording(header(name))
        for number, content in enumerate(contents):
            entries = (ArtifactEntry("w.bin", Blob.from_bytes(content)),)
            made = chunks.Artifact("net", "model", "produced", f"v{number}", entries=entries)
            recording.put(made)
        recording.log({"loss": float(len(contents))}, step=0, time_ns=START_NS)
        return archive_of([recording.sample()], bench.folder / f"{name} {len(contents)}")

    maker, other = run("maker", b"first"), run("other", b"first", b"second")
    began = time.monotonic()
    assert push(maker, WHERE).exit_code == ExitCode.DONE
    report = push(other, WHERE)
    assert report.exit_code == ExitCode.LOSS
    (outcome,) = report.outcomes
    worst = [(loss.code, loss.where) for loss in outcome.losses if loss.fate > Fate.REENCODED]
    assert worst == [("artifact", "net/model/produced/v0")]
    for archive in (maker, other):
        bench.verified(archive)
    assert time.monotonic() - began < 30  # nothing was waited for
    grown = run("other", b"first", b"second", b"third")
    bench.pushed(grown)
    bench.verified(grown)


def test_the_content_of_an_artifact_is_compared(bench: Bench) -> None:
    archives = []
    for content in (b"weights", b"damaged"):
        entries = (ArtifactEntry("w.bin", Blob.from_bytes(content)),)
        made = chunks.Artifact("net", "model", "produced", "v3", entries=entries)
        run = Recording(header("maker")).put(made)
        archives.append(archive_of([run.sample()], bench.folder / content.decode()))
    bench.pushed(archives[1])
    (compared,) = verify_archive(archives[0], WHERE).runs
    found = {(loss.code, loss.where) for loss in compared.unexpected}
    assert ("artifact-entry", "net/model/produced/v3/w.bin") in found
