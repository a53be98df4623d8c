# SPDX-License-Identifier: Apache-2.0
"""Builds one OVSDB transaction out of edits: guards first, one operation a row, new rows complete at once."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from .record import Row
from .schema import COLUMNS
from .values import Value, Values, names, to_ovsdb


def reference(row: Row) -> List[str]:
    """How an operation names a row, whether it exists or is inserted by the same transaction."""
    return ["uuid", row.uuid] if row.uuid else ["named-uuid", _new_name(row)]


class Transaction:
    """Collects edits; :meth:`operations` is the whole.

    Edits of one row are merged, so that a thousand ports are added to a bridge by one mutation: each would copy the whole set.
    """

    def __init__(self, old_ports: Mapping[str, Row], new_ports: Mapping[str, Row]) -> None:
        """The ports that columns name, by name, before and after: one may be another row by then."""
        self._old_ports = old_ports
        self._new_ports = new_ports
        self._guards: Dict[Row, Dict[str, Any]] = {}
        self._inserts: Dict[Row, Dict[str, Any]] = {}
        self._updates: Dict[Row, Dict[str, Any]] = {}
        self._mutations: Dict[Row, Dict[Tuple[str, str], List[Any]]] = {}
        self._deletes: Dict[Row, None] = {}

    def guard(self, row: Row, column: str, value: Any) -> None:
        """Commit only if the column still holds this (OVSDB form): what was read is what is changed. A new row needs no guard.

        The first for a column counts: a bridge that goes after a port has left it is read with the port.
        """
        if row.uuid:
            self._guards.setdefault(row, {}).setdefault(column, value)

    def guard_value(self, row: Row, column: str, value: Value) -> None:
        """As `guard`, with the value as a Record has it."""
        self.guard(row, column, _encoded(row.table, column, value, self._old_ports))

    def insert(self, row: Row, values: Values) -> None:
        """``values`` may have columns in OVSDB form among them, as references are."""
        self._inserts[row] = {column: _encoded(row.table, column, value, self._new_ports) for column, value in values.items()}

    def update(self, row: Row, column: str, value: Value) -> None:
        self._updates.setdefault(row, {})[column] = _encoded(row.table, column, value, self._new_ports)

    def delete(self, row: Row) -> None:
        """Delete a row that would stay when nothing refers to it."""
        self._deletes[row] = None

    def add(self, row: Row, column: str, members: List[Any], kind: str = "set") -> None:
        """Put members (OVSDB form; pairs for a map) into a set or map column, leaving the others alone."""
        if row in self._inserts:
            self._inserts[row].setdefault(column, [kind, []])[1].extend(members)
        else:
            self._mutate(row, column, "insert", kind, members)

    def put(self, row: Row, column: str, member: List[Any]) -> None:
        """Have an optional column hold this member (OVSDB form), instead of what it may hold."""
        rows = self._inserts if row in self._inserts else self._updates
        rows.setdefault(row, {})[column] = member

    def remove(self, row: Row, column: str, members: List[Any], kind: str = "set") -> None:
        """Take members, a map's keys or a map's pairs out of a column, leaving the others alone."""
        self._mutate(row, column, "delete", kind, members)

    def operations(self) -> List[Dict[str, Any]]:
        """In the order that RFC 7047 needs: each ``wait`` sees the state at its place in the transaction, so guards come first."""
        return [
            *({"op": "wait", "timeout": 0, "table": row.table, "where": _where(row), "columns": list(values), "until": "==",
               "rows": [values]} for row, values in self._guards.items()),
            *({"op": "insert", "table": row.table, "uuid-name": _new_name(row), "row": values} for row, values in self._inserts.items()),
            *({"op": "update", "table": row.table, "where": _where(row), "row": values} for row, values in self._updates.items()),
            *({"op": "mutate", "table": row.table, "where": _where(row), "mutations": _mutations(mutations)}
              for row, mutations in self._mutations.items() if row not in self._deletes),
            *({"op": "delete", "table": row.table, "where": _where(row)} for row in self._deletes)]

    def _mutate(self, row: Row, column: str, mutator: str, kind: str, members: List[Any]) -> None:
        self._mutations.setdefault(row, {}).setdefault((column, mutator), [kind, []])[1].extend(members)


def _encoded(table: str, column: str, value: Any, ports: Mapping[str, Row]) -> Any:
    known = COLUMNS[table].get(column)
    if known and known.refers:
        value = names(value, lambda name: reference(ports[name]))
    return value if isinstance(value, list) else to_ovsdb(value)


def _where(row: Row) -> List[Any]:
    return [["_uuid", "==", reference(row)]]


def _mutations(mutations: Dict[Tuple[str, str], List[Any]]) -> List[Any]:
    # A map's insertion does not replace a key's value (RFC 7047 section 5.1), so there what is deleted is deleted first.
    # A set may have to have a member at each step, as a port has to have an interface, so there what is inserted is inserted first.
    return [[column, mutator, members] for (column, mutator), members in sorted(mutations.items(), key=_turn)]


def _turn(item: Tuple[Tuple[str, str], List[Any]]) -> int:
    (_column, mutator), (kind, _members) = item
    return 1 if mutator == "delete" else 2 if kind == "map" else 0


def _new_name(row: Row) -> str:
    """An OVSDB <id> that is the row's alone: of letters, digits and underscores, so the name goes in hexadecimal."""
    return f"{row.table}_{row.name.encode().hex()}"
