# SPDX-License-Identifier: Apache-2.0
"""``config`` of sluice.fabric.switch, checked whole before anything is touched."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ...errors import InputError, Problem
from .map_keys import key_problems, key_warnings
from .record import SINGLE, is_reserved
from .schema import COLUMNS, EMPTY, TABLES, Child, Column

DEVICE_NAME_MAX = 15
"""Linux's IFNAMSIZ less its end mark. Bounds the names of interfaces that are a device of their own, unlike patches and tunnels."""
DEVICE_TYPES = ("", "system", "internal", "tap")
DEVICE_NAME = re.compile(r"(?!\.{1,2}$)[^\s/:\\]+")
INTEGER = re.compile(r"-?[0-9]+")
TARGET = re.compile(r"(p?(tcp|ssl)|p?unix):\S+")
SERVICE_MAX = 0xFFFFFF
"""The greatest I-SID, which are the keys of the one map whose keys are numbers (AutoAttach, mappings)."""
NUMBERS = {"flow_tables": 254, "queues": 0xFFFFFFFF, "ct_zones": 0xFFFF, "sample_collector_sets": 0xFFFFFFFF}
"""The greatest number, by what is told apart by numbers."""


class Wanted(NamedTuple):
    """What ``config`` says of one row and of those that belong to it."""

    key: Any
    """Its name, target or number; SINGLE where there is only one."""
    values: Mapping[str, Any] = EMPTY
    """Column name to value, for the columns given; in a map None removes a key."""
    children: Mapping[str, Optional[Mapping[Any, Wanted]]] = EMPTY
    """By Child.key, for those given, then by name, target or number; None: there shall be none."""
    path: str = ""
    """Where it is in ``config``, for what is said about it."""

    def of(self, key: str) -> Mapping[Any, Wanted]:
        """The children of one kind."""
        return self.children.get(key) or EMPTY


class Parsed(NamedTuple):
    """A config that is right in itself."""

    root: Wanted
    warnings: Tuple[str, ...] = ()
    doubts: Tuple[Problem, ...] = ()
    """What is wrong, but for a switch that has it so already: Open vSwitch takes more than it makes sense of, and others write it."""


def parse(config: Mapping[str, Any], complete: bool = False) -> Parsed:
    """The typed form of ``config``; raises InputError with all problems, each with its path like ``bridges[0].ports[3].tag``.

    A ``complete`` one must say which bridges there are: leaving them out by mistake would remove them all.
    """
    reader = _Reader()
    if complete and not isinstance(config.get("bridges"), list):
        reader.problem("bridges", "is missing", "a list of all bridges, as what it does not name is removed")
    root = reader.record("Open_vSwitch", SINGLE, config, "")
    reader.check_names(root)
    if reader.problems:
        raise InputError([*reader.problems, *reader.doubts])
    return Parsed(root, tuple(reader.warnings), tuple(reader.doubts))


class _Reader:
    """Collects problems while it reads, so that one run shows them all."""

    def __init__(self) -> None:
        self.problems: List[Problem] = []
        self.doubts: List[Problem] = []
        self.warnings: List[str] = []

    def problem(self, path: str, message: str, expected: str = "") -> None:
        self.problems.append(Problem("", "", path, message, expected))

    def doubt(self, path: str, message: str, expected: str) -> None:
        self.doubts.append(Problem("", "", path, message, expected))

    def record(self, table: str, key: Any, given: Mapping[str, Any], path: str, by: str = "") -> Wanted:
        columns, children = TABLES[table].columns, TABLES[table].children
        known = sorted({*(column.name for column in columns), *(child.key for child in children), *([by] if by else [])})
        for name in given:
            if name not in known:
                self.problem(_join(path, str(name)), "is not a known key", f"one of {', '.join(known)}")
        values = {column.name: self.value(column, given[column.name], _join(path, column.name)) for column in columns if column.name in given}
        for column in columns:
            if "map" in column.kind and column.name in values:
                self.check_keys(table, column, values, _join(path, column.name))
        return Wanted(key, values, {child.key: self.children(child, given, path) for child in children if child.key in given}, path)

    def children(self, child: Child, given: Mapping[str, Any], path: str) -> Optional[Dict[Any, Wanted]]:
        items, at = given[child.key], _join(path, child.key)
        if items is None:
            return None
        read = {"list": self.list, "map": self.map, "single": self.single}[child.shape]
        return read(child, items, at)

    def single(self, child: Child, given: Any, at: str) -> Dict[Any, Wanted]:
        if not isinstance(given, Mapping):
            self.problem(at, f"is {_kind(given)}", "a map, or null for none")
            return {}
        return {SINGLE: self.record(child.table, SINGLE, given, at)}

    def list(self, child: Child, items: Any, at: str) -> Dict[Any, Wanted]:
        if not isinstance(items, list):
            self.problem(at, f"is {_kind(items)}", "a list")
            return {}
        if child.key == "interfaces" and not items:
            self.problem(at, "is empty", "at least one interface: a port consists of interfaces")
        found: Dict[Any, Wanted] = {}
        for index, item in enumerate(items):
            path = f"{at}[{index}]"
            if not isinstance(item, Mapping):
                self.problem(path, f"is {_kind(item)}", f"a map with a {child.by}")
                continue
            key = self.name(child, item, path)
            # Names are checked over the whole host, where there is one name space for each kind (see check_names).
            if key in found and child.key not in ("bridges", "ports", "interfaces"):
                self.problem(f"{path}.{child.by}", f"{key!r} is already that of {found[key].path}", f"a {child.by} of its own")
            found[key if key not in found else (key, index)] = self.record(child.table, key, item, path, child.by)
        return found

    def map(self, child: Child, items: Any, at: str) -> Dict[Any, Wanted]:
        what = child.by.replace("a ", "", 1)
        if not isinstance(items, Mapping):
            self.problem(at, f"is {_kind(items)}", f"a map of {what} to what it is")
            return {}
        found: Dict[Any, Wanted] = {}
        for given_key, item in items.items():
            path, key = f"{at}.{given_key}", given_key
            if child.key in NUMBERS:
                key = self.number(given_key, path, child)
                if key is None:
                    continue
            if key in found:
                self.problem(path, "is there twice", f"each {what.split()[-1]} once")
            shorthand = TABLES[child.table].shorthand
            if isinstance(item, Mapping):
                found[key] = self.record(child.table, key, item, path)
            elif shorthand:
                found[key] = Wanted(key, {shorthand: self.value(COLUMNS[child.table][shorthand], item, path)}, path=path)
            else:
                self.problem(path, f"is {_kind(item)}", "a map")
        return found

    def number(self, given: Any, path: str, child: Child) -> Optional[int]:
        if not re.fullmatch(r"[0-9]{1,10}", str(given)) or isinstance(given, bool) or int(given) > NUMBERS[child.key]:
            what = {"flow_tables": "a table number", "queues": "a queue number", "ct_zones": "a zone number"}.get(child.key, "a number")
            self.problem(path, "is not " + what, f"a number from 0 to {NUMBERS[child.key]}")
            return None
        return int(given)

    def name(self, child: Child, given: Mapping[str, Any], path: str) -> Any:
        """What tells a list's item from the others."""
        name, at = given.get(child.by), f"{path}.{child.by}"
        if child.by not in given:
            self.problem(at, "is missing", f"a {child.by}")
        elif child.by == "id":
            return self.number(name, at, child)
        elif not isinstance(name, str) or not name:
            self.problem(at, f"is {_kind(name)}", f"a {child.by} (a string that is not empty)")
        elif child.by == "target":
            if not TARGET.fullmatch(name):
                self.doubt(at, f"is {name!r}", "a connection method like tcp:192.0.2.1:6653, ssl:[2001:db8::1]:6653 or ptcp:6640:127.0.0.1")
        elif self.is_device(child, given):
            if len(name.encode()) > DEVICE_NAME_MAX:
                self.doubt(at, f"{name!r} has {len(name.encode())} bytes", f"at most {DEVICE_NAME_MAX}, as it names a network device")
            elif not DEVICE_NAME.fullmatch(name):
                self.doubt(at, f"{name!r} is not a device name", "no spaces, slashes or colons")
        return name if isinstance(name, str) else ""

    @staticmethod
    def is_device(child: Child, given: Mapping[str, Any]) -> bool:
        """Whether an object's name is that of a network device, too."""
        if child.key == "interfaces":
            return given.get("type", "") in DEVICE_TYPES
        return child.key == "bridges" or (child.key == "ports" and "interfaces" not in given)

    def value(self, column: Column, given: Any, at: str) -> Any:
        if "map" in column.kind:
            return None if given is None else self.map_value(column, given, at)
        if given is None:
            return None
        if column.kind == "set":
            if not isinstance(given, list):
                self.problem(at, f"is {_kind(given)}", "a list")
                return ()
            if len(set(map(str, given))) != len(given):
                self.problem(at, "has a value twice", "each value once")
            return tuple(sorted({self.atom(column, item, f"{at}[{index}]") for index, item in enumerate(given)}))
        return self.atom(column, given, at)

    def atom(self, column: Column, given: Any, at: str) -> Any:
        """The value as the column takes it; a wrong one is a problem."""
        if column.atom is bool:
            text = str(given).lower()
            return self.expect(isinstance(given, (bool, str)) and text in ("true", "false"), given, at, "true or false", text == "true")
        if column.atom is int:
            value = int(given) if isinstance(given, str) and INTEGER.fullmatch(given) else given
            least, most = column.minimum, column.maximum
            limits = ("" if least is None else f" from {least}") + ("" if most is None else f" to {most}")
            right = isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least) and (most is None or value <= most)
            return self.expect(right, given, at, f"a whole number{limits}", value) or 0
        if column.choices:
            return self.expect(given in column.choices, given, at, f"one of {', '.join(column.choices)}", given) or ""
        if isinstance(given, str) and column.pattern is not None and not column.pattern.fullmatch(given):
            self.doubt(at, f"is {_kind(given)}", column.expected)
        return self.expect(isinstance(given, str), given, at, column.expected or "a string", given) or ""

    def expect(self, right: bool, given: Any, at: str, expected: str, value: Any) -> Any:
        if not right:
            self.problem(at, f"is {_kind(given)}", expected)
        return value if right else None

    def map_value(self, column: Column, given: Any, at: str) -> Dict[Any, Any]:
        if not isinstance(given, Mapping):
            self.problem(at, f"is {_kind(given)}", f"a map of {'numbers' if column.atom is int else 'strings'}")
            return {}
        result: Dict[Any, Any] = {}
        for key, item in given.items():
            place = f"{at}.{key}"
            if column.name == "external_ids" and is_reserved(str(key)):
                self.problem(place, "is reserved", "the option `owner` instead, which sets it on what is created")
            elif column.choices and key not in column.choices:
                self.problem(place, "is not a known key", f"one of {', '.join(column.choices)}")
            elif column.key_atom is int and not (re.fullmatch("[0-9]{1,8}", str(key)) and int(key) <= SERVICE_MAX):
                self.problem(place, "is not a known key", f"a whole number from 0 to {SERVICE_MAX}")
            elif item is None:
                result[column.key_atom(key)] = None
            elif column.atom is int:
                result[column.key_atom(key)] = self.atom(column._replace(choices=()), item, place)
            elif isinstance(item, bool):
                result[str(key)] = str(item).lower()  # YAML's true is what OVS spells "true"
            elif isinstance(item, (str, int)):
                result[str(key)] = str(item)
            else:
                self.problem(place, f"is {_kind(item)}", "a string, or null to remove the key")
        return result

    def check_keys(self, table: str, column: Column, values: Mapping[str, Any], at: str) -> None:
        """Against what Open vSwitch documents of a map's keys."""
        if column.atom is str and values[column.name]:
            of_type = values.get("type") or ""
            for key, message, expected in key_problems(table, column.name, of_type, values[column.name]):
                self.doubt(f"{at}.{key}", message, expected)
            self.warnings += [f"{at}: {warning}" for warning in key_warnings(table, column.name, of_type, values[column.name])]

    def check_names(self, root: Wanted) -> None:
        """OVS has one name space for bridges, one for ports and one for interfaces, over the whole host."""
        bridges: Dict[str, str] = {}
        ports: Dict[str, str] = {}
        interfaces: Dict[str, str] = {}
        local = {bridge.key for bridge in root.of("bridges").values()}
        for bridge in root.of("bridges").values():
            self.unique(bridges, bridge.key, bridge.path)
            self.check_tables(bridge)
            numbers: Dict[int, str] = {}
            for port in bridge.of("ports").values():
                self.unique(ports, port.key, port.path)
                if port.key in local and port.key != bridge.key:
                    self.problem(f"{port.path}.name", f"{port.key!r} is a bridge, whose own port has that name", "another name")
                for interface in interfaces_of(port).values():
                    self.unique(interfaces, interface.key, interface.path)
                    if interface.values.get("ofport_request") is not None:
                        self.check_number(numbers, interface)
                    if port.key == bridge.key:
                        self.check_local(port, interface)

    def unique(self, seen: Dict[str, str], name: str, path: str) -> None:
        if name and name in seen:
            self.problem(f"{path}.name", f"{name!r} is already that of {seen[name]}", "a name of its own")
        seen.setdefault(name, path)

    def check_number(self, seen: Dict[int, str], interface: Wanted) -> None:
        number = interface.values["ofport_request"]
        if number in seen:
            self.doubt(f"{interface.path}.ofport_request", f"{number} is already that of {seen[number]}", "an ofport_request of its own")
        seen.setdefault(number, interface.path)

    def check_tables(self, bridge: Wanted) -> None:
        seen: Dict[str, str] = {}
        for table in bridge.of("flow_tables").values():
            name = table.values.get("name")
            if name and name in seen:
                self.doubt(table.path, f"is {name!r}, as another table is", "a name of its own for each table")
            elif name:
                seen[name] = table.path

    def check_local(self, port: Wanted, interface: Wanted) -> None:
        """The port of a bridge's own name is its local port: one interface, of type internal (ovs-vswitchd.conf.db(5), Bridge name)."""
        if interface.key != port.key:
            self.doubt(f"{interface.path}.name", f"{interface.key!r} is in the bridge's local port", f"only {port.key!r} there")
        if interface.values.get("type", "internal") != "internal":
            self.doubt(f"{interface.path}.type", f"is {_kind(interface.values['type'])}", "internal: it is the bridge's local port")


def interfaces_of(port: Wanted) -> Mapping[Any, Wanted]:
    """The interfaces of a port; one of its own name where none is given."""
    return port.of("interfaces") or {port.key: Wanted(port.key, path=port.path)}


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _kind(value: Any) -> str:
    """A value as a sentence shows it."""
    if value is None:
        return "null"
    if isinstance(value, (str, int, float)):
        return repr(value)
    return "a map" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else type(value).__name__
