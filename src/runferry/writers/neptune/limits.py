"""What Neptune can hold, with the exact run beside it."""

from __future__ import annotations

from typing import Final

from runferry.dialects.neptune.steps import MOST
from runferry.losses import Fate
from runferry.ports import Limits
from runferry.writers.plain_folder.kinds import KINDS

MAX_STRING: Final = 16_384
MAX_LINE: Final = 1_000
"""Characters that the client cuts a string, and one of a series, to (neptune 1.14, `types`)."""

LIMITS: Final = Limits(
    holds=dict.fromkeys(KINDS, Fate.REENCODED) | {"scalar": Fate.KEPT},
    resend="atomic",
    null_step=Fate.REENCODED,  # natively the row's number
    falling_step=Fate.REENCODED,  # natively kept in the archive; a server takes rising ones only
    duplicate_point=Fate.REENCODED,  # the same
    max_step=MOST,
    step_beyond=Fate.REENCODED,  # natively the largest
    source_order=Fate.REENCODED,
    time_unit_ns=1_000_000,
    finer_time=Fate.REENCODED,
    null_time=Fate.REENCODED,  # natively none in the archive; the client takes the moment
    nan=Fate.REENCODED,  # natively NaN in the archive, which loaders drop, as the client does
    infinity=Fate.REENCODED,  # the same
    null_value=Fate.REENCODED,  # natively no row
    inexact_int=Fate.REENCODED,
    number_kind=Fate.REENCODED,
    attribute_type=Fate.REENCODED,  # natively a string, where Neptune has no such type
    max_attribute_length=MAX_STRING,
    long_attribute=Fate.REENCODED,  # natively whole in the archive, cut by the client
    max_text_length=MAX_LINE,
    long_text=Fate.REENCODED,  # the same
    run_id=Fate.REENCODED,
    key_path=Fate.REENCODED,
    series_facts=Fate.REENCODED,
    stream=Fate.REENCODED,
    header_times=Fate.REENCODED,
    lineage=Fate.REENCODED,
)
