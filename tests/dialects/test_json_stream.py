"""A document walked piece by piece says what it says as a whole."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runferry.dialects import json_stream
from runferry.dialects.json_stream import BrokenJson, JsonStream
from runferry.dialects.json_trees import JsonNotes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def walked(content: bytes, notes: JsonNotes | None = None) -> Any:
    """The document, every list and mapping of it walked into."""
    stream = JsonStream(io.BytesIO(content), notes or JsonNotes())
    found = _walk(stream)
    stream.end()
    return found


def walked_once(content: bytes) -> None:
    stream = JsonStream(io.BytesIO(content), JsonNotes())
    if stream.is_at("["):
        for _ in stream.items():
            stream.value()
    else:
        stream.value()
    stream.end()


def _walk(stream: JsonStream) -> Any:
    if stream.is_at("{"):
        return {key: _walk(stream) for key in stream.members()}
    if stream.is_at("["):
        return [_walk(stream) for _ in stream.items()]
    return stream.value()


@pytest.fixture(params=[1, 7, 1 << 18])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(json_stream, "_PIECE", request.param)
    return int(request.param)


@settings(max_examples=60)
@given(VALUES, st.sampled_from([None, 2]), st.booleans(), st.sampled_from([1, 3, 1000]))
def test_walked_value_by_value_it_is_the_document(
    value: Any, indent: int | None, ascii_only: bool, size: int
) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(json_stream, "_PIECE", size)
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
        content = text.encode("utf-8", "surrogatepass")
        if "\\ud" not in text:
            assert walked(content) == json.loads(text)
            if isinstance(value, list):
                many = JsonStream(io.BytesIO(content), JsonNotes()).many_items()
                assert [item for items in many for item in items] == json.loads(text)
        stream = JsonStream(io.BytesIO(content), JsonNotes())
        stream.skip()
        assert stream.offset == len(content)
    finally:
        patch.undo()


def test_what_stands_before_a_cut_is_read_and_the_place_told(piece: int) -> None:
    content = json.dumps([{"a": n, "é": "ü" * 5} for n in range(20)], ensure_ascii=False).encode()
    for length in range(1, len(content)):
        stream = JsonStream(io.BytesIO(content[:length]), JsonNotes())
        rows: list[Any] = []
        with pytest.raises(BrokenJson) as caught:
            rows.extend(stream.value() for _ in stream.items())
        whole = json.loads(content)
        assert rows == whole[: len(rows)]
        assert caught.value.is_cut
        assert caught.value.offset <= length


@settings(max_examples=100)
@given(
    st.lists(st.one_of(st.floats(allow_nan=False), st.text('[]{},\\"ab', max_size=4), st.none())),
    st.sampled_from([None, 2]),
    st.sampled_from([1, 5, 1000]),
)
def test_items_many_at_a_time_are_the_items(
    value: list[Any], indent: int | None, size: int
) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(json_stream, "_PIECE", size)
    try:
        content = json.dumps({"a": value, "b": 1}, indent=indent).encode()
        stream = JsonStream(io.BytesIO(content), JsonNotes())
        found = {}
        for key in stream.members():
            if stream.is_at("["):
                found[key] = [item for items in stream.many_items() for item in items]
            else:
                stream.skip()
        assert found == {"a": value}
        stream.end()
    finally:
        patch.undo()


def test_a_number_that_the_end_may_have_cut_is_not_taken(piece: int) -> None:
    stream = JsonStream(io.BytesIO(b"[1.25, 3.1"), JsonNotes())
    rows: list[Any] = []
    with pytest.raises(BrokenJson) as caught:
        rows.extend(stream.value() for _ in stream.items())
    assert (rows, caught.value.is_cut, caught.value.offset) == ([1.25], True, 7)


def test_constants_and_integers_are_what_python_writes(piece: int) -> None:
    notes = JsonNotes()
    found = walked(b'{"a": [NaN, Infinity, -Infinity], "b": ' + b"9" * 5000 + b', "c": 123}', notes)
    assert str(found["a"]) == "[nan, inf, -inf]"
    assert found["b"] == "9" * 5000
    assert found["c"] == 123
    assert notes.long_integers == 1


def test_numbers_that_no_double_holds_stay_texts_and_are_counted() -> None:
    notes = JsonNotes()
    content = b"[1e400, -1e400, 1e-400, 0.0, -0e5, 0.10, 5e-324]"
    assert walked(content, notes) == ["1e400", "-1e400", "1e-400", 0.0, -0.0, 0.1, 5e-324]
    assert notes.beyond_double == 3


def test_keys_that_come_again_are_counted() -> None:
    notes = JsonNotes()
    stream = JsonStream(io.BytesIO(b'[{"a": 1, "a": 2, "b": {"c": 1, "c": 1}}]'), notes)
    assert [stream.value() for _ in stream.items()] == [{"a": 2, "b": {"c": 1}}]
    assert notes.repeated_keys == 2


def test_bytes_that_are_no_utf8_are_replaced_and_counted(piece: int) -> None:
    notes = JsonNotes()
    assert walked(b'\xef\xbb\xbf["a\xffb", "\\ud800", "\xc3\xa9"]', notes) == ["a�b", "�", "é"]
    assert notes.halves == 2


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"a":' * 50_000, b"[1 2]", b'{"a" 1}', b"[1,]", b"{1: 2}", b"", b"[1] 2"],
)
def test_what_is_no_json_is_an_error_and_no_crash(content: bytes) -> None:
    with pytest.raises(BrokenJson):
        walked_once(content)


def test_an_error_near_the_beginning_does_not_read_the_whole_file() -> None:
    content = io.BytesIO(b"[nope, " + b" " * (8 << 20))
    stream = JsonStream(content, JsonNotes())
    with pytest.raises(BrokenJson):
        [stream.value() for _ in stream.items()]
    assert content.tell() <= 2 << 20
