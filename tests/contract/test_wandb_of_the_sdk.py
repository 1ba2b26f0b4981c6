"""The reader contract, kept for what wandb itself leaves behind, whole and half written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from wandb_sdk import make_wandb_folder

from runferry.ports import Location
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.testing.reader_contract import ReaderContract

YOUNG = 0.6
"""How much of the file is there before it grows."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wandb_folder(tmp_path_factory.mktemp("sdk"))


def database(folder: Path) -> Path:
    (path,) = folder.rglob("*.wandb")
    return path


class TestFinished(ReaderContract):
    """What the vendor's client left behind."""

    reader = WandbFilesReader

    @pytest.fixture
    def source(self, made: Path, tmp_path: Path) -> Location:
        return Location("wandb", str(shutil.copytree(made, tmp_path / "wandb", symlinks=True)))


class TestGrowing(ReaderContract):
    """A file that its client is still writing, cut in the middle of a record."""

    reader = WandbFilesReader

    @pytest.fixture(autouse=True)
    def _whole(self, made: Path) -> None:
        self.whole = database(made).read_bytes()

    @pytest.fixture
    def source(self, made: Path, tmp_path: Path) -> Location:
        folder = shutil.copytree(made, tmp_path / "wandb", symlinks=True)
        database(folder).write_bytes(self.whole[: int(len(self.whole) * YOUNG)])
        for media in folder.glob("*/files/media"):  # the rows that name them come later
            media.rename(tmp_path / "later")
        return Location("wandb", str(folder))

    def grow(self, source: Location) -> None:
        database(source.path).write_bytes(self.whole)
        later = source.path.parent / "later"
        later.rename(database(source.path).parent / "files" / "media")
