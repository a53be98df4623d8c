# SPDX-License-Identifier: Apache-2.0
"""Changes as ovs-vsctl commands, for people to read and to run by hand (ovs-vsctl(8)), less secrets, which have to be put in."""
from __future__ import annotations

import json
import re
import shlex
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from .record import Record, Row
from .schema import CHILDREN, COLUMNS, TABLES, Child, Column
from .secrets import hidden
from .values import EMPTY_VALUES, Value

BARE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
"""What ovs-vsctl(8) reads as a string without quotes, whatever stands around it."""
NAMED = ("Open_vSwitch", "Bridge", "Port", "Interface")
"""Tables whose rows ovs-vsctl finds by their names here."""


def insert(parent: Row, child: Child, key: Any, record: Record) -> str:
    """Makes a row with all that belongs to it; of a bridge's, its local port."""
    name = record.row.name
    if child.key == "bridges":
        local = record.of("ports")[name]
        return _chain([["add-br", name], *_set(record), *_set(local), *_set(local.of("interfaces")[name], but=("type",))])
    if child.key == "ports" and list(record.of("interfaces")) == [name]:
        interface = record.of("interfaces")[name]
        return _chain([["add-port", parent.name, name], *_set(record), *_set(interface), *_children(record, CHILDREN["Port"]["qos"])])
    return _chain(list(_create_in(parent, child, key, record, _Ids())))


def remove(parent: Row, child: Child, key: Any, record: Record, is_deleted: bool) -> str:
    """Takes a row out; with ``is_deleted``, it would stay nevertheless."""
    name, row = record.row.name, record.row
    parts: List[List[str]] = []
    if child.key == "bridges":
        parts = [["del-br", name]]
    elif child.key == "ports":
        parts = [["del-port", parent.name, name]]
    elif child.column:
        parts = [["remove", *_where(parent), child.column, str(key) if child.shape == "map" else row.uuid]]
    return _chain(parts + ([["destroy", row.table, row.uuid]] if is_deleted else []))


def destroy(row: Row) -> str:
    """Deletes a row to which nothing refers."""
    return _chain([["destroy", row.table, row.uuid]])


def move(port: Row, source: Row, target: Row) -> str:
    """Moves a port as it is."""
    return _chain([["remove", "Bridge", source.name, "ports", port.uuid], ["add", "Bridge", target.name, "ports", port.uuid]])


def set_column(row: Row, column: Column, old: Value, new: Value) -> str:
    """Gives a column of a row another value."""
    where = _where(row)
    if isinstance(new, dict) and isinstance(old, dict):
        gone, put = map_difference(old, new)
        parts = [["remove", *where, column.name, *(_text(key) for key in gone)]] if gone else []
        return _chain(parts + ([["set", *where, *_assignments(row.table, {column.name: put}, _Ids())[1]]] if put else []))
    if new is None or new == ():
        return _chain([["clear", *where, column.name]])
    ids = _Ids()
    gets, assignments = _assignments(row.table, {column.name: new}, ids)
    return _chain([*gets, ["set", *where, *(assignments or [f"{column.name}={_text(new)}"])]])


def map_difference(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Tuple[List[Any], Dict[Any, Any]]:
    """The keys that go, and the pairs that come or change."""
    return sorted(set(old) - set(new)), {key: new[key] for key in sorted(new) if old.get(key) != new[key]}


class _Ids:
    """Names for the rows that one chain of commands makes."""

    def __init__(self) -> None:
        self._made = 0

    def next(self, table: str) -> str:
        self._made += 1
        return f"@{table.lower()}{self._made}"


def _children(record: Record, child: Child) -> Iterator[List[str]]:
    ids = _Ids()
    for key, item in record.of(child.key).items():
        yield from _create_in(record.row, child, key, item, ids)


def _create_in(parent: Row, child: Child, key: Any, record: Record, ids: _Ids) -> Iterator[List[str]]:
    """Makes a row, and puts it into an existing one."""
    made: List[List[str]] = []
    name = _create(child, key, record, ids, made, parent)
    yield from made
    if child.column:
        yield ["set" if child.shape == "single" else "add", *_where(parent),
               *([f"{child.column}={name}"] if child.shape == "single" else [child.column, f"{_text(key)}={name}" if child.shape == "map" else name])]


def _create(child: Child, key: Any, record: Record, ids: _Ids, made: List[List[str]], parent: Row) -> str:
    """Appends the commands that make the row and those below it; gives the name that they know it by."""
    below = []
    for kind in TABLES[record.row.table].children:
        created = [(at, _create(kind, at, item, ids, made, record.row)) for at, item in record.of(kind.key).items()]
        if kind.shape == "map":
            below += [f"{kind.column}:{_text(at)}={name}" for at, name in created]
        elif created:
            below.append(f"{kind.column}={','.join(name for _at, name in created)}")
    gets, assignments = _assignments(record.row.table, record.values, ids)
    made += gets
    name = ids.next(record.row.table)
    if child.back:
        bridge = ids.next("Bridge")
        made.append([f"--id={bridge}", "get", "Bridge", parent.name])
        below.append(f"{child.back}={bridge}")
    told_apart = [f"{child.by}={_text(key)}"] if child.shape == "list" else []
    # ovs-vsctl's create takes no row without a column; the last of each table is a map.
    nothing = [f"{TABLES[record.row.table].columns[-1].name}={{}}"]
    made.append([f"--id={name}", "create", record.row.table, *([*told_apart, *assignments, *below] or nothing)])
    return name


def _set(record: Record, but: Sequence[str] = ()) -> List[List[str]]:
    gets, assignments = _assignments(record.row.table, {name: value for name, value in record.values.items() if name not in but}, _Ids())
    return [*gets, ["set", *_where(record.row), *assignments]] if assignments else []


def _assignments(table: str, values: Mapping[str, Value], ids: _Ids) -> Tuple[List[List[str]], List[str]]:
    """``column=value`` or ``column:key=value`` for everything that is not empty, and the commands that find the rows named in them."""
    gets: List[List[str]] = []
    result: List[str] = []
    for column, value in values.items():
        if value == EMPTY_VALUES[table][column]:
            continue
        refers = COLUMNS[table][column].refers
        if isinstance(value, dict):
            result += [f"{column}:{_text(key)}={_text(item)}" for key, item in sorted(hidden(table, column, value).items())]
        elif refers:
            found = []
            for name in value if isinstance(value, tuple) else (value,):
                found.append(ids.next(refers))
                gets.append([f"--id={found[-1]}", "get", refers, str(name)])
            result.append(f"{column}={','.join(found)}")
        else:
            result.append(f"{column}={','.join(_text(item) for item in value) if isinstance(value, tuple) else _text(value)}")
    return gets, result


def _where(row: Row) -> List[str]:
    return [row.table, row.name if row.table in NAMED else row.uuid]


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if isinstance(value, int) or BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _chain(parts: List[List[str]]) -> str:
    return " -- ".join(shlex.join(part) for part in parts)
