"""Which files are one run, what lies beside them, and what is no event file but called so."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard_runs import (
    START,
    event_file,
    framed,
    gather_all,
    gather_one,
    logged,
    losses,
    named,
    opened,
    scalar,
    version,
)
from tensorboardX import SummaryWriter
from tests.readers.gathered import gather

from runferry.dialects.tensorboard.names import host_of
from runferry.errors import Damaged, NotFound, SourceError
from runferry.losses import Fate
from runferry.readers.tensorboard import TensorboardReader

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234\n"


# --- identity -------------------------------------------------------------------------------------


def test_a_folder_is_a_run_and_train_and_validation_are_two(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        event_file(tmp_path / "fit" / name, losses("epoch_loss", range(3)), suffix="host.7.0.v2")
    runs = list(opened(tmp_path).runs())
    assert [run.name for run in runs] == ["fit/train", "fit/validation"]
    assert [run.key.run_id.partition("@")[0] for run in runs] == ["fit/train", "fit/validation"]
    assert {run.host for run in runs} == {"host"}


def test_equal_paths_below_two_roots_are_two_runs(tmp_path: Path) -> None:
    for number, root in enumerate(("a", "b")):
        event_file(tmp_path / root / "version_0", [version(START + number), scalar("x", 0, 1.0)])
    one, other = (next(opened(tmp_path / root).runs()).key for root in ("a", "b"))
    assert one != other


def test_a_run_that_grows_stays_the_same(tmp_path: Path) -> None:
    path = event_file(tmp_path / "run", losses("loss", range(3)))
    (before,) = opened(tmp_path).runs()
    with path.open("ab") as stream:
        stream.write(framed([scalar("loss", 3, 1.0)]))
    event_file(tmp_path / "run", losses("loss", range(4, 6)), START + 100)
    (after,) = opened(tmp_path).runs()
    assert after == before


def test_files_of_a_folder_are_read_in_order_of_their_times(tmp_path: Path) -> None:
    event_file(tmp_path, losses("loss", range(5, 9)), 999_999_999)
    event_file(tmp_path, losses("loss", range(3)), 1_000_000_000)
    event_file(tmp_path, losses("loss", range(2, 4)), 1_000_000_000, suffix="host.8.0")
    found = gather_one(tmp_path)
    assert [row["step"] for row in found.points("loss")] == [5, 6, 7, 8, 0, 1, 2, 2, 3]
    seqs = [row["seq"] for row in found.points("loss")]
    assert seqs == sorted(set(seqs))


def test_a_file_by_itself_is_a_run(tmp_path: Path) -> None:
    path = event_file(tmp_path / "run", losses("loss", range(3)))
    event_file(tmp_path / "run", losses("loss", range(3, 6)), START + 1)
    (tmp_path / "run" / "hparams.yaml").write_text("lr: 1\n")
    found = gather_one(path)
    assert [row["step"] for row in found.points("loss")] == [0, 1, 2]
    assert found.header.name == "run"
    assert not found.role("config")


def test_names_of_old_clients_are_event_files(tmp_path: Path) -> None:
    path = event_file(tmp_path, [scalar("loss", 0, 1.0)])
    path.rename(tmp_path / "events.out.tfevents")
    found = gather_one(tmp_path)
    assert found.values("loss") == [1.0]
    assert found.header.started_ns == START * 10**9
    assert found.header.host is None


@pytest.mark.skipif(os.name != "posix", reason="names of POSIX are bytes")
def test_names_that_are_no_text_are_told_apart(tmp_path: Path) -> None:
    for number in (b"\xfe", b"\xff"):
        folder = tmp_path / os.fsdecode(b"run-" + number)
        event_file(folder, losses("loss", range(2)), suffix="host")
        event_file(folder, losses("loss", range(3)), suffix=os.fsdecode(b"h\xfe"))
        event_file(folder, losses("loss", range(4)), suffix=os.fsdecode(b"h\xff"))
    reader = opened(tmp_path)
    first, second = reader.runs()
    assert first.name == second.name == "run-\N{REPLACEMENT CHARACTER}"
    assert second.key.run_id == f"{first.key.run_id}~2"
    found = gather(reader, second)
    assert len(found.points("loss")) == 9
    assert found.codes() == {"same-run-id"}
    assert gather(reader, second, found.cursor()).count == 2  # its header and where it stands


# --- sub-folders ----------------------------------------------------------------------------------


def test_add_scalars_makes_series_of_its_writers_run(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        for step in range(3):
            writer.add_scalar("loss", step, step)
            writer.add_scalars("curves/both", {"a": step, "b/c": 2 * step}, step)

    found = gather_one(logged(tmp_path / "run", fill).parent)
    paths = {series.path: key for key, series in found.series.items()}
    assert set(paths) == {("loss",), ("curves/both", "a"), ("curves/both", "b/c")}
    assert found.values(paths["curves/both", "b/c"]) == [0, 2, 4]


def test_add_scalars_of_torch_too(tmp_path: Path) -> None:
    event_file(tmp_path, losses("loss", range(2)))
    for name in ("a", "b_c"):  # torch: main tag with `/` as `_`, then `_`, then the tag
        event_file(tmp_path / f"curves_both_{name}", losses("curves/both", range(3)), START + 1)
    found = gather_one(tmp_path)
    assert {series.path for series in found.series.values()} == {
        ("loss",),
        ("curves/both", "a"),
        ("curves/both", "b_c"),
    }


def test_without_a_writer_around_them_such_folders_are_runs(tmp_path: Path) -> None:
    event_file(tmp_path / "loss_a", losses("loss", range(3)))
    assert set(gather_all(tmp_path)) == {"loss_a"}


def test_the_first_add_hparams_belongs_to_its_writer_and_later_ones_are_below_it(
    tmp_path: Path,
) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_scalar("loss", 1.0, 0)
        writer.add_hparams({"lr": 0.1}, {"hparam/accuracy": 0.5})
        time.sleep(0.01)
        writer.add_hparams({"lr": 0.2}, {"hparam/accuracy": 0.75})

    found = gather_all(logged(tmp_path / "run", fill).parent)
    first, second = found.values()
    assert first.run.name == "run"
    assert first.role("config") == {("lr",): 0.1}
    assert first.values("hparam/accuracy") == [0.5]
    assert first.values("loss") == [1.0]
    assert second.role("config") == {("lr",): 0.2}
    assert second.values("hparam/accuracy") == [0.75]
    assert second.run.parent == first.run.key.run_id


def test_an_add_hparams_with_a_name_is_a_run(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_scalar("loss", 1.0, 0)
        writer.add_hparams({"lr": 0.1}, {"hparam/accuracy": 0.5}, name="trial")

    found = gather_all(logged(tmp_path / "run", fill).parent)
    assert list(found) == ["run", "run/trial"]


# --- beside ---------------------------------------------------------------------------------------


def test_configuration_beside_is_config(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_hparams({"batch": 32, "lr": 0.1}, {}, name=".")

    logged(tmp_path, fill)
    (tmp_path / "hparams.yaml").write_text("batch: 32\nlr: 0.25\nmodel:\n  depth: 3\n")
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("seed: 1\n")
    found = gather_one(tmp_path)
    assert found.role("config") == {
        ("batch",): 32,  # hparams have only floats: YAML's word is the finer one
        ("lr",): 0.1,
        ("model", "depth"): 3,
        ("seed",): 1,
    }
    assert isinstance(found.role("config")[("batch",)], int)
    assert found.role("other")[("tensorboard", "hparams", "beside", "lr")] == 0.25


def test_projector_files_are_files_of_the_run(tmp_path: Path) -> None:
    def fill(writer: SummaryWriter) -> None:
        writer.add_scalar("loss", 1.0, 0)
        writer.add_embedding(np.eye(3), metadata=["a", "b", "c"], tag="words")

    found = gather_one(logged(tmp_path, fill))
    assert "projector_config.pbtxt" in found.files
    assert {name.rpartition("/")[2] for name in found.files} == {
        "projector_config.pbtxt",
        "tensors.tsv",
        "metadata.tsv",
    }
    assert not any(file.blob.is_missing for file in found.files.values())


def test_a_projector_configuration_names_only_files_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "projector_config.pbtxt").write_text(
        'embeddings { tensor_path: "../secret" metadata_path: "gone.tsv" }\n'
        f'embeddings {{ tensor_path: "{tmp_path}/secret" }}\n'
    )
    found = gather_one(folder)
    assert {name for name, file in found.files.items() if not file.blob.is_missing} == {
        "projector_config.pbtxt"
    }
    assert {loss.where for loss in found.losses if loss.code == "missing-bytes"} == {
        "../secret",
        "gone.tsv",
        f"{tmp_path}/secret",
    }


def test_profiles_are_files_of_the_run(tmp_path: Path) -> None:
    event_file(tmp_path, losses("loss", range(2)))
    event_file(tmp_path, [version()], START + 1, suffix="host.profile-empty")
    profile = tmp_path / "plugins" / "profile" / "2024_01_01"
    profile.mkdir(parents=True)
    (profile / "host.xplane.pb").write_bytes(b"x")
    found = gather_one(tmp_path)
    assert list(found.files) == ["plugins/profile/2024_01_01/host.xplane.pb"]
    assert [(loss.code, loss.where) for loss in found.losses] == [
        ("header-only", f"events.out.tfevents.{START + 1}.host.profile-empty")
    ]


def test_the_folders_of_our_blobs_and_drafts_are_no_runs(tmp_path: Path) -> None:
    event_file(tmp_path, losses("loss", range(2)))
    event_file(tmp_path / ".runferry-0123-4567", losses("loss", range(2)))
    event_file(tmp_path / "runferry_files", losses("loss", range(2)))
    assert len(gather_all(tmp_path)) == 1


def test_copies_that_a_run_of_wandb_keeps_are_files_of_that_run(tmp_path: Path) -> None:
    event_file(tmp_path / "logs", losses("loss", range(2)))
    home = tmp_path / "wandb" / "offline-run-20240102_030405-r1"
    event_file(home / "files", losses("loss", range(2)))
    assert set(gather_all(tmp_path)) == {"logs", "wandb/offline-run-20240102_030405-r1/files"}
    (home / "run-r1.wandb").touch()
    assert set(gather_all(tmp_path)) == {"logs"}
    assert not TensorboardReader.recognises(tmp_path / "wandb")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("events.out.tfevents.1700000000.gpu-7.1234.0", "gpu-7"),
        ("events.out.tfevents.1700000000.gpu-7.example.org.1234.0.v2", "gpu-7.example.org"),
        ("events.out.tfevents.1700000000.gpu-7", "gpu-7"),
        ("events.out.tfevents.1700000000.gpu-7.profile-empty", "gpu-7"),
        ("events.out.tfevents.1700000000.gpu-7.1234.0.suffix", "gpu-7"),
        ("events.out.tfevents", None),
    ],
)
def test_a_name_tells_the_host(name: str, host: str | None) -> None:
    assert host_of(name) == host


# --- what is no event file ------------------------------------------------------------------------


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    pointer = tmp_path / "run" / f"events.out.tfevents.{START}.host"
    pointer.write_bytes(LFS)
    found = gather_one(tmp_path)
    assert [(loss.code, loss.fate, loss.where) for loss in found.losses] == [
        ("git-lfs-pointer", Fate.DROPPED, pointer.name)
    ]
    with pytest.raises(NotFound, match="Git LFS pointer"):
        opened(pointer)


def test_a_file_of_something_else_is_a_loss_and_those_beside_it_are_read(tmp_path: Path) -> None:
    event_file(tmp_path, losses("loss", range(2)))
    other = tmp_path / f"events.out.tfevents.{START + 5}.host"
    other.write_text("a text that somebody named like this, and no record anywhere in it\n")
    found = gather_one(tmp_path)
    assert found.values("loss") == [0.0, float(np.float32(1 / 7))]
    assert {(loss.code, loss.fate) for loss in found.losses} == {
        ("not-an-event-file", Fate.DROPPED)
    }
    with pytest.raises(Damaged):
        opened(other)


def test_a_file_with_nothing_in_it_is_no_run_and_beside_others_it_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "young" / f"events.out.tfevents.{START}.host"
    empty.parent.mkdir()
    empty.touch()
    assert not gather_all(tmp_path)
    event_file(tmp_path / "young", losses("loss", range(2)), START + 1)
    assert gather_one(tmp_path).codes() == {"empty-file"}


def test_a_header_without_events_is_a_run_that_says_so(tmp_path: Path) -> None:
    event_file(tmp_path / "run", [version()])
    found = gather_one(tmp_path)
    assert [(loss.code, loss.fate) for loss in found.losses] == [("header-only", Fate.KEPT)]
    assert not found.series


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.usefixtures("modes_hold")
def test_what_is_closed_to_us_does_not_stop_the_others(tmp_path: Path) -> None:
    event_file(tmp_path / "open", losses("loss", range(2)))
    path = event_file(tmp_path / "closed-file", losses("loss", range(2)))
    folder = tmp_path / "closed-folder"
    event_file(folder, losses("loss", range(2)))
    path.chmod(0)
    folder.chmod(0)
    reader = opened(tmp_path)
    runs = {run.name: run for run in reader.runs()}
    assert set(runs) == {"open", "closed-file"}
    with pytest.raises(SourceError, match="Permission"):
        gather(reader, runs["closed-file"])
    assert gather(reader, runs["open"]).values("loss")
    path.chmod(0o644)
    folder.chmod(0o755)


# --- many -----------------------------------------------------------------------------------------


def test_headers_of_many_folders_are_quick(tmp_path: Path) -> None:
    for number in range(300):
        event_file(tmp_path / f"run-{number:04}", losses("loss", range(20)))
    began = time.process_time()  # what others do on the machine is not counted
    assert len(list(opened(tmp_path).runs())) == 300
    assert time.process_time() - began < 3  # 2,000 take about a second


def test_one_search_serves_all_readers(tmp_path: Path) -> None:
    event_file(tmp_path / "run", losses("loss", range(2)))
    first = opened(tmp_path)
    (run,) = first.runs()
    event_file(tmp_path / "later", losses("loss", range(2)))
    assert list(first.beside().runs()) == [run]
    first.close()
    assert len(list(first.runs())) == 2


def test_a_run_alone_is_read_as_by_the_reader(tmp_path: Path) -> None:
    import pickle

    event_file(tmp_path / "run", losses("loss", range(4)))
    reader = opened(tmp_path)
    (run,) = reader.runs()
    alone = pickle.loads(pickle.dumps(reader.alone(run)))
    assert gather(alone, run).rows("points") == gather(reader, run).rows("points")


def test_linked_runs_are_found_and_named(tmp_path: Path) -> None:
    event_file(tmp_path / "elsewhere" / "run", losses("loss", range(2)))
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "best").symlink_to(tmp_path / "elsewhere" / "run")
    ((name, found),) = gather_all(tmp_path / "chosen").items()
    assert name == "best"
    assert found.codes() == {"linked-folder"}


def test_a_restart_in_one_second_keeps_the_order_of_names(tmp_path: Path) -> None:
    logged(tmp_path, lambda writer: writer.add_scalar("loss", 1.0, 0))
    named(tmp_path, START, "host.7.1")
    event_file(tmp_path, [version(), scalar("loss", 5, 2.0)], START, "host.7.0")
    assert [row["step"] for row in gather_one(tmp_path).points("loss")] == [5, 0]
