"""What W&B's run folders hold: all of it, though W&B shows some of it in another form."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from runferry.dialects.wandb.service_tables import APART_NS
from runferry.losses import Fate
from runferry.ports import KeyRule, Limits

LONGEST_ROW: Final = (10 << 20) - (200 << 10)
"""Bytes of the values of a row. `wandb sync` passes over a row of history, and the whole summary,
of more than 10 MiB less 100 KiB; step, time and spelling take some of it, too."""

_SHOWN: Final = (
    "scalar", "text", "histogram", "image", "audio", "video", "table", "plot", "html", "object3d",
    "molecule", "config", "summary", "console", "file", "artifact",
)  # fmt: skip
_KEPT_BESIDE: Final = ("environment", "other", "document", "raw")

_HISTORY_KEY: Final = KeyRule(
    reserved=("_step", "_timestamp", "_wandb"),  # a row's address, and what W&B keeps for itself
    reserved_prefixes=("system.", "_wandb."),
)

LIMITS: Final = Limits(
    holds=dict.fromkeys(_SHOWN, Fate.KEPT) | dict.fromkeys(_KEPT_BESIDE, Fate.REENCODED),
    order="step",  # a row that comes too late is dropped by W&B
    resend="atomic",
    series_key=_HISTORY_KEY,
    run_id=Fate.REENCODED,  # those of other trackers that W&B would not take
    # W&B has one row a step, with one time; our own field in each row says the rest
    null_step=Fate.REENCODED,  # shown behind the last step
    fractional_step=Fate.REENCODED,  # shown at its floor
    source_order=Fate.REENCODED,  # values of a step are shown in one row
    system_step=Fate.REENCODED,  # statistics have times
    null_time=Fate.REENCODED,  # shown at the time of its row
    number_kind=Fate.REENCODED,  # JSON has one kind of float
    attribute_type=Fate.REENCODED,  # JSON has neither times nor bytes
    key_path=Fate.REENCODED,  # of two names that W&B would join to one, one is joined for it
    header_times=Fate.REENCODED,
    lineage=Fate.REENCODED,
)

_SAID_BESIDE: Final = (
    "project", "entity", "user", "source_url", "client", "labels", "host", "status", "parent",
    "exit_code", "kind",
)  # fmt: skip

SERVICE_LIMITS: Final = replace(
    LIMITS,
    # files beside the run say what W&B has no field for, and what was printed to the letter
    holds=dict.fromkeys(_SHOWN, Fate.KEPT)
    | dict.fromkeys(("environment", "other", "console"), Fate.REENCODED),
    run_id=Fate.RENAMED,
    artifact_version=Fate.RENAMED,
    used_artifact=Fate.DROPPED,  # known by the ids of one server
    # what our own field says of a row stays behind
    null_step=Fate.ROUNDED,
    fractional_step=Fate.ROUNDED,
    negative_step=Fate.DROPPED,  # W&B reads history from step 0 on
    max_text_length=LONGEST_ROW,  # of characters with a byte each; the others are told by push
    long_text=Fate.DROPPED,
    max_step=2**53,  # numbers of JSON
    step_beyond=Fate.DROPPED,
    duplicate_point=Fate.MERGED,
    repeated_step=Fate.ROUNDED,  # `wandb sync` numbers rows anew that do not rise
    source_order=Fate.MERGED,
    rows_apart_ns=APART_NS,  # a table beside the run tells what they were
    system_step=Fate.ROUNDED,
    null_time=Fate.ROUNDED,
    negative_time=Fate.ROUNDED,  # those before 1970 are no times there
    time_unit_ns=1_000,
    finer_time=Fate.ROUNDED,  # a double of seconds
    inexact_int=Fate.ROUNDED,  # numbers of JSON
    # a file beside the run says what the run's fields have no room for
    header_fields=dict.fromkeys(_SAID_BESIDE, Fate.REENCODED),
)
