# SPDX-License-Identifier: Apache-2.0
"""The steps from one switch state to another, each in two renderings: an ovs-vsctl command for people, edits for the database."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Protocol, Tuple

from . import commands
from .record import Record, Row, has_owner, owner_of
from .schema import TABLES, Child, Column
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
        if self.child.shape != "list":
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
        return commands.remove(self.parent, self.child, self.key, self.record, _rows_to_delete(self.record, self.child))

    def edit(self, transaction: Transaction) -> None:
        row = self.record.row
        if has_owner(self.record):
            transaction.guard_value(row, "external_ids", self.record.values["external_ids"])
        if self.child.key == "bridges":
            _guard_children(transaction, row, _PORTS, self.record.of("ports"))
        if self.child.column:
            transaction.remove(self.parent, self.child.column, [self.key if self.child.shape == "map" else reference(row)])
        for gone in _rows_to_delete(self.record, self.child):
            transaction.delete(gone)


class MovePort(NamedTuple):
    """A port goes from one bridge to another as it is."""

    port: Record
    source: Record
    target: Row

    def command(self) -> str:
        return commands.move(self.port.row, self.source.row, self.target)

    def edit(self, transaction: Transaction) -> None:
        transaction.guard_value(self.port.row, "external_ids", self.port.values["external_ids"])
        _guard_children(transaction, self.source.row, _PORTS, self.source.of("ports"))
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


_PORTS = next(child for child in TABLES["Bridge"].children if child.key == "ports")


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
    if child.column:
        transaction.add(parent, child.column, [[key, reference(row)]] if child.shape == "map" else [reference(row)], "map" if child.shape == "map" else "set")


def _filled(record: Record) -> Values:
    """What a row has beside the empty values that a new row has anyway."""
    nothing = EMPTY_VALUES[record.row.table]
    return {column: value for column, value in record.values.items() if value != nothing[column]}


def _rows_to_delete(record: Record, child: Child) -> List[Row]:
    """The rows of a record that is taken out which stay if they are not deleted, less those that others made or refer to."""
    owner = owner_of(record)
    return [item.row for item, kind in _tree(record, child) if TABLES[kind.table].is_root and owner_of(item) == owner]


def _tree(record: Record, child: Child) -> Iterator[Tuple[Record, Child]]:
    if not record.shared:
        yield record, child
        for below in TABLES[record.row.table].children:
            for item in record.of(below.key).values():
                yield from _tree(item, below)
