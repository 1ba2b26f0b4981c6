"""Logs with the real client, offline, into the folder that CLEARML_CACHE_DIR names.

Usage: clearml_script.py WORKING_FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from clearml import Task


def main(folder: Path) -> None:
    """One task with all that a task can hold offline."""
    os.chdir(folder)
    task = Task.init(
        project_name="group/demo",
        task_name="first run",
        task_type=Task.TaskTypes.testing,
        tags=["a", "b c"],
        reuse_last_task_id=False,
        auto_connect_frameworks=False,
        auto_resource_monitoring=False,
    )
    task.connect({"lr": 0.1, "n": 3, "nested": {"x": None, "y": [1, 2]}, "flag": True, "s": "1"})
    task.connect({"a": 1}, name="Other")
    task.connect_configuration({"model": {"depth": 3}}, name="net")
    task.set_user_properties(owner="me", count=5)
    task.set_comment("some notes")
    logger = task.get_logger()
    for step in range(5):
        logger.report_scalar("loss", "train", step * 0.5, step)
        logger.report_scalar("loss", "a/b", step, step)
    logger.report_single_value("best", 0.75)
    logger.report_text("hello text")
    logger.report_histogram("spread", "w", iteration=1, values=np.array([1.0, 2.0, 3.0]))
    logger.report_table("tab", "s", iteration=1, table_plot=[["a", "b"], [1, 2]])
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    logger.report_image("pictures", "x", iteration=2, image=image)
    Path("clip.wav").write_bytes(b"RIFFxxxx")
    logger.report_media("sounds", "y", iteration=2, local_path="clip.wav")
    logger.report_media("far", "z", iteration=3, url="https://host.example/shelf/far.png")
    task.upload_artifact("numbers", {"k": 1}, wait_on_upload=True)
    task.upload_artifact("file", "clip.wav", metadata={"q": "w"}, wait_on_upload=True)
    print("a printed line")
    task.flush(wait_for_uploads=True)
    task.close()
    print("SESSION", task.get_offline_mode_folder())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
