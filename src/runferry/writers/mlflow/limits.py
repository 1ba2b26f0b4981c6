"""What MLflow can hold, with a bundle beside each run that restores the rest exactly."""

from __future__ import annotations

from typing import Final

from runferry.dialects.mlflow.points import SYSTEM_PREFIX
from runferry.dialects.mlflow.tags import KEY_CHARACTER, MAX_KEY, MAX_PARAM, UPWARD
from runferry.losses import Fate
from runferry.ports import KeyRule, Limits

_FORMS: Final = (
    "text", "histogram", "console", "artifact", "document", "raw", "summary", "environment",
    "other", "image", "audio", "video", "table", "plot", "html", "object3d", "molecule", "file",
)  # fmt: skip

_METRIC: Final = KeyRule(
    max_length=MAX_KEY - len(SYSTEM_PREFIX),
    allowed=KEY_CHARACTER,
    forbidden=("//",),
    reserved_prefixes=(SYSTEM_PREFIX, UPWARD),  # the first is where MLflow shows system metrics
    must_be_path=True,
)
_PARAM: Final = KeyRule(
    max_length=MAX_KEY,
    allowed=KEY_CHARACTER,
    forbidden=("//",),
    reserved_prefixes=(UPWARD,),
    must_be_path=True,
)

LIMITS: Final = Limits(
    holds={"scalar": Fate.KEPT, "config": Fate.KEPT} | dict.fromkeys(_FORMS, Fate.REENCODED),
    resend="harmless",
    series_key=_METRIC,
    attribute_key=_PARAM,
    null_step=Fate.REENCODED,  # natively the row's number
    fractional_step=Fate.REENCODED,  # natively its floor
    duplicate_point=Fate.REENCODED,  # natively one row
    source_order=Fate.REENCODED,
    time_unit_ns=1_000_000,
    finer_time=Fate.REENCODED,
    null_time=Fate.REENCODED,  # natively 1970
    negative_time=Fate.REENCODED,  # the same
    infinity=Fate.REENCODED,  # natively the largest float
    null_value=Fate.REENCODED,  # natively NaN
    inexact_int=Fate.REENCODED,
    number_kind=Fate.REENCODED,
    attribute_type=Fate.REENCODED,  # natively a string
    max_attribute_length=MAX_PARAM,
    long_attribute=Fate.REENCODED,  # natively cut
    run_id=Fate.REENCODED,
    key_path=Fate.REENCODED,
    series_facts=Fate.REENCODED,
    header_times=Fate.REENCODED,  # natively in ms, from 1970 on
    lineage=Fate.REENCODED,
)
