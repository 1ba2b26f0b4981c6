"""Models and versions for the server of `neptune_server.py`: one with each file of a folder."""

from __future__ import annotations

from pathlib import Path

from neptune.internal.operation import AssignString, LogFloats, UploadFile
from neptune_server import SlowServer

PROJECT = "simulated/models"
VERSIONS = 5  # of each model, about
VALUES = 200  # of each of two series


def put_models(server: SlowServer, files: Path) -> None:
    """A model for one file, then versions of it for the next ones."""
    project = server.add(PROJECT)
    backend = server.backend()
    backend.get_project(PROJECT)
    model = None
    for number, file in enumerate(sorted(files.iterdir())):
        if model is None or number % (VERSIONS + 1) == 0:
            made = model = backend.create_model(project, f"M{number}")
        else:
            made = backend.create_model_version(project, model.id)
        values = [value_at(number, step) for step in range(VALUES)]
        series = [
            LogFloats(
                ["val", name],
                [
                    LogFloats.ValueType(value, float(step), 1.7e9 + step)
                    for step, value in enumerate(values)
                ],
            )
            for name in ("loss", "score")
        ]
        described = AssignString(["config", "optimizer"], "adam")
        uploaded = UploadFile(["model", "weights"], "bin", file_path=str(file))
        backend.execute_operations(made.id, made.type, [described, *series, uploaded], None)


def value_at(number: int, step: int) -> float:
    """A value of the one with that number."""
    return 1.0 / (1 + number + step)
