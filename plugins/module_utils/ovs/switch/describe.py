# SPDX-License-Identifier: Apache-2.0
"""Switch states in the shape of ``config``: whole (gathered), or as far as a run manages them; and as text for a diff. Pure."""
from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, Mapping

from .columns import CONFIGURED, KINDS, OWNER_KEY, Values
from .config import WantedPort, WantedSwitch
from .database import Bridge, Interface, Port, Switch, owner_of
from .target import Removal

Config = Dict[str, Any]

PLAIN = re.compile(r"(?!(true|false|null|yes|no|on|off|y|n)$)[A-Za-z_][A-Za-z0-9_./-]*", re.IGNORECASE)
"""What YAML reads as this string without quotes."""


def gathered(have: Switch) -> Config:
    """All that is configured, so that it fed back as ``config`` changes nothing. Empty columns are left out."""
    return {**_whole("Open_vSwitch", have.values), "bridges": [_whole_bridge(bridge) for bridge in have.bridges.values()]}


def interface_status(have: Switch) -> Dict[str, Config]:
    """Where each interface is, who created its port, and what ovs-vswitchd reports of it."""
    result = {}
    for bridge in have.bridges.values():
        for port in bridge.ports.values():
            owner = owner_of(port.values)
            place = {"bridge": bridge.row.name, "port": port.row.name, **({"owner": owner} if owner else {})}
            result.update({name: {**place, **interface.status} for name, interface in port.interfaces.items()})
    return result


def managed(switch: Switch, want: WantedSwitch, gone: Removal) -> Config:
    """The part of a state that a run is about: the columns that ``want`` gives, and whole what goes."""
    wanted_bridges = {bridge.name: bridge for bridge in want.bridges}
    wanted_ports = {port.name: port for bridge in want.bridges for port in bridge.ports}
    bridges = []
    for name, bridge in sorted(switch.bridges.items()):
        if name in gone.bridges:
            bridges.append(_whole_bridge(bridge))
            continue
        ports = [_whole_port(port) if (name, at) in gone.ports else _managed_port(port, wanted_ports[at])
                 for at, port in sorted(bridge.ports.items()) if (name, at) in gone.ports or at in wanted_ports]
        shown: Config = {"name": name}
        if name in wanted_bridges:
            shown.update(_given("Bridge", bridge.values, wanted_bridges[name].values))
        wanted_tables = name in wanted_bridges and wanted_bridges[name].flow_tables is not None
        if wanted_tables or any((name, number) in gone.tables for number in bridge.flow_tables):
            shown.update(_flow_tables(bridge))
        if ports:
            shown["ports"] = ports
        if len(shown) > 1 or name in wanted_bridges:
            bridges.append(shown)
    return {**_given("Open_vSwitch", switch.values, want.values), **({"bridges": bridges} if bridges else {})}


def as_text(config: Config) -> str:
    """A config as YAML, for people to read and for a diff line by line."""
    return "".join(f"{line}\n" for line in _lines(config))


def _managed_port(port: Port, wanted: WantedPort) -> Config:
    shown: Config = {"name": port.row.name, **_given("Port", port.values, wanted.values)}
    if wanted.interfaces is not None:
        given = {item.name: item.values for item in wanted.interfaces}
        shown["interfaces"] = [{"name": name, **_given("Interface", item.values, given[name])} if name in given else _whole_interface(item)
                               for name, item in sorted(port.interfaces.items())]
    return shown


def _given(table: str, values: Values, given: Mapping[str, Any]) -> Config:
    """The columns given, of a shared map the keys given."""
    shown: Config = {}
    for column, value in given.items():
        held = values.get(column)
        if KINDS[table][column] == "shared map" and isinstance(held, dict):
            shown[column] = {key: held[key] for key in sorted(value) if key in held}
        else:
            shown[column] = held
    return _whole(table, shown)


def _whole(table: str, values: Values) -> Config:
    """All columns that are not empty, in the order of the schema here; not the owner's mark, which is no configuration."""
    shown: Config = {}
    for column in CONFIGURED[table]:
        value = values.get(column.name)
        if isinstance(value, dict):
            value = {key: item for key, item in sorted(value.items()) if key != OWNER_KEY}
        if value not in (None, "", (), {}):
            shown[column.name] = list(value) if isinstance(value, tuple) else value
    return shown


def _whole_bridge(bridge: Bridge) -> Config:
    ports = [_whole_port(port) for port in bridge.ports.values()]
    return {"name": bridge.row.name, **_whole("Bridge", bridge.values), **_flow_tables(bridge), "ports": ports}


def _whole_port(port: Port) -> Config:
    interfaces = [_whole_interface(interface) for interface in port.interfaces.values()]
    return {"name": port.row.name, **_whole("Port", port.values), "interfaces": interfaces}


def _whole_interface(interface: Interface) -> Config:
    return {"name": interface.row.name, **_whole("Interface", interface.values)}


def _flow_tables(bridge: Bridge) -> Config:
    names = {str(number): table.name for number, table in bridge.flow_tables.items() if table.name is not None}
    return {"flow_tables": names} if names else {}


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """YAML's block style, of maps, lists and scalars."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, (Mapping, list)) and item:
                yield f"{indent}{_scalar(key)}:"
                yield from _lines(item, indent + "  ")
            else:
                yield f"{indent}{_scalar(key)}: {_scalar(item)}"
    else:
        for item in value:
            first, *rest = _lines(item, indent + "  ") if isinstance(item, Mapping) else [f"{indent}  {_scalar(item)}"]
            yield f"{indent}- {first[len(indent) + 2:]}"
            yield from rest


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) and PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
