# SPDX-License-Identifier: Apache-2.0
"""Builds one OVSDB transaction out of edits: guards first, one operation a row, new rows complete at once."""
from __future__ import annotations

from typing import Any, Dict, List, Tuple

from .columns import Value, Values, to_ovsdb
from .database import Row


def reference(row: Row) -> List[str]:
    """How an operation names a row, whether it exists or is inserted by the same transaction."""
    return ["uuid", row.uuid] if row.uuid else ["named-uuid", _new_name(row)]


class Transaction:
    """Collects edits; :meth:`operations` is the whole.

    Edits of one row are merged, so that a thousand ports are added to a bridge by one mutation: each would copy the whole set.
    """

    def __init__(self) -> None:
        self._guards: Dict[Row, Dict[str, Any]] = {}
        self._inserts: Dict[Row, Dict[str, Any]] = {}
        self._updates: Dict[Row, Dict[str, Any]] = {}
        self._mutations: Dict[Row, Dict[Tuple[str, str], List[Any]]] = {}

    def guard(self, row: Row, column: str, value: Any) -> None:
        """Commit only if the column still holds this (OVSDB form): what was read is what is changed."""
        self._guards.setdefault(row, {})[column] = value

    def insert(self, row: Row, values: Values) -> None:
        self._inserts[row] = {column: to_ovsdb(value) for column, value in values.items()}

    def update(self, row: Row, column: str, value: Value) -> None:
        self._updates.setdefault(row, {})[column] = to_ovsdb(value)

    def add(self, row: Row, column: str, members: List[Any], kind: str = "set") -> None:
        """Put members (OVSDB form; pairs for a map) into a set or map column, leaving the others alone."""
        if row in self._inserts:
            self._inserts[row].setdefault(column, [kind, []])[1].extend(members)
        else:
            self._mutate(row, column, "insert", kind, members)

    def remove(self, row: Row, column: str, members: List[Any]) -> None:
        """Take members, or a map's keys, out of a column, leaving the others alone."""
        self._mutate(row, column, "delete", "set", members)

    def operations(self) -> List[Dict[str, Any]]:
        """In the order that RFC 7047 needs: each ``wait`` sees the state at its place in the transaction, so guards come first."""
        return [
            *({"op": "wait", "timeout": 0, "table": row.table, "where": _where(row), "columns": list(values), "until": "==",
               "rows": [values]} for row, values in self._guards.items()),
            *({"op": "insert", "table": row.table, "uuid-name": _new_name(row), "row": values} for row, values in self._inserts.items()),
            *({"op": "update", "table": row.table, "where": _where(row), "row": values} for row, values in self._updates.items()),
            *({"op": "mutate", "table": row.table, "where": _where(row), "mutations": _mutations(mutations)}
              for row, mutations in self._mutations.items())]

    def _mutate(self, row: Row, column: str, mutator: str, kind: str, members: List[Any]) -> None:
        self._mutations.setdefault(row, {}).setdefault((column, mutator), [kind, []])[1].extend(members)


def _where(row: Row) -> List[Any]:
    return [["_uuid", "==", reference(row)]]


def _mutations(mutations: Dict[Tuple[str, str], List[Any]]) -> List[Any]:
    # A map's insertion does not replace a key's value (RFC 7047 section 5.1), so what is deleted is deleted first.
    return [[column, mutator, members] for (column, mutator), members in sorted(mutations.items(), key=lambda item: item[0][1])]


def _new_name(row: Row) -> str:
    """An OVSDB <id> that is the row's alone: of letters, digits and underscores, so the name goes in hexadecimal."""
    return f"{row.table}_{row.name.encode().hex()}"
