# SPDX-License-Identifier: Apache-2.0
"""OVSDB's file: the schema, then every transaction since, as ``ovsdb-client backup`` prints it and /etc/openvswitch/conf.db is. Pure.

The format is ovsdb(5)'s; ``_is_diff``, which it does not tell of, is of OVS 2.15 and later (their --disable-file-column-diff).
"""
from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Dict, Iterator, Mapping, NamedTuple

from ...errors import SluiceError
from .contents import Contents, RawRow

HEADER = re.compile(rb"OVSDB JSON ([1-9][0-9]*) ([0-9a-f]{40})\n")
DATABASE = "Open_vSwitch"
DEFAULTS = {"integer": 0, "real": 0.0, "boolean": False, "string": "", "uuid": ["uuid", "00000000-0000-0000-0000-000000000000"]}
"""RFC 7047 section 5.2.1."""


class _Type(NamedTuple):
    """A column's type, as far as the file's reader needs it."""

    default: Any
    is_composite: bool
    """May hold more than one element, so that a transaction may say only what changed of them."""


def contents_of_file(text: str) -> Contents:
    """Every row, with all its columns; raises SluiceError that names the line if a record is not whole or not right."""
    records = _records(text.encode("utf-8", "surrogateescape"))
    number, schema = next(records)
    types = _types(schema, number)
    tables: Dict[str, Dict[str, RawRow]] = {name: {} for name in types}
    for number, transaction in records:
        is_diff = bool(transaction.get("_is_diff"))
        for table, changes in transaction.items():
            if table.startswith("_"):
                continue
            if table not in types or not isinstance(changes, dict):
                raise SluiceError(f"read as a database file, line {number}: the schema has no table {table}")
            for uuid, change in changes.items():
                if change is None:
                    tables[table].pop(uuid, None)
                else:
                    tables[table][uuid] = _changed(tables[table].get(uuid), change, types[table], is_diff, f"line {number}: {table} {uuid}")
    return Contents({table: list(columns) for table, columns in types.items()}, tables)


def _records(data: bytes) -> Iterator[tuple[int, Dict[str, Any]]]:
    """Each record's line and content."""
    if not data.endswith(b"\n"):
        data += b"\n"  # Ansible takes the last one off what a command prints.
    position = len(data) - len(data.lstrip())
    line = 1 + data.count(b"\n", 0, position)
    while position < len(data):
        header = HEADER.match(data, position)
        if not header:
            raise SluiceError(f"read as a database file, line {line} is not the header of a record (OVSDB JSON, length, SHA-1)")
        length = int(header[1])
        content = data[header.end():header.end() + length]
        if len(content) < length:
            raise SluiceError(f"read as a database file, line {line}: the record has {length} bytes, but {len(content)} follow: the file is cut off")
        if hashlib.sha1(content, usedforsecurity=False).hexdigest() != header[2].decode():
            raise SluiceError(f"read as a database file, line {line + 1}: the record does not match its SHA-1: the file was changed after it was written")
        try:
            record = json.loads(content)
        except ValueError as error:
            raise SluiceError(f"read as a database file, line {line + 1}: the record is not JSON ({error})") from error
        if not isinstance(record, dict):
            raise SluiceError(f"read as a database file, line {line + 1}: the record is not a JSON object")
        yield line + 1, record
        position = header.end() + length
        line += 1 + content.count(b"\n")


def _types(schema: Mapping[str, Any], line: int) -> Dict[str, Dict[str, _Type]]:
    if schema.get("name") != DATABASE or not isinstance(schema.get("tables"), dict):
        raise SluiceError(f"read as a database file, line {line}: it is a database {schema.get('name')}, not {DATABASE}")
    return {table: {column: _type(spec["type"]) for column, spec in content["columns"].items()} for table, content in schema["tables"].items()}


def _type(spec: Any) -> _Type:
    """From a <type> of RFC 7047 section 3.2."""
    if isinstance(spec, str):
        return _Type(DEFAULTS[spec], False)
    is_composite = spec.get("max", 1) == "unlimited" or spec.get("max", 1) > 1
    if "value" in spec:
        return _Type(["map", []], is_composite)
    if spec.get("min", 1) == 0:
        return _Type(["set", []], is_composite)
    key = spec["key"]
    return _Type(DEFAULTS[key if isinstance(key, str) else key["type"]], is_composite)


def _changed(row: RawRow | None, change: Any, types: Mapping[str, _Type], is_diff: bool, place: str) -> RawRow:
    """A row after a transaction; None: it is new, and has defaults where nothing is said."""
    unknown = sorted(set(change) - set(types)) if isinstance(change, dict) else ["of any"]
    if unknown:
        raise SluiceError(f"read as a database file, {place}: the schema has no column {', '.join(unknown)}")
    if row is None:
        return {**{column: kind.default for column, kind in types.items()}, **change}
    return {**row, **{column: _with_difference(row[column], value) if is_diff and types[column].is_composite else value
                      for column, value in change.items()}}


def _with_difference(value: Any, difference: Any) -> Any:
    """A set or map with a difference applied: an element of both goes, a key of both with another value gets it, all else is added."""
    held = _elements(value)
    for element, content in _elements(difference).items():
        if element in held and held[element] == content:
            del held[element]
        else:
            held[element] = content
    is_map = "map" in (_kind(value), _kind(difference))
    atoms = [[_atom(element), _atom(content)] if is_map else _atom(element) for element, content in held.items()]
    return ["map" if is_map else "set", atoms]


def _elements(value: Any) -> Dict[Any, Any]:
    """Elements of a set, or keys of a map with their values, in a form that can be looked up."""
    kind = _kind(value)
    if kind == "map":
        return {_hashable(key): _hashable(content) for key, content in value[1]}
    return {_hashable(element): None for element in (value[1] if kind == "set" else [value])}


def _kind(value: Any) -> Any:
    return value[0] if isinstance(value, list) else None


def _hashable(atom: Any) -> Any:
    return tuple(atom) if isinstance(atom, list) else atom


def _atom(atom: Any) -> Any:
    return list(atom) if isinstance(atom, tuple) else atom
