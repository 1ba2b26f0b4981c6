"""The reader contract, kept by the reader of event files."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from tensorboard_runs import START, event_file, framed, losses, named, scalar, version
from tensorboard_runs import logged as by_tensorboardx
from tensorboardX import SummaryWriter

from runferry.model import Attribute, Run, RunKey, Series
from runferry.ports import Location
from runferry.readers.tensorboard import TensorboardReader
from runferry.tables import dumps
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract


def every_kind(writer: SummaryWriter) -> None:
    for step in range(40):
        writer.add_scalar("train/loss", step / 7, step)
        writer.add_histogram("weights", [0.1, 0.2, float(step)], step)
        writer.add_text("notes", f"step {step}", step)
    writer.add_image("image", [[[1.0] * 4] * 4] * 3, 1, dataformats="CHW")


class TestTensorboard(ReaderContract):
    reader = TensorboardReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        root = tmp_path / "runs"
        named(by_tensorboardx(root / "growing", every_kind), START)
        event_file(root / "restarted", losses("loss", range(5)), START)
        event_file(root / "restarted", losses("loss", range(3, 9)), START + 60)
        event_file(root / "restarted" / "loss_a", losses("loss", range(4)), START + 1)
        (root / "growing" / "hparams.yaml").write_text("lr: 0.1\n")
        cut = event_file(root / "cut", losses("loss", range(5)))
        cut.write_bytes(cut.read_bytes()[:-5])
        damaged = event_file(root / "damaged", losses("loss", range(5)))
        content = bytearray(damaged.read_bytes())
        content[100] ^= 0xFF
        damaged.write_bytes(content)
        event_file(root / "header-only", [version()])
        return Location("tensorboard", str(root))

    def grow(self, source: Location) -> None:
        root = source.path
        (file,) = (root / "growing").glob("events.*")
        with file.open("ab") as stream:
            stream.write(framed([scalar("train/loss", 40, 1.0), scalar("later", 0, 2.0)]))
        (root / "growing" / "hparams.yaml").write_text("lr: 0.1\nmomentum: 0.9\n")
        (member,) = (root / "restarted" / "loss_a").glob("events.*")
        with member.open("ab") as stream:
            stream.write(framed([scalar("loss", 4, 0.5)]))
        event_file(root / "restarted", losses("loss", range(9, 12)), START + 120)
        event_file(root / "restarted" / "loss_b", losses("loss", range(9, 12)), START + 121)
        event_file(root / "header-only", [version(), scalar("loss", 0, 1.0)])

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        tags = [f"metric-{number}" for number in range(20)]
        event_file(folder, [version(), *(scalar(tag, 0, 0.5) for tag in tags)])
        (path,) = folder.iterdir()
        again = framed([scalar(tag, 1, 0.5) for tag in tags])
        with path.open("ab") as stream:
            for _ in range(rows // len(tags)):
                stream.write(again)
        return Location("tensorboard", str(folder))


class TestEventFile(ReaderContract):
    """A file by itself, and every value of it stated."""

    reader = TensorboardReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        return Location("tensorboard", str(event_file(tmp_path / "one", losses("loss", range(3)))))

    def grow(self, source: Location) -> None:
        with source.path.open("ab") as stream:
            stream.write(framed([scalar("loss", step, step / 7) for step in range(3, 5)]))

    def logged(self) -> Mapping[str, Content]:
        run_id = f"events.out.tfevents.{START}.host.7.0@e569c16d"
        run = Run(
            RunKey("tensorboard", "", run_id),
            name="one",
            host="host",
            created_ns=START * 10**9,
            started_ns=START * 10**9,
        )
        address = [(step, None, (START + step) * 10**6, 0) for step in range(3)]
        values = [struct.unpack("f", struct.pack("f", step / 7))[0] for step in range(3)]
        rows = [
            ("loss", *address[step], struct.pack(">d", values[step]), None, "float32", step)
            for step in range(3)
        ]
        stated = Attribute(("tensorboard", "file_version"), "environment", "brain.Event:2")
        return {
            run_id: Content(
                header=run,
                attributes={(stated.role, stated.path): dumps(stated.value)},
                series={"loss": Series("loss", ("loss",))},
                rows={"Points": rows},
            )
        }
