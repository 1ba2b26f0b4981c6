"""Run folders: loose files, roles, links, strangers under our names, and hostile names."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from pathlib import Path

import pytest
from tests.blobs import bytes_of
from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import (
    exit_record,
    folder_with,
    framed,
    gather,
    gather_all,
    gather_one,
    history_record,
    opened,
    run_record,
    small_run,
)

from runferry.errors import Damaged, NotFound, SourceError
from runferry.losses import Fate

HOSTILE = [
    "../secret.txt",
    "media/../../../secret.txt",
    "/etc/hostname",
    "a\0b",
    "x" * 300,
    "C:\\secret.txt",
    "CON",
    "",
    ".",
]


def test_a_file_a_folder_and_any_tree_are_recognised(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "deep" / "er" / "wandb", small_run())
    for path in (tmp_path, folder.parent, folder, folder / "run-r1.wandb"):
        assert type(opened(path)).recognises(path)
        (found,) = gather_all(path)
        assert found.header.complete
    (tmp_path / "empty").mkdir()
    assert not type(opened(tmp_path)).recognises(tmp_path / "empty")
    (tmp_path / "other.txt").write_text("x")
    assert not type(opened(tmp_path)).recognises(tmp_path / "other.txt")


def test_links_neither_loop_nor_double_a_run(tmp_path: Path) -> None:
    tree, elsewhere = tmp_path / "tree" / "wandb", tmp_path / "elsewhere"
    folder = folder_with(tree, small_run())
    folder_with(elsewhere, small_run("r2"), "r2")
    (tree / "latest-run").symlink_to(folder.name)
    (folder / "files" / "up").symlink_to(tree)
    (tree / "again").symlink_to(tree)
    (tree / "far").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(tree)
    assert {one.run.key.run_id for one in gather_all(tmp_path / "tree")} == {"r1", "r2"}


def test_a_link_to_a_folder_above_brings_nothing_in(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    folder_with(mine, small_run())
    folder_with(other, small_run("r2"), "r2")
    for name, target in (("up", ".."), ("root", "/"), ("self", ".")):
        (mine / name).symlink_to(target)
    assert [one.run.key.run_id for one in gather_all(mine)] == ["r1"]
    (mine / "beside").symlink_to(other)
    (other / "round").symlink_to(tmp_path)
    (other / "again").symlink_to(other)
    own, linked = gather_all(mine)
    assert (own.run.key.run_id, linked.run.key.run_id) == ("r1", "r2")
    assert not own.losses
    (loss,) = linked.losses
    assert (loss.code, loss.fate) == ("linked-folder", Fate.KEPT)
    assert str(other) in loss.detail


def test_a_link_below_media_is_named(tmp_path: Path) -> None:
    (tmp_path / "far.png").write_bytes(b"far")
    image = {"_type": "image-file", "path": "media/images/a.png"}
    folder = folder_with(tmp_path, [run_record("r1"), history_record(0, image=image)])
    (folder / "files" / "media" / "images").mkdir(parents=True)
    (folder / "files" / "media" / "images" / "a.png").symlink_to(tmp_path / "far.png")
    found = gather_one(folder)
    assert [bytes_of(item.blob) for item in found.media] == [b"far"]
    (loss,) = found.losses
    assert (loss.code, loss.where) == ("linked-file", "media/images/a.png")


def test_loose_files_speak_where_records_are_silent(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [run_record("r1")])
    files = folder / "files"
    (files / "config.yaml").write_text(
        "wandb_version: 1\n_wandb:\n  desc: null\n  value:\n    cli_version: 0.12.1\n"
        "lr:\n  desc: null\n  value: 0.5\nnet:\n  value: {deep: [1, 2], none: {}}\nplain: 3\n"
    )
    (files / "wandb-summary.json").write_text('{"loss": NaN, "a": {"b": 1}, "_runtime": 3}')
    (files / "wandb-metadata.json").write_text(
        '{"username": "u", "host": "h", "state": "running", "python": "3.8", "args": []}'
    )
    (files / "output.log").write_bytes(b"one\ntwo \xff\nthree")
    found = gather_one(folder)
    assert found.role("config") == {
        ("lr",): 0.5,
        ("net", "deep"): [1, 2],
        ("net", "none"): {},
        ("plain",): 3,
    }
    assert found.role("environment")[("_wandb", "cli_version")] == "0.12.1"
    assert found.role("environment")[("args",)] == []
    summary = found.role("summary")
    assert str(summary.pop(("loss",))) == "nan"
    assert summary == {("a", "b"): 1, ("_runtime",): 3}
    header = found.header
    assert (header.user, header.host, header.status) == ("u", "h", "running")
    assert (header.state, header.complete) == ("unknown", False)
    assert {f.role for f in found.files.values() if f.path == "output.log"} == {"console"}


def test_records_win_over_loose_files(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, small_run())
    (folder / "files" / "config.yaml").write_text("lr:\n  value: 99\nstranger:\n  value: 1\n")
    (folder / "files" / "wandb-summary.json").write_text('{"loss": 99}')
    (folder / "files" / "output.log").write_text("not again\n")
    found = gather_one(folder)
    assert found.role("config") == {("lr",): 0.1, ("deep", "a"): [1]}
    assert found.role("summary") == {("loss",): 0.2}
    assert [row["line"] for row in found.rows("console")] == [f"line {n}\n" for n in range(5)]


def test_a_zero_byte_database_still_has_its_folder(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [], "abc")
    (folder / "run-abc.wandb").write_bytes(b"")
    (folder / "files" / "config.yaml").write_text("lr:\n  value: 1\n")
    (folder / "files" / "output.log").write_text("a\nb\n")
    found = gather_one(folder)
    assert found.run.key.run_id == "abc"
    assert found.role("config") == {("lr",): 1}
    assert [row["line"] for row in found.rows("console")] == ["a\n", "b\n"]
    assert not found.header.complete
    assert "empty-database" in found.codes()
    (folder / "files" / "output.log").write_text("a\nb\nc\n")
    rest = gather_one(folder, found.cursor())
    assert [(row["line"], row["seq"]) for row in rest.rows("console")] == [("c\n", 2)]


@pytest.mark.parametrize(
    ("stranger", "code", "error"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "lfs", NotFound),
        (b"<!DOCTYPE html><html></html>", "not-a-database", Damaged),
    ],
)
def test_what_only_has_the_name_of_a_database_is_named_as_what_it_is(
    tmp_path: Path, stranger: bytes, code: str, error: type[Exception]
) -> None:
    folder = folder_with(tmp_path, [], "abc")
    (folder / "run-abc.wandb").write_bytes(stranger)
    found = gather_one(folder)
    assert any(code in given for given in found.codes())
    alone = tmp_path / "alone" / "x.wandb"
    alone.parent.mkdir()
    alone.write_bytes(stranger)
    with pytest.raises(error):
        opened(alone)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_read_only_folder_is_read_and_not_written_to(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, small_run())
    (folder / "run-r1.wandb").chmod(0o444)
    folder.chmod(0o555)
    before = sorted(path.name for path in folder.iterdir())
    assert gather_one(folder).header.complete
    assert sorted(path.name for path in folder.iterdir()) == before
    folder.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.usefixtures("modes_hold")
def test_one_unreadable_run_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, small_run())
    folder_with(tmp_path, small_run("r2"), "r2")
    (folder / "run-r1.wandb").chmod(0)
    reader = opened(tmp_path)
    runs = {run.key.run_id: run for run in reader.runs()}
    with pytest.raises(SourceError, match="Permission"):
        gather(reader, runs["r1"])
    assert gather(reader, runs["r2"]).header.complete
    (folder / "run-r1.wandb").chmod(0o644)


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
def test_files_go_by_role_and_links_are_followed_to_files_only(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, small_run())
    files = folder / "files"
    for name in ("requirements.txt", "output.log", "code/a/train.py", "model.ckpt", "x/y.bin"):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(name)
    (tmp_path / "outside.txt").write_text("outside")
    (files / "saved.txt").symlink_to(tmp_path / "outside.txt")
    (files / "gone.txt").symlink_to(tmp_path / "nothing")
    (files / "folder").symlink_to(tmp_path)
    os.mkfifo(files / "pipe")
    found = gather_one(folder)
    roles = {path: file.role for path, file in found.files.items()}
    assert roles == {
        "requirements.txt": "requirements",
        "output.log": "console",
        "code/a/train.py": "source",
        "model.ckpt": "checkpoint",
        "x/y.bin": "other",
        "saved.txt": "other",
        "gone.txt": "other",
    }
    assert bytes_of(found.files["saved.txt"].blob) == b"outside"
    assert found.files["gone.txt"].blob.is_missing
    assert found.codes() == {"closed-folder", "special-file", "linked-file", "missing-bytes"}
    (linked,) = (loss for loss in found.losses if loss.code == "linked-file")
    assert (linked.where, linked.fate) == ("saved.txt", Fate.KEPT)
    assert str(tmp_path / "outside.txt") in linked.detail


def test_a_changed_file_is_given_again_and_no_other(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, small_run())
    for name in ("a.txt", "b.txt"):
        (folder / "files" / name).write_text("1")
    first = gather_one(folder)
    (folder / "files" / "b.txt").write_text("22")
    (folder / "files" / "c.txt").write_text("3")
    assert set(gather_one(folder, first.cursor()).files) == {"b.txt", "c.txt"}


def test_files_that_records_list_and_nobody_has_are_missing(tmp_path: Path) -> None:
    listing = pb.Record()
    for name in ("here.txt", "gone.txt", "*.ckpt"):
        listing.files.files.add(path=name)
    folder = folder_with(tmp_path, [run_record("r1"), listing, exit_record()])
    (folder / "files" / "here.txt").write_text("x")
    found = gather_one(folder)
    assert {path: f.blob.is_missing for path, f in found.files.items()} == {
        "here.txt": False,
        "gone.txt": True,
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_data(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    artifact = pb.Record()
    artifact.artifact.name = name or "a"
    artifact.artifact.type = "t"
    artifact.artifact.manifest.contents.add(path=name, local_path=name, digest="x", size=6)
    listing = pb.Record()
    listing.files.files.add(path=name)
    one = {"_type": "image-file", "path": name, "sha256": "00", "size": 6}
    many = {"_type": "images/separated", "count": 1, "filenames": [name], "captions": [name]}
    row = history_record(0, one=one, many=many)
    folder = folder_with(tmp_path / "w", [run_record("r1"), artifact, listing, row])
    found = gather_one(folder)
    assert [item.path for item in found.media if item.key == "many"] == [name]
    assert all(item.blob.is_missing for item in found.media)
    (entry,) = found.artifacts[0].entries
    assert entry.path == name
    assert entry.blob.is_missing
    assert all(file.blob.is_missing for file in found.files.values())


def test_artifact_bytes_are_taken_only_if_the_record_knows_their_hash(tmp_path: Path) -> None:
    staged = tmp_path / "staging" / "tmp1"
    staged.parent.mkdir()
    staged.write_bytes(b"bytes")
    digest = b64encode(hashlib.md5(b"bytes", usedforsecurity=False).digest()).decode()
    record = pb.Record()
    record.artifact.name, record.artifact.type = "a", "dataset"
    record.artifact.metadata = '{"k": 1}'
    record.artifact.aliases.append("best")
    contents = record.artifact.manifest.contents
    contents.add(path="right", local_path=str(staged), digest=digest, size=5)
    contents.add(path="wrong", local_path=str(staged), digest="AAAA", size=5)
    contents.add(path="there", ref="s3://b/k", digest="etag", size=7)
    used = pb.Record()
    used.use_artifact.name, used.use_artifact.type = "mnist:v3", "dataset"
    used.use_artifact.id = "id1"
    found = gather_one(folder_with(tmp_path / "w", [run_record("r1"), record, used]))
    produced, taken = found.artifacts
    assert (produced.aliases, produced.relation) == (("best",), "produced")
    assert isinstance(produced.metadata, dict)
    assert produced.metadata["k"] == 1
    right, wrong, there = produced.entries
    assert bytes_of(right.blob) == b"bytes"
    assert wrong.blob.is_missing
    assert there.reference == "s3://b/k"
    assert there.blob.is_missing
    assert (taken.name, taken.version, taken.relation) == ("mnist", "v3", "used")


def test_credentials_in_records_are_not_carried(tmp_path: Path) -> None:
    record = run_record("r1")
    record.run.settings.item.add(key="api_key", value_json='"SECRETSECRET"')
    record.run.settings.item.add(key="mode", value_json='"offline"')
    found = gather_one(folder_with(tmp_path, [record]))
    assert found.role("environment")[("settings", "mode")] == "offline"
    assert "SECRETSECRET" not in repr((found.attributes, found.raws, found.headers, found.losses))
    assert "secret" in found.codes()


def test_media_bytes_come_from_the_folder_with_caption_and_index(tmp_path: Path) -> None:
    boxes = [[{"position": {"minX": 1}}], None]
    group = {
        "_type": "images/separated",
        "width": 2,
        "count": 2,
        "filenames": ["media/images/a.png", "media/images/b.png"],
        "captions": ["first", None],
        "all_boxes": boxes,
    }
    table = {"_type": "table-file", "path": "media/table/t.json", "sha256": "11", "ncols": 2}
    rows = [history_record(3, imgs=group, tab=table), history_record(4, odd={"_type": "new-kind"})]
    folder = folder_with(tmp_path, [run_record("r1"), *rows])
    for name in ("images/a.png", "table/t.json", "images/unclaimed.png"):
        path = folder / "files" / "media" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    found = gather_one(folder)
    images = [item for item in found.media if item.key == "imgs"]
    assert [(i.index, i.caption, i.at.step) for i in images] == [(0, "first", 3), (1, None, 3)]
    assert bytes_of(images[0].blob) == b"images/a.png"
    assert images[1].blob.is_missing
    assert isinstance(images[0].metadata, dict)
    assert images[0].metadata["width"] == 2
    assert images[0].metadata["all_boxes"] == boxes[0]
    (tab,) = (item for item in found.media if item.key == "tab")
    assert (tab.media_type, tab.blob.sha256) == ("table", "11")
    assert set(found.files) == {"media/images/unclaimed.png"}
    assert [json.loads(row["text"]) for row in found.rows("texts")] == [{"_type": "new-kind"}]


def test_images_that_are_only_counted_are_found_by_their_number(tmp_path: Path) -> None:
    group = {"_type": "images/separated", "count": 2, "format": "png", "captions": ["a", None]}
    endless = {"_type": "images/separated", "count": 10**12}
    rows = [history_record(4, imgs=group), history_record(5, imgs=endless)]
    folder = folder_with(tmp_path, [run_record("r1"), *rows])
    (folder / "files" / "media" / "images").mkdir(parents=True)
    for number in range(2):
        (folder / "files" / "media" / "images" / f"imgs_4_{number}.png").write_text(str(number))
    found = gather_one(folder)
    assert [(item.index, item.caption, bytes_of(item.blob)) for item in found.media] == [
        (0, "a", b"0"),
        (1, None, b"1"),
        (0, None, None),
    ]
    assert not found.files


def test_two_databases_in_one_folder_are_two_runs(tmp_path: Path) -> None:
    for run_id in ("a", "b"):
        (tmp_path / f"run-{run_id}.wandb").write_bytes(framed(small_run(run_id)))
    assert [one.run.key.run_id for one in gather_all(tmp_path)] == ["a", "b"]
    assert [one.run.key.run_id for one in gather_all(tmp_path / "run-b.wandb")] == ["b"]


def test_a_folder_whose_database_is_gone_is_a_run_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "run-20240102_030405-zzz"
    (folder / "files" / "media" / "images").mkdir(parents=True)
    (folder / "files" / "media" / "images" / "a.png").write_bytes(b"png")
    found = gather_one(folder)
    assert found.run.key.run_id == "zzz"
    assert set(found.files) == {"media/images/a.png"}
    assert not found.header.complete
    assert Fate.DROPPED in {loss.fate for loss in found.losses}
