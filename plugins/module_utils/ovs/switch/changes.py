# SPDX-License-Identifier: Apache-2.0
"""The steps from one switch state to another, each in two renderings: an ovs-vsctl command for people, edits for the database."""
from __future__ import annotations

import json
import re
import shlex
from typing import Any, Dict, List, Mapping, NamedTuple, Protocol, Tuple, Union

from .columns import OWNER_KEY, Value, Values, to_ovsdb
from .database import Bridge, FlowTable, Interface, Port, Row
from .transaction import Transaction, reference

BARE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
"""What ovs-vsctl(8) reads as a string without quotes, whatever stands around it."""


class Change(Protocol):
    """One step."""

    def command(self) -> str:
        """The arguments of an ovs-vsctl that would do the same, as a shell reads them."""

    def edit(self, transaction: Transaction) -> None:
        """Do it, guarded by what it relies on."""


class AddBridge(NamedTuple):
    """A new bridge with its local port: a port and an internal interface of the bridge's name."""

    switch: Row
    bridge: Bridge

    def command(self) -> str:
        name = self.bridge.row.name
        local = self.bridge.ports[name]
        interface = {column: value for column, value in local.interfaces[name].values.items() if column != "type"}
        values = {"Bridge": self.bridge.values, "Port": local.values, "Interface": interface}
        parts = [["set", table, name, *_assignments(row)] for table, row in values.items() if _assignments(row)]
        return _chain([["add-br", name], *parts])

    def edit(self, transaction: Transaction) -> None:
        _insert(transaction, self.bridge)
        transaction.add(self.switch, "bridges", [reference(self.bridge.row)])
        _insert_port(transaction, self.bridge.row, self.bridge.ports[self.bridge.row.name])


class AddPort(NamedTuple):
    """A new port with its interfaces."""

    bridge: Row
    port: Port

    def command(self) -> str:
        name, interfaces = self.port.row.name, self.port.interfaces
        if list(interfaces) == [name]:
            values = {"Port": self.port.values, "Interface": interfaces[name].values}
            parts = [["set", table, name, *_assignments(row)] for table, row in values.items() if _assignments(row)]
            return _chain([["add-port", self.bridge.name, name], *parts])
        parts = [[f"--id=@i{index}", "create", "Interface", f"name={_text(item.row.name)}", *_assignments(item.values)]
                 for index, item in enumerate(interfaces.values())]
        members = ",".join(f"@i{index}" for index in range(len(interfaces)))
        parts += [["--id=@p", "create", "Port", f"name={_text(name)}", f"interfaces={members}", *_assignments(self.port.values)]]
        return _chain([*parts, ["add", "Bridge", self.bridge.name, "ports", "@p"]])

    def edit(self, transaction: Transaction) -> None:
        _guard_exists(transaction, self.bridge)
        _insert_port(transaction, self.bridge, self.port)


class AddInterface(NamedTuple):
    """A new member of an existing port."""

    port: Row
    interface: Interface

    def command(self) -> str:
        create = ["--id=@i", "create", "Interface", f"name={_text(self.interface.row.name)}", *_assignments(self.interface.values)]
        return _chain([create, ["add", "Port", self.port.name, "interfaces", "@i"]])

    def edit(self, transaction: Transaction) -> None:
        _guard_exists(transaction, self.port)
        _insert(transaction, self.interface)
        transaction.add(self.port, "interfaces", [reference(self.interface.row)])


class DeleteBridge(NamedTuple):
    """A bridge with all that is in it; ovsdb-server collects what nothing refers to (RFC 7047 section 3.2, isRoot)."""

    switch: Row
    bridge: Bridge

    def command(self) -> str:
        return _chain([["del-br", self.bridge.row.name]])

    def edit(self, transaction: Transaction) -> None:
        _guard_owner(transaction, self.bridge)
        transaction.guard(self.bridge.row, "ports", _references(self.bridge.ports))
        transaction.remove(self.switch, "bridges", [reference(self.bridge.row)])


class DeletePort(NamedTuple):
    bridge: Row
    port: Port

    def command(self) -> str:
        return _chain([["del-port", self.bridge.name, self.port.row.name]])

    def edit(self, transaction: Transaction) -> None:
        _guard_owner(transaction, self.port)
        transaction.remove(self.bridge, "ports", [reference(self.port.row)])


class DeleteInterface(NamedTuple):
    """A member leaves its port."""

    port: Row
    interface: Interface

    def command(self) -> str:
        return _chain([["remove", "Port", self.port.name, "interfaces", self.interface.row.uuid]])

    def edit(self, transaction: Transaction) -> None:
        _guard_owner(transaction, self.interface)
        transaction.remove(self.port, "interfaces", [reference(self.interface.row)])


class MovePort(NamedTuple):
    """A port goes from one bridge to another as it is."""

    port: Port
    source: Bridge
    target: Row

    def command(self) -> str:
        uuid = self.port.row.uuid
        return _chain([["remove", "Bridge", self.source.row.name, "ports", uuid], ["add", "Bridge", self.target.name, "ports", uuid]])

    def edit(self, transaction: Transaction) -> None:
        _guard_owner(transaction, self.port)
        transaction.guard(self.source.row, "ports", _references(self.source.ports))
        _guard_exists(transaction, self.target)
        transaction.remove(self.source.row, "ports", [reference(self.port.row)])
        transaction.add(self.target, "ports", [reference(self.port.row)])


class NameTable(NamedTuple):
    """An OpenFlow table of a bridge gets a Flow_Table row, which carries its name."""

    bridge: Row
    number: int
    table: FlowTable
    before: Mapping[int, FlowTable]

    def command(self) -> str:
        create = ["--id=@t", "create", "Flow_Table", *_assignments(_table_values(self.table))]
        return _chain([create, ["set", "Bridge", self.bridge.name, f"flow_tables:{self.number}=@t"]])

    def edit(self, transaction: Transaction) -> None:
        _guard_tables(transaction, self.bridge, self.before)
        transaction.insert(self.table.row, _table_values(self.table))
        transaction.add(self.bridge, "flow_tables", [[self.number, reference(self.table.row)]], "map")


class ForgetTable(NamedTuple):
    """An OpenFlow table loses its Flow_Table row."""

    bridge: Row
    number: int
    before: Mapping[int, FlowTable]

    def command(self) -> str:
        return _chain([["remove", "Bridge", self.bridge.name, "flow_tables", str(self.number)]])

    def edit(self, transaction: Transaction) -> None:
        _guard_tables(transaction, self.bridge, self.before)
        transaction.remove(self.bridge, "flow_tables", [self.number])


class SetColumn(NamedTuple):
    """A column of an existing row gets another value; of a map, only the keys that differ are touched."""

    row: Row
    column: str
    old: Value
    new: Value

    def command(self) -> str:
        where = [self.row.table, self.row.name]
        if isinstance(self.new, dict) and isinstance(self.old, dict):
            gone, put = _map_difference(self.old, self.new)
            parts = [["remove", *where, self.column, *(_text(key) for key in gone)]] if gone else []
            return _chain(parts + ([["set", *where, *_assignments({self.column: put})]] if put else []))
        if self.new is None or self.new == ():
            return _chain([["clear", *where, self.column]])
        return _chain([["set", *where, f"{self.column}={_value(self.new)}"]])

    def edit(self, transaction: Transaction) -> None:
        transaction.guard(self.row, self.column, to_ovsdb(self.old))
        if isinstance(self.new, dict) and isinstance(self.old, dict):
            gone, put = _map_difference(self.old, self.new)
            replaced = [*gone, *(key for key in put if key in self.old)]
            if replaced:
                transaction.remove(self.row, self.column, replaced)
            if put:
                transaction.add(self.row, self.column, [[key, value] for key, value in put.items()], "map")
        else:
            transaction.update(self.row, self.column, self.new)


def _insert(transaction: Transaction, item: Union[Bridge, Port, Interface]) -> None:
    transaction.insert(item.row, {"name": item.row.name, **item.values})


def _insert_port(transaction: Transaction, bridge: Row, port: Port) -> None:
    _insert(transaction, port)
    for interface in port.interfaces.values():
        _insert(transaction, interface)
    transaction.add(port.row, "interfaces", [reference(interface.row) for interface in port.interfaces.values()])
    transaction.add(bridge, "ports", [reference(port.row)])


def _table_values(table: FlowTable) -> Values:
    return {"name": table.name, "external_ids": {OWNER_KEY: table.owner or ""}}


def _guard_exists(transaction: Transaction, row: Row) -> None:
    """A mutation of a row that has gone would silently do nothing."""
    if row.uuid:
        transaction.guard(row, "name", row.name)


def _guard_owner(transaction: Transaction, item: Union[Bridge, Port, Interface]) -> None:
    transaction.guard(item.row, "external_ids", to_ovsdb(item.values["external_ids"]))


def _guard_tables(transaction: Transaction, bridge: Row, tables: Mapping[int, FlowTable]) -> None:
    if bridge.uuid:
        transaction.guard(bridge, "flow_tables", ["map", [[number, reference(table.row)] for number, table in tables.items()]])


def _references(items: Mapping[str, Port]) -> List[Any]:
    return ["set", [reference(item.row) for item in items.values()]]


def _map_difference(old: Dict[str, str], new: Dict[str, str]) -> Tuple[List[str], Dict[str, str]]:
    """The keys that go, and the pairs that come or change."""
    return sorted(set(old) - set(new)), {key: new[key] for key in sorted(new) if old.get(key) != new[key]}


def _assignments(values: Values) -> List[str]:
    """``column=value`` or ``column:key=value`` for everything that is not empty."""
    result = []
    for column, value in values.items():
        if isinstance(value, dict):
            result += [f"{column}:{_text(key)}={_text(item)}" for key, item in sorted(value.items())]
        elif value not in (None, (), ""):
            result.append(f"{column}={_value(value)}")
    return result


def _value(value: Value) -> str:
    return ",".join(_text(item) for item in value) if isinstance(value, tuple) else _text(value)


def _text(value: object) -> str:
    text = str(value)
    return text if BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _chain(commands: List[List[str]]) -> str:
    return " -- ".join(shlex.join(command) for command in commands)
