# SPDX-License-Identifier: Apache-2.0
"""What ``ovs-vsctl show`` prints, as ``config``. Pure.

It shows little of a switch (ovs-vsctl(8)): bridges with controllers, fail mode and datapath, ports with VLANs, interfaces with type and
options, managers. All else, external_ids first of all, is not in it, and so not in what this gives.
"""
from __future__ import annotations

import json
import re
from typing import Any, Dict, List, NamedTuple

from ...errors import SluiceError
from .schema import COLUMNS, TABLES, Child, Column
from .secrets import hidden

Config = Dict[str, Any]

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Of the Open_vSwitch row, which it begins with."""
ATOM = r'"(?:[^"\\]|\\.)*"|[^\s,={}\[\]"]+'
"""A string is quoted as in JSON unless it looks like a word (ovs-vsctl(8), "Database Values")."""
OBJECT = re.compile(rf"([A-Z]\w*) ({ATOM})")
PROPERTY = re.compile(r"(\w+): (.*)")
INDENT = 4


class _Place(NamedTuple):
    """An object that lines further in are about."""

    table: str
    config: Config


def config_from_show(text: str) -> Config:
    """The part of ``config`` that is shown; raises SluiceError that names the line which is not as ovs-vsctl prints it."""
    places = [_Place("Open_vSwitch", {"bridges": []})]
    for number, line in enumerate(text.split("\n"), 1):  # Not splitlines(), to which more than a newline ends a line.
        content = line.strip()
        if not content or (UUID.fullmatch(content) and len(places) == 1):
            continue
        depth, rest = divmod(len(line) - len(line.lstrip(" ")), INDENT)
        shown, told = OBJECT.fullmatch(content), PROPERTY.fullmatch(content)
        if rest or not 1 <= depth <= len(places) or not (shown or told):
            raise _error(number)
        del places[depth:]
        if shown:
            places.append(_opened(places[-1], shown[1], shown[2], number))
        elif told:
            column = COLUMNS[places[-1].table].get(told[1])
            if column:  # All else is status, as error, is_connected and ovs_version are.
                places[-1].config[column.name] = hidden(places[-1].table, column.name, _value(column, told[2], number))
    return _sorted(places[0])


def _opened(parent: _Place, table: str, name: str, number: int) -> _Place:
    child = _child(parent, table)
    if child is None:
        raise _error(number)
    opened = _Place(table, {child.by: _atom(name, str, number)})
    parent.config.setdefault(child.key, []).append(opened.config)
    return opened


def _child(parent: _Place, table: str) -> Child | None:
    return next((child for child in TABLES[parent.table].children if child.table == table and child.shape == "list"), None)


def _value(column: Column, text: str, number: int) -> Any:
    """A column's value as it is in ``config``."""
    atoms: List[str] = re.findall(ATOM, text)
    if "map" in column.kind:
        pairs = dict(zip(atoms[::2], atoms[1::2]))
        if text != "{" + ", ".join(f"{key}={value}" for key, value in pairs.items()) + "}":
            raise _error(number)
        return {_atom(key, str, number): _atom(value, column.atom, number) for key, value in pairs.items()}
    if text.startswith("["):
        if text != f"[{', '.join(atoms)}]":
            raise _error(number)
        return [_atom(atom, column.atom, number) for atom in atoms]
    if atoms != [text]:
        raise _error(number)
    value = _atom(text, column.atom, number)
    return [value] if column.kind == "set" else value


def _atom(text: str, kind: type, number: int) -> Any:
    try:
        value = json.loads(text) if text.startswith('"') or kind in (int, bool) else text
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise _error(number)
    return value


def _sorted(place: _Place) -> Config:
    """With the order that a switch read from its database has, as ovs-vsctl shows rows in none."""
    for child in TABLES[place.table].children:
        if child.key in place.config:
            children = [_sorted(_Place(child.table, item)) for item in place.config[child.key]]
            place.config[child.key] = sorted(children, key=lambda item, by=child.by: str(item[by]))  # type: ignore[misc]
    return place.config


def _error(number: int) -> SluiceError:
    """Without what the line has in it, which may be a tunnel's pre-shared key."""
    return SluiceError(f"read as what ovs-vsctl show prints, line {number} is not as ovs-vsctl prints it")
