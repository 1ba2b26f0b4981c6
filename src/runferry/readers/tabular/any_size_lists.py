"""Parquet files with lists of one fixed size, opened as if these could have any size.

Parquet has no lists of a fixed size: that they are is said by the Arrow schema in the footer, under
the key `ARROW:schema` (an IPC message in base64; cpp/src/parquet/arrow/writer.cc). Arrow goes by it
when it reads, and then cannot decode a column in which a list is null. So the file is opened by a
footer whose schema says lists of any size. Upstream: https://github.com/apache/arrow/issues/35692;
to be removed when the oldest pyarrow that is allowed reads such columns.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runferry.readers.tabular.nested_types import with_parts

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_MAGIC = b"PAR1"
_TAIL = 8  # bytes behind the footer: its length, u32, and the magic
_VALUE = b"\x18"  # of Thrift's compact protocol: the next field, bytes
_ENTRY = b"\x18\x0cARROW:schema" + _VALUE  # of KeyValue: the key's length and the key


def has_fixed_lists(schema: pa.Schema) -> bool:
    """Whether any column is, or holds, lists of a fixed size."""
    return any(_widened(field.type) != field.type for field in schema)


def metadata_of_any_lists(path: Path) -> pq.FileMetaData | None:
    """The file's metadata, in which lists have any size; None where no Arrow schema is stored."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as stream:
        size = stream.seek(-_TAIL, 2)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(size - length)
        footer = stream.read(length)
    before, found, rest = footer.partition(_ENTRY)
    if not found:
        return None
    begin, count = _varint(rest)
    stored = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(rest[begin : begin + count])))
    widened = pa.schema(
        [field.with_type(_widened(field.type)) for field in stored], metadata=stored.metadata
    )
    text = base64.b64encode(widened.serialize().to_pybytes())
    footer = before + found + _as_varint(len(text)) + text + rest[begin + count :]
    whole = _MAGIC + footer + len(footer).to_bytes(4, "little") + _MAGIC
    return pq.read_metadata(pa.BufferReader(whole))


def _widened(kind: Any) -> Any:
    """The type with lists of any size in place of those of one size."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        storage = _widened(kind.storage_type)
        return kind if storage == kind.storage_type else storage
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_widened(kind.value_type)))
    return with_parts(kind, _widened)


def _varint(content: bytes) -> tuple[int, int]:
    """Where the number ends that these bytes begin with, and the number."""
    number = 0
    for place, byte in enumerate(content):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return place + 1, number
    raise ValueError("a number without an end")


def _as_varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
