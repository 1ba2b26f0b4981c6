"""Gives series the keys back that they had before a push renamed them for a destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pyarrow as pa

from runferry import chunks
from runferry.chunks import Chunk
from runferry.model import Series


def restored(source: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks under their original names; series are declared before their rows."""
    keys: dict[str, str] = {}
    for chunk in source:
        match chunk:
            case chunks.SeriesFacts(items):
                keys |= {series.key: original(series).key for series in items}
                yield chunks.SeriesFacts(tuple(_restored(series, keys) for series in items))
            case chunks.Points(batch):
                yield chunks.Points(renamed(batch, keys))
            case chunks.Texts(batch):
                yield chunks.Texts(renamed(batch, keys))
            case chunks.Histograms(batch):
                yield chunks.Histograms(renamed(batch, keys))
            case chunks.Media(items):
                named = (replace(item, key=keys.get(item.key, item.key)) for item in items)
                yield chunks.Media(tuple(named))
            case chunks.Attributes(items, is_whole):
                plain = (replace(item, name=None) for item in items)
                yield chunks.Attributes(tuple(plain), is_whole)
            case _:
                yield chunk


def _restored(series: Series, keys: Mapping[str, str]) -> Series:
    axis = series.x_axis
    return replace(original(series), x_axis=None if axis is None else keys.get(axis, axis))


def original(series: Series) -> Series:
    """The series as it was before it was renamed."""
    return replace(series, key=series.original_key or series.key, original_key=None)


def renamed(batch: pa.RecordBatch, keys: Mapping[str, str]) -> pa.RecordBatch:
    """The batch with its keys replaced; a key that is not in `keys` stays."""
    index = batch.schema.get_field_index("key")
    column = batch.column(index)
    names = column.dictionary.to_pylist()
    if all(keys.get(name, name) == name for name in names):
        return batch
    dictionary = pa.array([keys.get(name, name) for name in names], pa.string())
    replaced = pa.DictionaryArray.from_arrays(column.indices, dictionary)
    return batch.set_column(index, batch.schema.field(index), replaced)
