# SPDX-License-Identifier: Apache-2.0
"""The changes from one switch state to another: pure, and in a stable order."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from ...errors import InputError
from .changes import (
    AddBridge,
    AddInterface,
    AddPort,
    Change,
    DeleteBridge,
    DeleteInterface,
    DeletePort,
    ForgetTable,
    MovePort,
    NameTable,
    SetColumn,
)
from .columns import Values
from .config import WantedSwitch
from .conflicts import conflicts
from .database import Bridge, Port, Row, Switch
from .describe import managed
from .target import removal, target


class Plan(NamedTuple):
    """What a run is about to do, and to what it leads."""

    changes: Tuple[Change, ...]
    before: Dict[str, Any]
    """What is there of all that the run manages, in the shape of ``config``."""
    after: Dict[str, Any]
    """What will be there of the same."""


def plan(want: WantedSwitch, have: Switch, state: str, owner: str) -> Plan:
    """What leads from ``have`` to ``want``; no changes if it is there already.

    merged: what is named exists, with the values given. overridden: also, what ``owner`` created and ``want`` does not name goes.
    deleted: what is named goes if ``owner`` created it; naming nothing means all of it. What ``owner`` did not create never goes.
    Raises InputError, with all reasons, where ``have`` does not allow it.
    """
    gone = removal(want, have, state, owner)
    problems = list(conflicts(want, have, gone, state, owner))
    if problems:
        raise InputError(problems)
    goal = target(want, have, gone, state, owner)
    shown = WantedSwitch(want.values) if state == "deleted" else want
    changes, before = tuple(difference(have, goal)), managed(have, shown, gone)
    return Plan(changes, before, managed(goal, shown, gone) if changes else before)


def difference(have: Switch, goal: Switch) -> Iterator[Change]:
    """The changes from ``have`` to ``goal``; a row of ``goal`` that has a UUID is the one of ``have``."""
    yield from _columns(have.row, have.values, goal.values)
    places = {port: name for name, bridge in goal.bridges.items() for port, item in bridge.ports.items() if item.row.uuid}
    for name, bridge in have.bridges.items():
        if name in goal.bridges:
            yield from (DeletePort(bridge.row, port) for port in bridge.ports.values() if port.row.name not in places)
    yield from (DeleteBridge(have.row, bridge) for name, bridge in have.bridges.items() if name not in goal.bridges)
    origin = {port: bridge for bridge in have.bridges.values() for port in bridge.ports}
    for name, bridge in goal.bridges.items():
        yield from _bridge(have.bridges.get(name), bridge, have.row, origin)


def _bridge(have: Bridge | None, goal: Bridge, switch: Row, origin: Dict[str, Bridge]) -> Iterator[Change]:
    row = goal.row
    if have:
        yield from _columns(row, have.values, goal.values)
    else:
        yield AddBridge(switch, goal)
    tables = have.flow_tables if have else {}
    yield from (ForgetTable(row, number, tables) for number in tables if number not in goal.flow_tables)
    for number, table in goal.flow_tables.items():
        if number not in tables:
            yield NameTable(row, number, table, tables)
        elif tables[number].name != table.name:
            yield SetColumn(tables[number].row, "name", tables[number].name, table.name)
    for name, port in goal.ports.items():
        if port.row.uuid:
            source = origin[name]
            if source.row.name != row.name:
                yield MovePort(port, source, row)
            yield from _port(source.ports[name], port)
        elif name != row.name:
            yield AddPort(row, port)


def _port(have: Port, goal: Port) -> List[Change]:
    changes: List[Change] = list(_columns(have.row, have.values, goal.values))
    changes += [DeleteInterface(have.row, item) for name, item in have.interfaces.items() if name not in goal.interfaces]
    for name, item in goal.interfaces.items():
        if item.row.uuid:
            changes += _columns(item.row, have.interfaces[name].values, item.values)
        else:
            changes.append(AddInterface(have.row, item))
    return changes


def _columns(row: Row, have: Values, goal: Values) -> Iterator[Change]:
    return (SetColumn(row, column, have[column], value) for column, value in goal.items() if value != have[column])
