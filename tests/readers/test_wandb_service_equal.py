"""A run of the service equals the same run of its folder, as far as both know it.

The run is logged offline by the real client and uploaded by the real `wandb sync`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.readers.gathered import Gathered, gather
from tests.readers.wandb_service_runs import opened, served, the_run

from runferry.dialects.json_trees import parse_json
from runferry.model import Tree, same_value
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.testing.content import digest_of

wandb = pytest.importorskip("wandb")
SCRIPT = Path(__file__).with_name("wandb_sdk_script.py")

ONLY_UPLOADED = {"config.yaml", "wandb-metadata.json", "wandb-summary.json"}
NOT_UPLOADED = {("config", ("net", "none"))}  # the client leaves out what is empty
FINEST_NS = 1_000  # the times of rows are doubles in the service, and more than that in records


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gathered]]:
    """The run from its folder, from the service, and from the service after an export."""
    home = tmp_path_factory.mktemp("logged")
    _ran([sys.executable, str(SCRIPT), "plain", str(home)])
    folder = home / "copy"
    shutil.copytree(home / "wandb", folder)
    with served(home / "service") as service:
        (logged,) = (home / "wandb").glob("offline-run-*")
        _ran([sys.executable, "-m", "wandb", "sync", str(logged)])
        files = WandbFilesReader.open(Location("wandb", str(folder)), ReadOptions())
        (run,) = files.runs()
        with opened("lab/proj") as reader:
            found = [gather(files, run), gather(reader, the_run(reader))]
            service.export("lab/proj/run1", keep_live=3)
            yield [*found, gather(reader, the_run(reader))]


def _ran(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0 or "wandb_sdk_script" in command[1], done.stderr


def pairs(both: list[Gathered]) -> list[tuple[Gathered, Gathered]]:
    folder, *services = both
    return [(folder, service) for service in services]


def test_headers_agree(both: list[Gathered]) -> None:
    for folder, service in pairs(both):
        ours, theirs = folder.header, service.header
        assert ours.key == theirs.key
        assert ours.uid == theirs.uid
        assert theirs == replace(
            ours,
            entity="lab",
            user=theirs.user,
            source_url=theirs.source_url,
            status="failed",
            exit_code=None,  # the service says that it failed, and not how
            created_ns=theirs.created_ns,  # when it was uploaded
            started_ns=theirs.started_ns,
            ended_ns=theirs.ended_ns,
        )
        assert ours.started_ns is not None
        assert theirs.started_ns is not None
        assert abs(ours.started_ns - theirs.started_ns) < 5 * 10**9


@pytest.mark.parametrize("role", ["config", "summary"])
def test_config_and_summary_agree(both: list[Gathered], role: Any) -> None:
    for folder, service in pairs(both):
        ours, theirs = folder.role(role), service.role(role)
        assert {(role, path) for path in ours.keys() ^ theirs.keys()} <= NOT_UPLOADED
        for path in ours.keys() & theirs.keys():
            assert same_value(ours[path], theirs[path]), path


def test_the_environment_agrees_where_both_tell_of_it(both: list[Gathered]) -> None:
    for folder, service in pairs(both):
        ours, theirs = folder.role("environment"), service.role("environment")
        told = {path for path in ours if path[0] not in ("_wandb", "telemetry")}
        assert told
        assert told <= theirs.keys()
        assert all(same_value(ours[path], theirs[path]) for path in told)


def test_series_agree(both: list[Gathered]) -> None:
    for folder, service in pairs(both):
        assert service.series == folder.series


def test_points_agree(both: list[Gathered]) -> None:
    for folder, service in pairs(both):
        for key in folder.series:
            ours, theirs = rows_of(folder, "points", key), rows_of(service, "points", key)
            assert len(ours) == len(theirs), key
            for one, other in zip(ours, theirs, strict=True):
                assert one["step"] == other["step"]
                assert abs(one["ns"] - other["ns"]) < FINEST_NS
                assert same_value(one["value"], other["value"]), key
                # JSON writes 1.0 as 1, an export an integer among doubles as a double
                kinds = {one["kind"], other["kind"]}
                assert len(kinds) == 1 or kinds == {"int", "float64"}
                if kinds == {"int"}:
                    assert one["value_i64"] == other["value_i64"]


def test_rows_that_were_logged_together_stay_together(both: list[Gathered]) -> None:
    def groups(found: Gathered) -> Counter[frozenset[str]]:
        by_seq: dict[int, set[str]] = {}
        for row in found.rows("points"):
            by_seq.setdefault(row["seq"], set()).add(row["key"])
        return Counter(map(frozenset, by_seq.values()))

    for folder, service in pairs(both):
        assert groups(folder) == groups(service)


def test_texts_and_histograms_agree(both: list[Gathered]) -> None:
    def texts(found: Gathered) -> list[Any]:
        rows = sorted(found.rows("texts"), key=lambda row: (row["key"], row["step"]))
        return [(r["key"], r["step"], r["form"], tree(r["text"], r["form"])) for r in rows]

    def histograms(found: Gathered) -> list[Any]:
        return [(r["key"], r["step"], r["edges"], r["counts"]) for r in found.rows("histograms")]

    for folder, service in pairs(both):
        assert repr(texts(folder)) == repr(texts(service))
        assert histograms(folder) == histograms(service)


def test_media_agree_with_their_bytes(both: list[Gathered]) -> None:
    def items(found: Gathered) -> dict[tuple[str, int | None, int], tuple[Any, ...]]:
        return {
            (m.key, m.at.step, m.index): (
                m.media_type,
                m.path,
                m.caption,
                m.metadata,
                digest_of(m.blob),
            )
            for m in found.media
        }

    for folder, service in pairs(both):
        assert items(folder) == items(service)


def test_files_agree_with_their_bytes(both: list[Gathered]) -> None:
    for folder, service in pairs(both):
        assert service.files.keys() - folder.files.keys() <= ONLY_UPLOADED
        for name, file in folder.files.items():
            other = service.files[name]
            assert file.role == other.role
            if name != "output.log":  # which the client writes anew when it uploads
                assert digest_of(file.blob) == digest_of(other.blob), name


def test_artifacts_agree_with_their_bytes(both: list[Gathered]) -> None:
    def made(found: Gathered) -> list[Any]:
        return sorted(
            (
                a.name,
                a.type,
                a.relation,
                a.digest,
                [(e.path, e.reference, e.digest, digest_of(e.blob)) for e in a.entries],
                {n: v for n, v in a.metadata.items() if n != "_wandb"}
                if isinstance(a.metadata, dict)
                else None,
            )
            for a in found.artifacts
        )

    for folder, service in pairs(both):
        assert repr(made(folder)) == repr(made(service))
        (things,) = (a for a in service.artifacts if a.name == "things")
        assert {*things.aliases} == {"latest", "best"}
        assert things.version == "v0"


def test_the_console_says_the_same(both: list[Gathered]) -> None:
    def said(found: Gathered) -> dict[str, str]:
        return {
            stream: "".join(r["line"] for r in found.rows("console") if r["stream"] == stream)
            for stream in ("stdout", "stderr")
        }

    for folder, service in pairs(both):
        assert said(folder) == said(service)


def test_nothing_is_lost(both: list[Gathered]) -> None:
    for found in both:
        assert not found.losses


def rows_of(found: Gathered, table: str, key: str) -> list[dict[str, Any]]:
    rows = [row for row in found.rows(table) if row["key"] == key]
    for row in rows:
        row["ns"] = round(row["time"].timestamp() * 10**6) * 1000 + (row["time_ns"] or 0)
    return sorted(rows, key=lambda row: (row["step"] is None, row["step"] or 0, row["ns"]))


def tree(text: str, form: str) -> Tree:
    return parse_json(text) if form == "json" else text
