"""Values as sacred's serializer writes them: jsonpickle's forms, none of them unpickled."""

from __future__ import annotations

from dataclasses import dataclass

from runferry.model import Tree

_SCALARS = {"bool", "bool_", "float16", "float32", "float64", "longlong", "ulonglong"}
_SCALARS |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_ARRAY = "numpy.ndarray"


@dataclass
class Decoded:
    """What was met while values were decoded."""

    numpy: int = 0  # which became plain numbers and lists
    objects: int = 0  # of Python, which are kept as their trees


def decoded(value: Tree, met: Decoded) -> Tree:
    """The value with numpy's plain scalars and arrays as numbers and lists, all else as it is."""
    if isinstance(value, list):
        return [decoded(item, met) for item in value]
    if not isinstance(value, dict):
        return value
    plain = _plain(value)
    if plain is not None:
        met.numpy += 1
        return plain[0]
    met.objects += any(name.startswith("py/") for name in value)
    return {name: decoded(item, met) for name, item in value.items()}


def _plain(value: dict[str, Tree]) -> tuple[Tree] | None:
    """A scalar or an array of jsonpickle's handler for numpy, with its values as plain JSON."""
    kind, dtype = value.get("py/object"), value.get("dtype")
    if not isinstance(kind, str) or not isinstance(dtype, str) or dtype not in _SCALARS:
        return None
    if kind == f"numpy.{dtype}" and set(value) == {"py/object", "dtype", "value"}:
        number = value["value"]
        return (number,) if isinstance(number, (bool, int, float)) else None
    rest = set(value) - {"py/object", "dtype", "values", "shape", "base", "order"}
    values = value.get("values")
    if kind == _ARRAY and not rest and isinstance(values, list) and _is_numbers(values):
        return (values,)
    return None


def _is_numbers(values: list[Tree]) -> bool:
    return all(
        _is_numbers(item) if isinstance(item, list) else isinstance(item, (bool, int, float))
        for item in values
    )
