# SPDX-License-Identifier: Apache-2.0
"""Values of OVSDB columns as Python has them, and as the protocol writes them (RFC 7047 section 5.1)."""
from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Tuple, Union, cast

from .schema import COLUMNS, TABLES, Column

Atom = Union[str, int, bool]
Value = Union[None, Atom, Tuple[Atom, ...], Dict[Any, Any]]
"""A scalar, an optional scalar, a sorted set or a map, as a column holds it. What a column refers to stands in it by name."""
Values = Mapping[str, Value]
"""Column name to value."""


def from_ovsdb(value: Any) -> Any:
    """RFC 7047's <value> as Python: sets become sorted tuples, maps dicts, UUIDs their text."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "uuid":
        return content
    if kind == "set":
        return tuple(sorted(_atom(item) for item in content))
    return {key: _atom(item) for key, item in content}


def _atom(value: Any) -> Any:
    return value[1] if isinstance(value, list) else value


def to_ovsdb(value: Any) -> Any:
    """The inverse of :func:`from_ovsdb` for what is not a UUID."""
    if value is None:
        return ["set", []]
    if isinstance(value, tuple):
        return ["set", list(value)]
    if isinstance(value, dict):
        return ["map", [[key, item] for key, item in value.items()]]
    return value


def column_value(column: Column, raw: Any) -> Any:
    """A column's value in one form: OVSDB writes a set of one as the bare atom, and an absent optional as the empty set."""
    value = from_ovsdb(raw)
    if column.kind == "optional":
        return None if value == () else value
    if column.kind == "set":
        return value if isinstance(value, tuple) else (value,)
    return value


def references(raw: Any) -> Tuple[str, ...]:
    """The UUIDs, or other atoms, in a set."""
    value = from_ovsdb(raw)
    return value if isinstance(value, tuple) else (value,)


def names(value: Value, name: Callable[[Any], Any]) -> Any:
    """A value of a column that refers to rows, with each of them named otherwise, and sorted by that: in another order it would be another value."""
    if isinstance(value, tuple):
        return tuple(sorted(name(item) for item in value))
    return None if value is None else name(value)


def empty(column: Column) -> Value:
    """What a column holds in a new row."""
    if "map" in column.kind:
        return {}
    if column.kind == "set":
        return ()
    return None if column.kind == "optional" else cast(Atom, column.atom())


EMPTY_VALUES: Mapping[str, Values] = {table: {column.name: empty(column) for column in TABLES[table].columns} for table in COLUMNS}
"""By table, what a row holds of which nothing is known."""
