# SPDX-License-Identifier: Apache-2.0
"""What an Open_vSwitch database holds, as far as it is configured: read in one transaction, so it is one moment's state."""
from __future__ import annotations

from types import MappingProxyType
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ...errors import SluiceError
from .columns import (
    BRIDGE,
    CONFIGURED,
    EMPTY,
    INTERFACE,
    INTERFACE_STATUS,
    OWNER_KEY,
    PORT,
    SWITCH,
    Column,
    Values,
    column_value,
    from_ovsdb,
)


class Row(NamedTuple):
    """A row's identity. ``uuid`` is empty while the row is only planned. A Flow_Table has no name of its own, only a place."""

    table: str
    name: str
    uuid: str = ""


class Interface(NamedTuple):
    row: Row
    values: Values
    status: Mapping[str, Any] = EMPTY
    """What ovs-vswitchd reports, by INTERFACE_STATUS and ``statistics``; only what it has set."""


class Port(NamedTuple):
    row: Row
    values: Values
    interfaces: Mapping[str, Interface] = EMPTY


class FlowTable(NamedTuple):
    row: Row
    name: str | None
    owner: str | None


class Bridge(NamedTuple):
    row: Row
    values: Values
    flow_tables: Mapping[int, FlowTable] = EMPTY
    ports: Mapping[str, Port] = EMPTY


class Switch(NamedTuple):
    """A host's switch; an empty one stands for a host without Open vSwitch."""

    row: Row = Row("Open_vSwitch", ".")
    values: Values = MappingProxyType({"external_ids": {}, "other_config": {}})
    bridges: Mapping[str, Bridge] = EMPTY
    next_cfg: int = 0
    cur_cfg: int = 0
    version: str | None = None
    interface_types: Tuple[str, ...] = ()
    """What this ovs-vswitchd can make; empty if it has not said so yet."""
    datapath_types: Tuple[str, ...] = ()


def owner_of(values: Values) -> str | None:
    """Who created a row; None: not Sluice."""
    ids = values["external_ids"]
    return ids.get(OWNER_KEY) if isinstance(ids, dict) else None


def selects(statistics: bool = False) -> List[Dict[str, Any]]:
    """The operations whose results :func:`switch_from` reads."""
    root = ["bridges", "next_cfg", "cur_cfg", "ovs_version", "iface_types", "datapath_types"]
    interface = [*INTERFACE_STATUS, "statistics"] if statistics else list(INTERFACE_STATUS)
    extra = {"Open_vSwitch": root, "Bridge": ["name", "ports", "flow_tables"], "Port": ["name", "interfaces"],
             "Interface": ["name", *interface]}
    operations = [
        {"op": "select", "table": table, "where": [], "columns": ["_uuid", *more, *(column.name for column in CONFIGURED[table])]}
        for table, more in extra.items()]
    return [*operations, {"op": "select", "table": "Flow_Table", "where": [], "columns": ["_uuid", "name", "external_ids"]}]


def switch_from(results: Sequence[Dict[str, Any]]) -> Switch:
    """The Switch in the results of :func:`selects`; raises SluiceError if the database was never initialised."""
    roots, bridges, ports, interfaces, tables = ({from_ovsdb(row["_uuid"]): row for row in result["rows"]} for result in results)
    if not roots:
        raise SluiceError("the Open_vSwitch database has no Open_vSwitch row yet: initialise it with `ovs-vsctl --no-wait init`")
    uuid, root = next(iter(roots.items()))

    def interface(uuid: str) -> Interface:
        raw = interfaces[uuid]
        status = {name: from_ovsdb(raw[name]) for name in (*INTERFACE_STATUS, "statistics") if name in raw}
        return Interface(Row("Interface", raw["name"], uuid), _values(INTERFACE, raw),
                         {name: value for name, value in status.items() if value != ()})

    def port(uuid: str) -> Port:
        raw = ports[uuid]
        members = _by_name(interface(member) for member in _references(raw["interfaces"]))
        return Port(Row("Port", raw["name"], uuid), _values(PORT, raw), members)

    def flow_table(uuid: str) -> FlowTable:
        raw = tables[uuid]
        name = from_ovsdb(raw["name"])
        return FlowTable(Row("Flow_Table", uuid, uuid), None if name == () else name, from_ovsdb(raw["external_ids"]).get(OWNER_KEY))

    def bridge(uuid: str) -> Bridge:
        raw = bridges[uuid]
        numbers = sorted(from_ovsdb(raw["flow_tables"]).items())
        return Bridge(Row("Bridge", raw["name"], uuid), _values(BRIDGE, raw), {number: flow_table(ref) for number, ref in numbers},
                      _by_name(port(member) for member in _references(raw["ports"])))

    return Switch(
        Row("Open_vSwitch", ".", uuid), _values(SWITCH, root), _by_name(bridge(member) for member in _references(root["bridges"])),
        root["next_cfg"], root["cur_cfg"], from_ovsdb(root["ovs_version"]) or None,
        _references(root["iface_types"]), _references(root["datapath_types"]))


def _values(columns: Sequence[Column], raw: Dict[str, Any]) -> Values:
    return {column.name: column_value(column, raw[column.name]) for column in columns}


def _references(raw: Any) -> Tuple[str, ...]:
    value = from_ovsdb(raw)
    return value if isinstance(value, tuple) else (value,)


def _by_name(objects: Any) -> Dict[str, Any]:
    return {item.row.name: item for item in sorted(objects, key=lambda item: str(item.row.name))}
