"""Every name that we give is one that MLflow's own validation takes; the vendor's code is judge."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import (
    _validate_metric_name,
    _validate_param_name,
    _validate_tag_name,
)

from runferry.dialects.mlflow.points import native_key
from runferry.dialects.mlflow.tags import is_key, label_tag
from runferry.transfer.names import rename
from runferry.writers.mlflow.limits import LIMITS

UPWARD = ("..a", "..é", ".. x", "...", "a/../b", "..", "../a", "/a", "a//b", "a/", "./a", ".")
names = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="./a é~\n:-", max_size=12),
    st.sampled_from(UPWARD),
)


@given(st.lists(names, min_size=1, max_size=8, unique=True))
@example(list(UPWARD))
def test_what_a_series_or_an_attribute_is_called_is_a_name_to_mlflow(keys: list[str]) -> None:
    for name in rename(keys, LIMITS.series_key).values():
        _validate_metric_name(native_key(name, "user"))
        _validate_metric_name(native_key(name, "system"))
    for name in rename(keys, LIMITS.attribute_key).values():
        _validate_param_name(name)


@given(names)
@example("..a")
@example(".. x")
@example("mlflow.user")
def test_every_label_has_a_tag_that_mlflow_takes(label: str) -> None:
    _validate_tag_name(label_tag(label))


@given(names)
@example("..é")
def test_a_key_is_what_mlflow_takes_for_one(name: str) -> None:
    if is_key(name):
        _validate_metric_name(name)
        _validate_param_name(name)
        _validate_tag_name(name)
    elif not name.endswith("\n"):  # the vendor's pattern lets one line feed through
        with pytest.raises(MlflowException):
            _validate_tag_name(name)
