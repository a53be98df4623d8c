# SPDX-License-Identifier: Apache-2.0
"""The steps from one switch state to another, each in two renderings: an ovs-vsctl command for people, edits for the database."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Protocol

from . import commands
from .record import Record, Row, has_owner
from .schema import PORTS, TABLES, Child, Column
from .transaction import Transaction, reference
from .values import EMPTY_VALUES, Value, Values


class Change(Protocol):
    """One step."""

    def command(self) -> str:
        """The arguments of an ovs-vsctl that would do the same, as a shell reads them."""

    def edit(self, transaction: Transaction) -> None:
        """Do it, guarded by what it relies on."""


class Insert(NamedTuple):
    """A new row with all that belongs to it."""

    parent: Row
    child: Child
    key: Any
    record: Record
    siblings: Mapping[Any, Record]
    """What the parent has of the kind before."""

    def command(self) -> str:
        return commands.insert(self.parent, self.child, self.key, self.record)

    def edit(self, transaction: Transaction) -> None:
        # A mutation of a row that has gone would silently do nothing; so would one of a map that has the key, or of a full column.
        if self.child.shape != "list" or self.child.table in _UNINDEXED:
            _guard_children(transaction, self.parent, self.child, self.siblings)
        elif "name" in TABLES[self.parent.table].required:
            transaction.guard(self.parent, "name", self.parent.name)
        _insert(transaction, self.parent, self.child, self.key, self.record)


class Remove(NamedTuple):
    """A row goes with all that belongs to it; ovsdb-server collects what nothing refers to (RFC 7047 section 3.2, isRoot)."""

    parent: Row
    child: Child
    key: Any
    record: Record

    def command(self) -> str:
        return commands.remove(self.parent, self.child, self.key, self.record, self._is_deleted())

    def edit(self, transaction: Transaction) -> None:
        row = self.record.row
        if has_owner(self.record):
            transaction.guard_value(row, "external_ids", self.record.values["external_ids"])
        if self.child.key == "bridges":
            _guard_children(transaction, row, PORTS, self.record.of("ports"))
        if self.child.column:
            if self.child.shape == "map":  # With the row, as the key may be another's by now.
                transaction.remove(self.parent, self.child.column, [[self.key, reference(row)]], "map")
            else:
                transaction.remove(self.parent, self.child.column, [reference(row)])
        if self._is_deleted():
            transaction.delete(row)
        for gone in _referring(self.record):
            transaction.delete(gone)

    def _is_deleted(self) -> bool:
        return TABLES[self.record.row.table].is_root and not self.record.shared


class Destroy(NamedTuple):
    """A row goes that would stay, although nothing refers to it any more. It is a step of its own because ovs-vsctl cannot do it in one with the removal
    of a port: it leaves out what it would do to a row that is going to be collected, and so does not end its references."""

    record: Record

    def command(self) -> str:
        return commands.destroy(self.record.row)

    def edit(self, transaction: Transaction) -> None:
        transaction.guard_value(self.record.row, "external_ids", self.record.values["external_ids"])
        transaction.delete(self.record.row)


class MovePort(NamedTuple):
    """A port goes from one bridge to another as it is."""

    port: Record
    source: Record
    target: Row

    def command(self) -> str:
        return commands.move(self.port.row, self.source.row, self.target)

    def edit(self, transaction: Transaction) -> None:
        transaction.guard_value(self.port.row, "external_ids", self.port.values["external_ids"])
        _guard_children(transaction, self.source.row, PORTS, self.source.of("ports"))
        transaction.guard(self.target, "name", self.target.name)
        transaction.remove(self.source.row, "ports", [reference(self.port.row)])
        transaction.add(self.target, "ports", [reference(self.port.row)])


class SetColumn(NamedTuple):
    """A column of an existing row gets another value; of a map, only the keys that differ are touched."""

    row: Row
    column: Column
    old: Value
    new: Value

    def command(self) -> str:
        return commands.set_column(self.row, self.column, self.old, self.new)

    def edit(self, transaction: Transaction) -> None:
        transaction.guard_value(self.row, self.column.name, self.old)
        if isinstance(self.new, dict) and isinstance(self.old, dict):
            gone, put = commands.map_difference(self.old, self.new)
            replaced = [*gone, *(key for key in put if key in self.old)]
            if replaced:
                transaction.remove(self.row, self.column.name, replaced)
            if put:
                transaction.add(self.row, self.column.name, [[key, value] for key, value in put.items()], "map")
        else:
            transaction.update(self.row, self.column.name, self.new)


_UNINDEXED = ("Controller", "Mirror")
"""Lists in which the database takes two of a name."""


def _guard_children(transaction: Transaction, row: Row, child: Child, records: Mapping[Any, Record]) -> None:
    """What refers to the children is as it was read."""
    if child.shape == "map":
        transaction.guard(row, child.column, ["map", [[key, reference(record.row)] for key, record in records.items()]])
    elif child.column:
        transaction.guard(row, child.column, ["set", [reference(record.row) for record in records.values()]])


def _insert(transaction: Transaction, parent: Row, child: Child, key: Any, record: Record) -> None:
    row = record.row
    told_apart: Dict[str, Any] = {child.by: key} if child.shape == "list" else {}
    backwards: Dict[str, Any] = {child.back: reference(parent)} if child.back else {}
    transaction.insert(row, {**told_apart, **backwards, **_filled(record)})
    for below in TABLES[row.table].children:
        for name, item in record.of(below.key).items():
            _insert(transaction, row, below, name, item)
    if child.shape == "single":
        transaction.put(parent, child.column, reference(row))
    elif child.shape == "map":
        transaction.add(parent, child.column, [[key, reference(row)]], "map")
    elif child.column:
        transaction.add(parent, child.column, [reference(row)])


def _filled(record: Record) -> Values:
    """What a row has beside the empty values that a new row has anyway."""
    nothing = EMPTY_VALUES[record.row.table]
    return {column: value for column, value in record.values.items() if value != nothing[column]}


def _referring(record: Record) -> List[Row]:
    """Rows that are collected, but lead to rows that have to be deleted: ovsdb-server looks for references before it collects."""
    if record.shared or TABLES[record.row.table].is_root:
        return []
    below = [item for child in TABLES[record.row.table].children for item in record.of(child.key).values()]
    rows = [row for item in below for row in _referring(item)]
    return [record.row, *rows] if rows or any(TABLES[item.row.table].is_root for item in below) else []
