# SPDX-License-Identifier: Apache-2.0
"""``config`` of sluice.fabric.switch, checked whole before anything is touched."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ...errors import InputError, Problem
from .columns import BRIDGE, EMPTY, INTERFACE, OWNER_KEY, PORT, SWITCH, Column, Value

DEVICE_NAME_MAX = 15
"""Linux's IFNAMSIZ less its end mark. Bounds the names of interfaces that are a device of their own, unlike patches and tunnels."""
DEVICE_TYPES = ("", "system", "internal", "tap")
DEVICE_NAME = re.compile(r"(?!\.{1,2}$)[^\s/:\\]+")
TABLE_NAME = re.compile(r"[^\s,=()]{1,31}")


class WantedInterface(NamedTuple):
    name: str
    values: Mapping[str, Any] = EMPTY
    """Column name to value, for the columns given; in a shared map None removes a key."""
    path: str = ""
    """Where it is in ``config``, for what is said about it."""


class WantedPort(NamedTuple):
    name: str
    values: Mapping[str, Any] = EMPTY
    interfaces: Optional[Tuple[WantedInterface, ...]] = None
    """None: not given, so one of the port's name in a new port, and as they are in an existing one."""
    path: str = ""


class WantedBridge(NamedTuple):
    name: str
    values: Mapping[str, Any] = EMPTY
    flow_tables: Optional[Mapping[int, str]] = None
    """Table number to name; None: not managed."""
    ports: Tuple[WantedPort, ...] = ()
    path: str = ""


class WantedSwitch(NamedTuple):
    values: Mapping[str, Any] = EMPTY
    bridges: Tuple[WantedBridge, ...] = ()


def parse(config: Mapping[str, Any], complete: bool = False) -> WantedSwitch:
    """The typed form of ``config``; raises InputError with all problems, each with its path like ``bridges[0].ports[3].tag``.

    A ``complete`` one must say which bridges there are: leaving them out by mistake would remove them all.
    """
    reader = _Reader()
    if complete and "bridges" not in config:
        reader.problem("bridges", "is missing", "a list of all bridges, as what it does not name is removed")
    wanted = reader.switch(config)
    reader.check_names(wanted)
    if reader.problems:
        raise InputError(reader.problems)
    return wanted


class _Reader:
    """Collects problems while it reads, so that one run shows them all."""

    def __init__(self) -> None:
        self.problems: List[Problem] = []

    def problem(self, path: str, message: str, expected: str = "") -> None:
        self.problems.append(Problem("", "", path, message, expected))

    def switch(self, given: Mapping[str, Any]) -> WantedSwitch:
        self.keys(given, "", SWITCH, "bridges")
        bridges = [self.bridge(item, path) for item, path in self.items(given, "", "bridges")]
        return WantedSwitch(self.values(given, "", SWITCH), tuple(bridges))

    def bridge(self, given: Mapping[str, Any], path: str) -> WantedBridge:
        self.keys(given, path, BRIDGE, "name", "flow_tables", "ports")
        name = self.name(given, path, device=True)
        ports = [self.port(item, at) for item, at in self.items(given, path, "ports")]
        return WantedBridge(name, self.values(given, path, BRIDGE), self.flow_tables(given, path), tuple(ports), path)

    def port(self, given: Mapping[str, Any], path: str) -> WantedPort:
        self.keys(given, path, PORT, "name", "interfaces")
        name = self.name(given, path, device="interfaces" not in given)
        interfaces = None
        if "interfaces" in given:
            interfaces = tuple(self.interface(item, at) for item, at in self.items(given, path, "interfaces"))
            if not interfaces:
                self.problem(f"{path}.interfaces", "is empty", "at least one interface: a port consists of interfaces")
        return WantedPort(name, self.values(given, path, PORT), interfaces, path)

    def interface(self, given: Mapping[str, Any], path: str) -> WantedInterface:
        self.keys(given, path, INTERFACE, "name")
        values = self.values(given, path, INTERFACE)
        return WantedInterface(self.name(given, path, device=values.get("type", "") in DEVICE_TYPES), values, path)

    def keys(self, given: Mapping[str, Any], path: str, columns: Tuple[Column, ...], *others: str) -> None:
        known = sorted({*(column.name for column in columns), *others})
        for key in given:
            if key not in known:
                self.problem(_join(path, str(key)), "is not a known key", f"one of {', '.join(known)}")

    def items(self, given: Mapping[str, Any], path: str, key: str) -> List[Tuple[Mapping[str, Any], str]]:
        """The mappings of a list, each with its path; everything else is a problem."""
        items = given.get(key, [])
        at = _join(path, key)
        if not isinstance(items, list):
            self.problem(at, f"is {_kind(items)}", "a list")
            return []
        for index, item in enumerate(items):
            if not isinstance(item, Mapping):
                self.problem(f"{at}[{index}]", f"is {_kind(item)}", "a map with a name")
        return [(item, f"{at}[{index}]") for index, item in enumerate(items) if isinstance(item, Mapping)]

    def name(self, given: Mapping[str, Any], path: str, device: bool) -> str:
        name = given.get("name")
        at = _join(path, "name")
        if "name" not in given:
            self.problem(at, "is missing", "a name")
        elif not isinstance(name, str) or not name:
            self.problem(at, f"is {_kind(name)}", "a name (a string that is not empty)")
        elif device and len(name.encode()) > DEVICE_NAME_MAX:
            self.problem(at, f"{name!r} has {len(name.encode())} bytes", f"at most {DEVICE_NAME_MAX}, as it names a network device")
        elif device and not DEVICE_NAME.fullmatch(name):
            self.problem(at, f"{name!r} is not a device name", "no spaces, slashes or colons")
        return name if isinstance(name, str) else ""

    def values(self, given: Mapping[str, Any], path: str, columns: Tuple[Column, ...]) -> Dict[str, Any]:
        return {column.name: self.value(column, given[column.name], _join(path, column.name)) for column in columns if column.name in given}

    def value(self, column: Column, given: Any, at: str) -> Value | Dict[str, Optional[str]]:
        if "map" in column.kind:
            return self.map(given, at, nullable=column.kind == "shared map")
        if column.kind == "set":
            if not isinstance(given, list):
                self.problem(at, f"is {_kind(given)}", "a list")
                return ()
            if len(set(map(str, given))) != len(given):
                self.problem(at, "has a value twice", "each value once")
            valid = [item for index, item in enumerate(given) if self.atom(column, item, f"{at}[{index}]")]
            return tuple(sorted(set(valid)))
        if given is None and column.kind == "optional":
            return None
        return given if self.atom(column, given, at) else None

    def atom(self, column: Column, given: Any, at: str) -> bool:
        """Whether it is a right value for the column; if not, that is a problem."""
        expected = column.expected
        if column.choices:
            expected, right = f"one of {', '.join(column.choices)}", given in column.choices
        elif column.atom is int:
            expected = f"a whole number from {column.minimum}" + (f" to {column.maximum}" if column.maximum is not None else "")
            right = isinstance(given, int) and not isinstance(given, bool) and given >= column.minimum and (column.maximum is None or given <= column.maximum)
        else:
            expected = expected or "a string"
            right = isinstance(given, str) and (column.pattern is None or bool(column.pattern.fullmatch(given)))
        if not right:
            self.problem(at, f"is {_kind(given)}", expected)
        return right

    def map(self, given: Any, at: str, nullable: bool) -> Dict[str, Optional[str]]:
        if not isinstance(given, Mapping):
            self.problem(at, f"is {_kind(given)}", "a map of strings")
            return {}
        result: Dict[str, Optional[str]] = {}
        for key, item in given.items():
            place = f"{at}.{key}"
            if key == OWNER_KEY:
                self.problem(place, "is reserved", "the option `owner` instead, which sets it on what is created")
            elif item is None and nullable:
                result[str(key)] = None
            elif isinstance(item, bool):
                result[str(key)] = str(item).lower()  # YAML's true is what OVS spells "true"
            elif isinstance(item, (str, int)):
                result[str(key)] = str(item)
            else:
                self.problem(place, f"is {_kind(item)}", "a string" + (", or null to remove the key" if nullable else ""))
        return result

    def flow_tables(self, given: Mapping[str, Any], path: str) -> Optional[Dict[int, str]]:
        if "flow_tables" not in given:
            return None
        tables, at = given["flow_tables"], _join(path, "flow_tables")
        if not isinstance(tables, Mapping):
            self.problem(at, f"is {_kind(tables)}", "a map of table number to name")
            return {}
        result: Dict[int, str] = {}
        for number, name in tables.items():
            place = f"{at}.{number}"
            if not re.fullmatch(r"[0-9]{1,3}", str(number)) or int(number) > 254:
                self.problem(place, "is not a table number", "a number from 0 to 254")
            elif not isinstance(name, str) or not TABLE_NAME.fullmatch(name):
                self.problem(place, f"is {_kind(name)}", "a name of 1 to 31 characters without spaces, commas or parentheses")
            elif int(number) in result:
                self.problem(place, "is there twice", "each table once")
            elif name in result.values():
                self.problem(place, f"is {name!r}, as another table is", "a name of its own for each table")
            else:
                result[int(number)] = name
        return dict(sorted(result.items()))

    def check_names(self, wanted: WantedSwitch) -> None:
        """OVS has one name space for bridges, one for ports and one for interfaces, over the whole host."""
        bridges: Dict[str, str] = {}
        ports: Dict[str, str] = {}
        interfaces: Dict[str, str] = {}
        local = {bridge.name for bridge in wanted.bridges}
        for bridge in wanted.bridges:
            self.unique(bridges, bridge.name, bridge.path)
            numbers: Dict[str, str] = {}
            for port in bridge.ports:
                self.unique(ports, port.name, port.path)
                if port.name in local and port.name != bridge.name:
                    self.problem(f"{port.path}.name", f"{port.name!r} is a bridge, whose own port has that name", "another name")
                if port.interfaces is None:
                    self.unique(interfaces, port.name, port.path)
                for interface in port.interfaces or ():
                    self.unique(interfaces, interface.name, interface.path)
                    if interface.values.get("ofport_request") is not None:
                        self.unique(numbers, str(interface.values["ofport_request"]), interface.path, "ofport_request")
                if port.name == bridge.name:
                    self.check_local(port)

    def unique(self, seen: Dict[str, str], name: str, path: str, key: str = "name") -> None:
        if name and name in seen:
            self.problem(f"{path}.{key}", f"{name!r} is already that of {seen[name]}", f"a {key} of its own")
        seen.setdefault(name, path)

    def check_local(self, port: WantedPort) -> None:
        """The port of a bridge's own name is its local port: one interface, of type internal (ovs-vswitchd.conf.db(5), Bridge name)."""
        for interface in port.interfaces or ():
            if interface.name != port.name:
                self.problem(f"{interface.path}.name", f"{interface.name!r} is in the bridge's local port", f"only {port.name!r} there")
            if interface.values.get("type", "internal") != "internal":
                self.problem(f"{interface.path}.type", f"is {_kind(interface.values['type'])}", "internal: it is the bridge's local port")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _kind(value: Any) -> str:
    """A value as a sentence shows it."""
    if value is None:
        return "null"
    if isinstance(value, (str, int, float)):
        return repr(value)
    return "a map" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else type(value).__name__
