"""What ClearML holds, with the exact run beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from runferry.losses import Fate
from runferry.ports import Limits

_SHOWN: Final = (
    "scalar", "image", "audio", "video", "html", "plot", "config", "console", "file", "artifact",
)  # fmt: skip
_BESIDE: Final = (
    "text", "histogram", "table", "object3d", "molecule", "other", "summary", "environment",
    "document", "raw",
)  # fmt: skip

LIMITS: Final = Limits(
    holds=dict.fromkeys(_SHOWN, Fate.KEPT) | dict.fromkeys(_BESIDE, Fate.REENCODED),
    resend="atomic",
    null_step=Fate.REENCODED,  # natively the row's number
    fractional_step=Fate.REENCODED,  # natively its floor
    source_order=Fate.REENCODED,
    time_unit_ns=1_000_000,
    finer_time=Fate.REENCODED,
    null_time=Fate.REENCODED,  # natively none; a server takes the moment
    null_value=Fate.REENCODED,  # natively no event
    number_kind=Fate.REENCODED,
    attribute_type=Fate.REENCODED,  # natively a text, with the name of its type
    run_id=Fate.REENCODED,  # natively ours, unless ClearML gave it; a server makes a new one
    key_path=Fate.REENCODED,  # natively a title and a series
    series_facts=Fate.REENCODED,
    stream=Fate.REENCODED,
    header_times=Fate.REENCODED,
    lineage=Fate.REENCODED,
)

SERVER_LIMITS: Final = replace(
    LIMITS,
    nan=Fate.REENCODED,  # a server's index refuses it: it is in our own copy alone
    infinity=Fate.REENCODED,  # the same
    duplicate_point=Fate.REENCODED,  # natively one of an iteration, the last
    repeated_step=Fate.REENCODED,  # the same
    falling_step=Fate.REENCODED,
)
