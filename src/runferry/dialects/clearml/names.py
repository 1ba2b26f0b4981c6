"""Names in ClearML's offline sessions and events (clearml 2.1; the API's version 2.9 and later).

offline-<id>/task.json       the task, as the API's `tasks.get_by_id` gives it, and a few fields
                             more: project_name, offline_folder, offline_output_models
offline-<id>/metrics.jsonl   a line is an array of events: scalars, plots, debug samples
offline-<id>/log.jsonl       the same of what was printed
offline-<id>/data/…          what would have been uploaded
offline-<id>.zip             all of it once more, when the task is closed
"""

from __future__ import annotations

from typing import Any, Final

from runferry.model import KeyPath, Stream

TRACKER: Final = "clearml"

TASK_FILE: Final = "task.json"
METRICS_FILE: Final = "metrics.jsonl"
LOG_FILE: Final = "log.jsonl"
DATA: Final = "data"
MODELS: Final = "models"
OFFLINE: Final = "offline-"

SCALAR: Final = "training_stats_scalar"
VECTOR: Final = "training_stats_vector"
PLOT: Final = "plot"
SAMPLE: Final = "training_debug_image"
LOG: Final = "log"

SINGLE_ITERATION: Final = -(2**31)
"""The iteration of a value that was reported by itself (`Logger.report_single_value`)."""
SINGLE_METRIC: Final = "Summary"
MONITOR: Final = ":monitor:"
"""What titles of the machine's own metrics begin with."""

TASK_TYPES: Final = frozenset({
    "training", "testing", "inference", "data_processing", "application", "monitor", "controller",
    "optimizer", "service", "qc", "custom",
})  # fmt: skip

MARK: Final = "runferry-"
"""What the system tag begins with that says whose copy a task on a server is."""

Task = dict[str, Any]
Event = dict[str, Any]


def stream_of(path: KeyPath) -> Stream:
    """Whether the machine was watched, or the user logged it."""
    return "system" if path[0].startswith(MONITOR) else "user"
