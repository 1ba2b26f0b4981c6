"""What Aim can hold, with the exact run beside it."""

from __future__ import annotations

from typing import Final

from runferry.losses import Fate
from runferry.ports import Limits
from runferry.writers.plain_folder.kinds import KINDS

LIMITS: Final = Limits(
    holds=dict.fromkeys(KINDS, Fate.REENCODED) | {"scalar": Fate.KEPT},
    resend="atomic",
    null_step=Fate.REENCODED,  # natively the row's number
    falling_step=Fate.REENCODED,  # natively by step
    duplicate_point=Fate.REENCODED,  # natively the last value of a step
    repeated_step=Fate.REENCODED,  # the same
    source_order=Fate.REENCODED,  # natively by step
    time_unit_ns=1_000,
    finer_time=Fate.REENCODED,
    null_time=Fate.REENCODED,  # natively that of the value before
    null_value=Fate.REENCODED,  # natively no value
    number_kind=Fate.REENCODED,  # natively float32 and float64 are one
    run_id=Fate.REENCODED,
    key_path=Fate.REENCODED,
    series_facts=Fate.REENCODED,
    header_times=Fate.REENCODED,
    lineage=Fate.REENCODED,
)
