"""The reader contract, kept by the reader of W&B's service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from wandb_service_runs import RICH, columns, served

from runferry.ports import Location
from runferry.readers.wandb.reader import WandbReader
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.wandb_service import RunContent, WandbService

IMAGE = {"_type": "image-file", "path": "media/images/a.png", "caption": "c", "size": 3}


class TestWandbService(ReaderContract):
    reader = WandbReader
    service: ClassVar[WandbService]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _served(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with served(tmp_path_factory.mktemp("home")) as service:
            cls.service = service
            yield

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        project = f"lab/{tmp_path.name}"
        self.service.put_run(f"{project}/rich", RICH, history_of=columns(50), live_rows=50)
        self.service.put_run(f"{project}/exported", RICH, history_of=columns(90), parts=3)
        self.service.put_run(
            f"{project}/both", RunContent(state="running"), history_of=columns(90), live_rows=20
        )
        self.service.put_run(f"{project}/young", RunContent(state="running"))
        rows = [
            {"_step": n, "_timestamp": n, "image": IMAGE, "text": f"n{n}", "nested": {"a": n}}
            for n in range(3)
        ]
        self.service.append_history(f"{project}/young", rows)
        self.service.put_file(f"{project}/young", "media/images/a.png", b"png")
        self.service.put_run(f"{project}/empty")
        self.service.put_report(project, "told", {"blocks": [{"type": "paragraph"}]})
        return Location("wandb", project)

    def grow(self, source: Location) -> None:
        rows = [{"_step": n, "_timestamp": n, "text": "later", "b": [n]} for n in range(3, 2000)]
        self.service.append_history(f"{source.where}/young", rows)
        self.service.put_file(f"{source.where}/young", "later.txt", b"3")
        more = [{"_step": n, "_timestamp": float(n), "loss": 0.5} for n in range(90, 99)]
        self.service.append_history(f"{source.where}/both", more)
        self.service.export(f"{source.where}/both", keep_live=2)

    def nowhere(self, tmp_path: Path) -> Location:
        return Location("wandb", "lab/nowhere")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        wide = {f"metric-{number}": columns(rows // 50)["loss"] for number in range(50)}
        path = f"lab/sized-{rows}"
        cls.service.put_run(f"{path}/large", history_of=wide, parts=4)
        return Location("wandb", path)
