# SPDX-License-Identifier: Apache-2.0
"""What the switch shall be: what is there, with what is wanted put in and what is to go taken out. Pure."""
from __future__ import annotations

from typing import Any, Dict, FrozenSet, Mapping, NamedTuple, Optional, Tuple

from .columns import KINDS, OWNER_KEY, Value, Values, empty
from .config import WantedBridge, WantedInterface, WantedPort, WantedSwitch
from .database import Bridge, FlowTable, Interface, Port, Row, Switch, owner_of

STATES = ("merged", "overridden", "deleted")


class Removal(NamedTuple):
    """What goes: bridges with all in them; of bridges that stay, ports (bridge, port) and names of tables (bridge, number)."""

    bridges: FrozenSet[str] = frozenset()
    ports: FrozenSet[Tuple[str, str]] = frozenset()
    tables: FrozenSet[Tuple[str, int]] = frozenset()


def removal(want: WantedSwitch, have: Switch, state: str, owner: str) -> Removal:
    """What the state removes, always of the owner's own.

    overridden: what ``want`` does not name. deleted: what it names, or everything if it is empty. A bridge's local port goes
    with its bridge only.
    """
    if state == "merged":
        return Removal()
    deleting = state == "deleted"
    everything = deleting and want == WantedSwitch()
    named_bridges = {bridge.name for bridge in want.bridges}
    named_ports = {port.name for bridge in want.bridges for port in bridge.ports}
    bridges = {name for name, bridge in have.bridges.items()
               if owner_of(bridge.values) == owner and (everything or (name in named_bridges) == deleting)}
    ports = {(at, name) for at, bridge in have.bridges.items() if at not in bridges for name, port in bridge.ports.items()
             if name != at and owner_of(port.values) == owner and (everything or (name in named_ports) == deleting)}
    tables = {(at, number) for at, bridge in have.bridges.items() if at not in bridges and deleting and (everything or at in named_bridges)
              for number, table in bridge.flow_tables.items() if table.owner == owner}
    return Removal(frozenset(bridges), frozenset(ports), frozenset(tables))


def survivors(have: Switch, gone: Removal) -> Dict[str, Bridge]:
    """The bridges that stay, with what stays in them."""
    result = {}
    for at, bridge in have.bridges.items():
        if at not in gone.bridges:
            ports = {name: port for name, port in bridge.ports.items() if (at, name) not in gone.ports}
            tables = {number: table for number, table in bridge.flow_tables.items() if (at, number) not in gone.tables}
            result[at] = bridge._replace(ports=ports, flow_tables=tables)
    return result


def target(want: WantedSwitch, have: Switch, gone: Removal, state: str, owner: str) -> Switch:
    """The whole switch as it shall be. New rows have no UUID and only the columns given, marked with their owner."""
    bridges = survivors(have, gone)
    if state == "deleted":
        return have._replace(values=_without(have.values, want.values), bridges=bridges)
    places = {port: at for at, bridge in bridges.items() for port in bridge.ports}
    for wanted in want.bridges:
        bridge = bridges.get(wanted.name) or _new_bridge(wanted.name, owner)
        ports = dict(bridge.ports)
        for port in wanted.ports:
            source = places.get(port.name)
            if source not in (None, wanted.name):
                left = bridges[str(source)]
                ports[port.name] = left.ports[port.name]
                bridges[str(source)] = left._replace(ports={name: item for name, item in left.ports.items() if name != port.name})
            ports[port.name] = _port(port, ports.get(port.name), owner)
        flow_tables = _flow_tables(wanted, bridge.flow_tables, owner)
        bridges[wanted.name] = bridge._replace(values=merged("Bridge", bridge.values, wanted.values), ports=ports, flow_tables=flow_tables)
    return have._replace(values=merged("Open_vSwitch", have.values, want.values), bridges=bridges)


def interfaces_of(port: WantedPort) -> Tuple[WantedInterface, ...]:
    """The interfaces of a new port."""
    return (WantedInterface(port.name, path=port.path),) if port.interfaces is None else port.interfaces


def merged(table: str, old: Values, given: Mapping[str, Any]) -> Values:
    """A row's columns with those given put in."""
    return {**old, **{column: _merged_column(KINDS[table][column], old.get(column), value) for column, value in given.items()}}


def _merged_column(kind: str, old: Value, given: Any) -> Value:
    """The value given; of a shared map, the old one with the keys given put in, and taken out where None is given."""
    if kind != "shared map":
        return given if given is not None else empty(kind)
    merged_map: Dict[str, Any] = {**(old if isinstance(old, dict) else {}), **given}
    return {key: value for key, value in merged_map.items() if value is not None}


def _without(old: Values, given: Mapping[str, Any]) -> Values:
    """Less the keys that still have the value given: one with another value is somebody else's by now."""
    result = dict(old)
    for column, pairs in given.items():
        held = old[column]
        if isinstance(held, dict):
            result[column] = {key: value for key, value in held.items() if pairs.get(key) != value}
    return result


def _mark(owner: str) -> Values:
    return {"external_ids": {OWNER_KEY: owner}}


def _new_bridge(name: str, owner: str) -> Bridge:
    interface = Interface(Row("Interface", name), {"type": "internal", **_mark(owner)})
    return Bridge(Row("Bridge", name), _mark(owner), {}, {name: Port(Row("Port", name), _mark(owner), {name: interface})})


def _port(wanted: WantedPort, there: Optional[Port], owner: str) -> Port:
    port = there or Port(Row("Port", wanted.name), _mark(owner))
    values = merged("Port", port.values, wanted.values)
    if there and wanted.interfaces is None:
        return port._replace(values=values)
    given = {item.name: item for item in interfaces_of(wanted)}
    kept = {name: item for name, item in port.interfaces.items() if name in given or owner_of(item.values) != owner}
    for name, item in given.items():
        interface = kept.get(name) or Interface(Row("Interface", name), _mark(owner))
        kept[name] = interface._replace(values=merged("Interface", interface.values, item.values))
    return port._replace(values=values, interfaces=kept)


def _flow_tables(wanted: WantedBridge, there: Mapping[int, FlowTable], owner: str) -> Mapping[int, FlowTable]:
    if wanted.flow_tables is None:
        return there
    kept = {number: table for number, table in there.items() if number in wanted.flow_tables or table.owner != owner}
    for number, name in wanted.flow_tables.items():
        new = FlowTable(Row("Flow_Table", f"{wanted.name} {number}"), name, owner)
        kept[number] = kept[number]._replace(name=name) if number in kept else new
    return dict(sorted(kept.items()))
