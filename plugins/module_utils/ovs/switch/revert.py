# SPDX-License-Identifier: Apache-2.0
"""Undoes one change of a switch, whatever others changed since; and keeps the states that this takes as JSON. Pure."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from .record import Record, Row, Switch
from .schema import TABLES
from .values import Value


def reverted(now: Switch, before: Switch, goal: Switch) -> Switch:
    """``now`` with what leads from ``before`` to ``goal`` undone.

    What differs between these two becomes what it was before: columns, of maps the keys; what was added goes, what was taken out comes
    back, and a port that was moved returns. Everything else stays as it is now.
    """
    places = {port: record for bridge in now.bridges.values() for port, record in bridge.of("ports").items()}
    return now._replace(root=_record(now.root, before.root, goal.root, places))


def _record(now: Record, before: Record, goal: Record, places: Mapping[str, Record]) -> Record:
    if before is goal:
        return now
    values = {column: _value(value, before.values[column], goal.values[column]) for column, value in now.values.items()}
    children = {child.key: _children(now, before, goal, child.key, places) for child in TABLES[now.row.table].children}
    return now._replace(values=values, children={key: records for key, records in children.items() if records})


def _children(now: Record, before: Record, goal: Record, key: str, places: Mapping[str, Record]) -> Dict[Any, Record]:
    old, new, found = before.of(key), goal.of(key), dict(now.of(key))
    for name in [name for name in new if name not in old]:
        found.pop(name, None)
    for name, record in old.items():
        if name not in new and name not in found:
            found[name] = _returned(record, places if key == "ports" else {})
        elif name in new and name in found:
            found[name] = _record(found[name], record, new[name], places)
    return dict(sorted(found.items()))


def _returned(record: Record, places: Mapping[str, Record]) -> Record:
    """What was taken out, as new rows; a port that is elsewhere now comes from there."""
    there = places.get(record.row.name)
    if there is not None:
        return _as_before(there, record)
    children = {key: {name: _returned(item, {}) for name, item in records.items()} for key, records in record.children.items()}
    return record._replace(row=record.row._replace(uuid=""), children=children, status={}, users=1)


def _as_before(now: Record, before: Record) -> Record:
    """A row that is still there, with the values that it had, and below it what it had."""
    children = {key: {name: _as_before(now.of(key)[name], item) if name in now.of(key) else _returned(item, {}) for name, item in records.items()}
                for key, records in before.children.items()}
    return now._replace(values=before.values, children=children)


def _value(now: Value, before: Value, goal: Value) -> Value:
    if before == goal:
        return now
    if isinstance(now, dict) and isinstance(before, dict) and isinstance(goal, dict):
        result = dict(now)
        for key in {*before, *goal}:
            if before.get(key) != goal.get(key):
                result.pop(key, None)
                if key in before:
                    result[key] = before[key]
        return result
    return before


def to_json(switch: Switch) -> List[Any]:
    """The records of a switch, as JSON can hold them."""
    return _to_json(switch.root)


def from_json(content: List[Any]) -> Switch:
    """What `to_json` gave."""
    return Switch(_from_json(content))


def _to_json(record: Record) -> List[Any]:
    children = [[key, [[name, _to_json(item)] for name, item in records.items()]] for key, records in record.children.items()]
    # Pairs, because keys of maps may be numbers, which JSON makes into text.
    values = [[column, {"map": list(value.items())} if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value]
              for column, value in record.values.items()]
    return [list(record.row), values, children]


def _from_json(content: List[Any]) -> Record:
    row, values, children = content
    return Record(Row(*row), {column: _value_from(value) for column, value in values},
                  {key: {name: _from_json(item) for name, item in records} for key, records in children})


def _value_from(value: Any) -> Optional[Any]:
    if isinstance(value, dict):
        return dict(value["map"])
    return tuple(value) if isinstance(value, list) else value
