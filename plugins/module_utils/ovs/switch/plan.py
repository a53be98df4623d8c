# SPDX-License-Identifier: Apache-2.0
"""The changes from one switch state to another: pure, and in a stable order."""
from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ...errors import InputError
from .changes import Change, Destroy, Insert, MovePort, Remove, SetColumn
from .conflicts import conflicts
from .describe import managed
from .record import Record, Row, Switch, owner_of
from .schema import COLUMNS, PORTS, TABLES, Child
from .target import Intent, target
from .transaction import Transaction


class Plan(NamedTuple):
    """What a run is about to do, and to what it leads."""

    changes: Tuple[Change, ...]
    have: Switch
    goal: Switch
    before: Dict[str, Any]
    """What is there of all that the run manages, in the shape of ``config``."""
    after: Dict[str, Any]
    """What will be there of the same."""

    def transaction(self) -> Transaction:
        """All changes as one transaction."""
        return transaction(self.changes, self.have, self.goal)


def plan(intent: Intent, have: Switch) -> Plan:
    """What leads from ``have`` to what is intended (see `target`); no changes if it is there already.

    What the owner did not create never goes. Raises InputError, with all reasons, where ``have`` does not allow it.
    """
    goal = target(intent, have)
    problems = list(conflicts(intent, have, goal))
    if problems:
        raise InputError(problems)
    changes, before = tuple(difference(have, goal)), managed(intent.wanted, have, goal)
    return Plan(changes, have, goal, before, managed(intent.wanted, goal, have) if changes else before)


def left_over(intent: Intent, have: Switch) -> Tuple[Change, ...]:
    """What is still to change after a run."""
    return tuple(difference(have, target(intent, have)))


def transaction(changes: Sequence[Change], have: Switch, goal: Switch) -> Transaction:
    """The changes as one transaction, guarded by all that they rely on."""
    result = Transaction(_ports(have), _ports(goal))
    for change in changes:
        change.edit(result)
    return result


def _ports(switch: Switch) -> Dict[str, Row]:
    return {name: port.row for bridge in switch.bridges.values() for name, port in bridge.of("ports").items()}


def difference(have: Switch, goal: Switch) -> Iterator[Change]:
    """The changes from ``have`` to ``goal``; a row of ``goal`` that has a UUID is the one of ``have``."""
    users: Dict[str, Set[str]] = {}
    for change in _changes(have, goal):
        yield change
        if isinstance(change, Remove):
            yield from _forsaken(change.parent, change.record, owner_of(change.record), users, is_top=True)


def _forsaken(user: Row, record: Record, owner: Optional[str], users: Dict[str, Set[str]], is_top: bool = False) -> Iterator[Change]:
    """What has to be deleted after a ``record`` was taken out, as the last that referred to it has gone: not what somebody else made.

    ``users`` keeps who has gone of several that refer to the same.
    """
    is_root = TABLES[record.row.table].is_root
    if is_root and (record.shared or not is_top):
        gone = users.setdefault(record.row.uuid, set())
        gone.add(user.uuid)
        if len(gone) < record.users or owner_of(record) != owner:
            return
        yield Destroy(record)
    if is_root or not record.shared:
        for child in TABLES[record.row.table].children:
            for item in record.of(child.key).values():
                yield from _forsaken(record.row, item, owner, users)


def _changes(have: Switch, goal: Switch) -> Iterator[Change]:
    if have.root is goal.root:
        return
    places = {port for bridge in goal.bridges.values() for port, item in bridge.of("ports").items() if item.row.uuid}
    for name, bridge in have.bridges.items():
        if name in goal.bridges and bridge is not goal.bridges[name]:
            yield from (Remove(bridge.row, PORTS, port, item) for port, item in bridge.of("ports").items() if port not in places)
    origin = {port: bridge for bridge in have.bridges.values() for port in bridge.of("ports")}
    yield from _record(have.root, goal.root, origin)


def _record(have: Record, goal: Record, origin: Mapping[str, Record]) -> Iterator[Change]:
    """What changes of a row and below it; ``have`` is a planned one, too, if the row is new."""
    if have is goal:
        return
    for column, value in goal.values.items():
        if value != have.values[column]:
            yield SetColumn(goal.row, COLUMNS[goal.row.table][column], have.values[column], value)
    for child in _PORTS_FIRST[goal.row.table]:
        if child is PORTS:
            yield from _ports_of(have, goal, origin)
        else:
            yield from _children(child, have, goal, origin)


def _children(child: Child, have: Record, goal: Record, origin: Mapping[str, Record]) -> Iterator[Change]:
    old, new = have.of(child.key), goal.of(child.key)
    if old is new:
        return
    # A row that others refer to stays as it is for them.
    replaced = {key for key, record in old.items() if key in new and (not new[key].row.uuid or (record.shared and record is not new[key]))}
    going = {key: record for key, record in old.items() if key not in new or key in replaced}
    # A port is never without an interface, and leaves its bridge before that goes.
    late = set(going) if child.key == "interfaces" else {key for key, record in going.items() if _without_moved(record, new) is not record}
    yield from (Remove(goal.row, child, key, record) for key, record in going.items() if key not in late)
    for key, record in new.items():
        if key in old and key not in replaced:
            yield from _record(old[key], record, origin)
            continue
        if child.key == "bridges":
            local = record._replace(children={"ports": {key: record.of("ports")[key]}})
            yield Insert(goal.row, child, key, local, old)
            yield from _record(local, record, origin)
        else:
            yield Insert(goal.row, child, key, _as_new(record), old)
    yield from (Remove(goal.row, child, key, _without_moved(going[key], new)) for key in going if key in late)


def _without_moved(record: Record, bridges: Mapping[Any, Record]) -> Record:
    """A bridge that goes, without the ports that will be in others."""
    if record.row.table != "Bridge":
        return record
    there = {port.row.uuid for bridge in bridges.values() for port in bridge.of("ports").values()}
    left = {name: port for name, port in record.of("ports").items() if port.row.uuid not in there}
    return record if len(left) == len(record.of("ports")) else record.with_children("ports", left)


def _ports_of(have: Record, goal: Record, origin: Mapping[str, Record]) -> Iterator[Change]:
    old, row = have.of("ports"), goal.row
    for name, port in goal.of("ports").items():
        if name in old and (port.row.uuid or not row.uuid):
            yield from _record(old[name], port, origin)
        elif port.row.uuid:
            yield MovePort(origin[name].of("ports")[name], origin[name], row)
            yield from _record(origin[name].of("ports")[name], port, origin)
        else:
            yield Insert(row, PORTS, name, port, old)


def _as_new(record: Record) -> Record:
    """A record that takes the place of one that is shared: all its rows are new."""
    if not record.row.uuid:
        return record
    children = {key: {name: _as_new(item) for name, item in records.items()} for key, records in record.children.items()}
    return record._replace(row=record.row._replace(uuid=""), children=children, users=1)


_PORTS_FIRST = {name: sorted(table.children, key=lambda child: child is not PORTS) for name, table in TABLES.items()}
"""Mirrors name ports, so that ports are made before them."""
