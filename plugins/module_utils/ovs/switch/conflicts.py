# SPDX-License-Identifier: Apache-2.0
"""Why what is there does not allow what is wanted. Pure."""
from __future__ import annotations

from typing import Iterator, Optional, Tuple

from ...errors import Problem
from .config import Wanted, interfaces_of
from .map_keys import missing_options
from .record import Record, Switch, owner_of
from .schema import COLUMNS, TABLES
from .secrets import HIDDEN, SECRET_OPTIONS
from .target import Intent


def conflicts(intent: Intent, have: Switch, goal: Switch) -> Iterator[Problem]:
    """All reasons to refuse."""
    yield from _not_ours(intent, have, goal)
    if intent.doubts:
        held = set(_held("Open_vSwitch", intent.wanted, have.root))
        yield from (problem for problem in intent.doubts if problem.path not in held)
    if intent.everything and intent.adopt:
        yield Problem("", "", "adopt", "is set, but config names nothing", "a config that names what is to become the owner's")
    if intent.state != "deleted":
        yield from _unsupported(intent.wanted, have)
        yield from _unknown_columns("Open_vSwitch", intent.wanted, have)
        yield from _misplaced(intent, have, goal)
        yield from _incomplete("Open_vSwitch", intent.wanted, goal.root)
        yield from _unknown_ports(intent.wanted, goal)
        yield from _unknown_secrets(intent.wanted, goal)


def _held(table: str, wanted: Wanted, have: Record) -> Iterator[str]:
    """The paths of what is wanted and there already."""
    for name, given in wanted.values.items():
        there = have.values[name]
        if given == there:
            yield f"{wanted.path}.{name}"
            if name == TABLES[table].shorthand:
                yield wanted.path
        if isinstance(given, dict) and isinstance(there, dict):
            prefix = f"{wanted.path}.{name}" if wanted.path else name
            yield from (f"{prefix}.{key}" for key, value in given.items() if there.get(key) == value)
    for child in TABLES[table].children:
        for key, item in wanted.of(child.key).items():
            if key in have.of(child.key):
                yield f"{item.path}.{child.by}"
                yield from _held(child.table, item, have.of(child.key)[key])


def _not_ours(intent: Intent, have: Switch, goal: Switch) -> Iterator[Problem]:
    """A bridge takes with it what is in it, and what the owner did not create never goes."""
    stay = {port for bridge in goal.bridges.values() for port in bridge.of("ports")}
    for name, bridge in have.bridges.items():
        if name in goal.bridges:
            continue
        for key, what in (("ports", "ports"), ("sample_collector_sets", "sample collector sets")):
            foreign = [str(at) for at, item in sorted(bridge.of(key).items()) if at != name and at not in stay and not _may_go(intent, name, key, at, item)]
            if foreign:
                yield Problem("", f"bridge {name}", "", f"is to be removed, but has {what} that {intent.owner!r} did not create: {', '.join(foreign)}",
                              "them to be removed first, by whoever made them")


def _may_go(intent: Intent, bridge: str, key: str, at: object, record: Record) -> bool:
    """Whether what is in a bridge goes with it: also what is adopted, if it is named."""
    wanted = intent.named_bridges.get(bridge)
    return owner_of(record) == intent.owner or (intent.mine(record) and (key != "ports" or (wanted is not None and at in wanted.of("ports"))))


def _unsupported(wanted: Wanted, have: Switch) -> Iterator[Problem]:
    """Types that this ovs-vswitchd cannot make; it says in the database which it can."""
    for bridge in wanted.of("bridges").values():
        there = have.bridges.get(bridge.key)
        yield from _unsupported_type(bridge, "datapath_type", there, have.datapath_types)
        for port in bridge.of("ports").values():
            old = there.of("ports").get(port.key) if there else None
            for interface in interfaces_of(port).values():
                yield from _unsupported_type(interface, "type", old.of("interfaces").get(interface.key) if old else None, have.interface_types)


def _unsupported_type(wanted: Wanted, column: str, there: Optional[Record], supported: Tuple[str, ...]) -> Iterator[Problem]:
    value = wanted.values.get(column)
    if supported and value and value not in supported and not (there and there.values[column] == value):
        yield Problem("", "", f"{wanted.path}.{column}", f"is {value!r}, which Open vSwitch on this machine does not support",
                      f"one of {', '.join(supported)}")


def _unknown_columns(table: str, wanted: Wanted, have: Switch) -> Iterator[Problem]:
    """Columns that this version of Open vSwitch does not have."""
    for name, value in wanted.values.items():
        if (table, name) in have.absent and value not in (None, (), {}):
            yield Problem("", "", f"{wanted.path}.{name}", "is not known to the Open vSwitch on this machine", "a newer one, or to leave it out")
    for child in TABLES[table].children:
        for item in wanted.of(child.key).values():
            yield from _unknown_columns(child.table, item, have)


def _misplaced(intent: Intent, have: Switch, goal: Switch) -> Iterator[Problem]:
    """Names that are taken in another place, by something that may not be moved."""
    left = {name: bridge for name, bridge in have.bridges.items() if name in goal.bridges}
    places = {port: bridge for bridge in left.values() for port in bridge.of("ports")}
    holders = {interface: port for port, bridge in places.items() if not _goes(port, goal) for interface in bridge.of("ports")[port].of("interfaces")}
    for wanted in intent.named_bridges.values():
        if wanted.key not in have.bridges and wanted.key in places:
            at = places[wanted.key].row.name
            yield Problem("", "", f"{wanted.path}.name", f"{wanted.key!r} is a port of bridge {at}", "a free name")
        for port in wanted.of("ports").values():
            source = places.get(port.key)
            at = source.row.name if source else wanted.key
            if source and at != wanted.key and port.key == at:
                yield Problem("", "", f"{port.path}.name", f"{port.key!r} is a bridge, whose own port has that name", "a free name")
            elif source and at != wanted.key and not intent.mine(source.of("ports")[port.key]):
                yield Problem("", "", f"{port.path}.name", f"{port.key!r} is a port of bridge {at}, and {intent.owner!r} did not create it",
                              "it to be removed there first")
            if source and "interfaces" not in port.children and intent.state == "merged":
                continue
            for interface in interfaces_of(port).values():
                holder = holders.get(interface.key, port.key)
                if holder != port.key:
                    yield Problem("", "", f"{interface.path}.name", f"interface {interface.key!r} is in port {holder}",
                                  "it to be removed there first")


def _goes(port: str, goal: Switch) -> bool:
    return not any(port in bridge.of("ports") for bridge in goal.bridges.values())


def _incomplete(table: str, wanted: Wanted, goal: Record) -> Iterator[Problem]:
    """New rows without what such a row cannot be without."""
    if not goal.row.uuid:
        for name in TABLES[table].required:
            if name in COLUMNS[table] and not goal.values[name]:
                yield Problem("", "", f"{wanted.path}.{name}", "is missing", f"a value, as there is no {table} without it")
        if table == "Interface":
            for option, message, expected in missing_options(str(goal.values["type"]), _options(goal)):
                yield Problem("", "", f"{wanted.path}.options.{option}", message, expected)
    for child in TABLES[table].children:
        for key, item in wanted.of(child.key).items():
            if key in goal.of(child.key):
                yield from _incomplete(child.table, item, goal.of(child.key)[key])


def _options(record: Record) -> dict[str, str]:
    options = record.values["options"]
    return options if isinstance(options, dict) else {}


def _unknown_ports(wanted: Wanted, goal: Switch) -> Iterator[Problem]:
    """Mirrors of ports that the bridge does not have."""
    for bridge in wanted.of("bridges").values():
        ports = goal.bridges[bridge.key].of("ports")
        for mirror in bridge.of("mirrors").values():
            for column, value in mirror.values.items():
                if COLUMNS["Mirror"][column].refers:
                    for name in value if isinstance(value, tuple) else (value,):
                        if name is not None and name not in ports:
                            yield Problem("", "", f"{mirror.path}.{column}", f"names {name!r}, which is no port of bridge {bridge.key}",
                                          f"one of {', '.join(ports)}")


def _unknown_secrets(wanted: Wanted, goal: Switch) -> Iterator[Problem]:
    """A config as it was shown, for a switch that does not have the secrets."""
    for bridge in wanted.of("bridges").values():
        for port in bridge.of("ports").values():
            for interface in port.of("interfaces").values():
                options = _options(goal.bridges[bridge.key].of("ports")[port.key].of("interfaces")[interface.key])
                for key in SECRET_OPTIONS:
                    if options.get(key) == HIDDEN:
                        yield Problem("", "", f"{interface.path}.options.{key}", "is hidden, and there is none that it could stand for",
                                      "the secret, in the option `secrets`")
