"""What SwanLab can hold: in a folder with the exact run beside it, in its cloud alone.

Keys and names are checked by `swanlab.sdk.internal.pkg.constraints`, steps by `RunMetrics` of
`core_python.metrics` (swanlab 0.10.3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from runferry.losses import Fate
from runferry.ports import KeyRule, Limits

LONGEST_KEY: Final = 512
MAX_STEP: Final = 1 << 48
_SHOWN: Final = ("scalar", "text", "image", "audio", "html")
_IN_SOME_FORMS: Final = ("video", "object3d", "molecule")
"""GIF, PDB, binary glTF and points are shown; what is in another form is a file of the run."""
_IN_ANOTHER_FORM: Final = (
    "histogram", "table", "plot", "file", "other", "config", "summary", "environment",
    "console", "artifact",
)  # fmt: skip
_KEPT_BESIDE: Final = ("document", "raw")
_ROUGHLY: Final = (
    "histogram", "table", "plot", "other", "summary", "environment", "artifact",
)  # fmt: skip
_TOLD_IN_THE_CONFIG: Final = (
    "status", "exit_code", "client", "kind", "labels", "parent", "sweep", "user", "source_url",
)  # fmt: skip
"""Fields of a header for which SwanLab has no place of their own."""

KEYS: Final = KeyRule(
    max_length=LONGEST_KEY - 24,  # room for the mark of the machine's own, and of another kind
    allowed=r"[^\x00-\x1f\x7f\ud800-\udfff]",
    reserved_prefixes=(".", "/", " ", "__swanlab__."),
    reserved_suffixes=(".", "/", " "),
)

LIMITS: Final = Limits(
    holds=dict.fromkeys(_SHOWN, Fate.KEPT)
    | dict.fromkeys((*_IN_SOME_FORMS, *_IN_ANOTHER_FORM, *_KEPT_BESIDE), Fate.REENCODED),
    order="step",  # a key's steps are shown once each; the later ones move on
    resend="atomic",
    series_key=KEYS,
    null_step=Fate.REENCODED,  # shown at the next free step of its key
    fractional_step=Fate.REENCODED,  # shown at its floor
    negative_step=Fate.REENCODED,  # shown from 0 on
    max_step=MAX_STEP,
    step_beyond=Fate.REENCODED,
    source_order=Fate.REENCODED,
    null_time=Fate.REENCODED,  # shown at the last time that is known
    null_value=Fate.REENCODED,  # not shown
    inexact_int=Fate.REENCODED,  # shown as the nearest double
    number_kind=Fate.REENCODED,
    attribute_type=Fate.REENCODED,
    media_path=Fate.REENCODED,
    media_metadata=Fate.REENCODED,
    run_id=Fate.REENCODED,
    key_path=Fate.REENCODED,
    series_facts=Fate.REENCODED,
    header_times=Fate.REENCODED,
    lineage=Fate.REENCODED,
)

CLOUD_LIMITS: Final = replace(
    LIMITS,
    holds=dict.fromkeys((*_SHOWN, "config", "console", "file"), Fate.KEPT)
    | dict.fromkeys((*_IN_SOME_FORMS, *_ROUGHLY), Fate.ROUNDED),
    null_step=Fate.ROUNDED,
    fractional_step=Fate.ROUNDED,
    negative_step=Fate.ROUNDED,
    step_beyond=Fate.DROPPED,
    repeated_step=Fate.ROUNDED,
    source_order=Fate.ROUNDED,
    null_time=Fate.ROUNDED,
    null_value=Fate.DROPPED,
    infinity=Fate.ROUNDED,  # `swanlab sync` sends the word `nan`
    inexact_int=Fate.ROUNDED,
    number_kind=Fate.ROUNDED,
    media_path=Fate.ROUNDED,
    media_metadata=Fate.DROPPED,
    run_id=Fate.RENAMED,
    key_path=Fate.ROUNDED,
    series_facts=Fate.ROUNDED,
    header_times=Fate.DROPPED,  # `swanlab sync` reports the moment of the upload
    header_fields=dict.fromkeys(_TOLD_IN_THE_CONFIG, Fate.ROUNDED),
    lineage=Fate.ROUNDED,
)
"""Nothing stands beside a run in the cloud."""

GROWING_CLOUD_LIMITS: Final = replace(
    CLOUD_LIMITS,
    order="any",  # as they come: what was sent stays where it is
    falling_step=Fate.ROUNDED,  # shown at the next free step of its key
)
"""The same for runs that are sent while they grow."""

ADOPTED_LIMITS: Final = replace(
    CLOUD_LIMITS,
    header_times=Fate.ROUNDED,
    header_fields=dict.fromkeys(
        (*_TOLD_IN_THE_CONFIG, "name", "project", "notes", "tags", "group", "job_type"),
        Fate.ROUNDED,
    ),
)
"""The same for runs that are added to another: what heads them is told in its configuration."""
