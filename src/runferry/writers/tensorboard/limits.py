"""What event files hold: all of it, though TensorBoard has no place to show some."""

from __future__ import annotations

from typing import Final

from runferry.losses import Fate
from runferry.ports import KeyRule, Limits

_SHOWN: Final = ("text", "histogram", "image", "audio", "config")
_KEPT_BESIDE: Final = (
    "scalar",  # shown as floats of 32 bits: the data server of TensorBoard shows no others
    "summary", "environment", "other", "console", "file", "artifact", "document", "raw",
    "video", "table", "plot", "html", "object3d", "molecule",
)  # fmt: skip

_TAG: Final = KeyRule(
    reserved=("custom_scalars__config__",),
    reserved_prefixes=("runferry/", "_hparams_/"),
)

LIMITS: Final = Limits(
    holds=dict.fromkeys(_SHOWN, Fate.KEPT) | dict.fromkeys(_KEPT_BESIDE, Fate.REENCODED),
    resend="continue",
    replaces_complete=True,
    series_key=_TAG,
    run_id=Fate.REENCODED,
    # what TensorBoard shows of these is close; our own field in each event says the rest
    null_step=Fate.REENCODED,  # shown at the row's number
    fractional_step=Fate.REENCODED,  # shown at its floor
    null_time=Fate.REENCODED,  # shown at the time before it
    null_value=Fate.REENCODED,  # shown as NaN
    inexact_int=Fate.REENCODED,  # shown as the nearest float
    number_kind=Fate.REENCODED,  # shown as floats
    attribute_type=Fate.REENCODED,  # hparams are numbers, truth values and texts
    key_path=Fate.REENCODED,
    series_facts=Fate.REENCODED,
    stream=Fate.REENCODED,
    header_times=Fate.REENCODED,
    lineage=Fate.REENCODED,
)
