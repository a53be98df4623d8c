# SPDX-License-Identifier: Apache-2.0
"""Why what is there does not allow what is wanted. Pure."""
from __future__ import annotations

from typing import Iterator, Optional, Tuple

from ...errors import Problem
from .columns import Values
from .config import WantedSwitch
from .database import Switch, owner_of
from .target import Removal, interfaces_of, survivors


def conflicts(want: WantedSwitch, have: Switch, gone: Removal, state: str, owner: str) -> Iterator[Problem]:
    """All reasons to refuse."""
    yield from _foreign_ports(have, gone, owner)
    if state != "deleted":
        yield from _unsupported(want, have)
        yield from _misplaced(want, have, gone, owner)


def _foreign_ports(have: Switch, gone: Removal, owner: str) -> Iterator[Problem]:
    """A bridge takes its ports with it, and what the owner did not create never goes."""
    for name in sorted(gone.bridges):
        foreign = [port for port, item in sorted(have.bridges[name].ports.items()) if port != name and owner_of(item.values) != owner]
        if foreign:
            yield Problem("", f"bridge {name}", "", f"is to be removed, but has ports that {owner!r} did not create: {', '.join(foreign)}",
                          "them to be removed first, by whoever made them")


def _unsupported(want: WantedSwitch, have: Switch) -> Iterator[Problem]:
    """Types that this ovs-vswitchd cannot make; it says in the database which it can."""
    for bridge in want.bridges:
        there = have.bridges.get(bridge.name)
        yield from _unsupported_type(bridge.path, "datapath_type", bridge.values, there.values if there else None, have.datapath_types)
        for port in bridge.ports:
            old = there.ports[port.name].interfaces if there and port.name in there.ports else {}
            for interface in interfaces_of(port):
                member = old.get(interface.name)
                held = member.values if member else None
                yield from _unsupported_type(interface.path, "type", interface.values, held, have.interface_types)


def _unsupported_type(path: str, column: str, new: Values, old: Optional[Values], supported: Tuple[str, ...]) -> Iterator[Problem]:
    value = new.get(column)
    if supported and value and value not in supported and not (old and old.get(column) == value):
        yield Problem("", "", f"{path}.{column}", f"is {value!r}, which Open vSwitch on this machine does not support",
                      f"one of {', '.join(supported)}")


def _misplaced(want: WantedSwitch, have: Switch, gone: Removal, owner: str) -> Iterator[Problem]:
    """Names that are taken in another place, by something that may not be moved."""
    places = {port: bridge for bridge in survivors(have, gone).values() for port in bridge.ports}
    holders = {interface: port for port, bridge in places.items() for interface in bridge.ports[port].interfaces}
    for wanted in want.bridges:
        if wanted.name not in have.bridges and wanted.name in places:
            at = places[wanted.name].row.name
            yield Problem("", "", f"{wanted.path}.name", f"{wanted.name!r} is a port of bridge {at}", "a free name")
        for port in wanted.ports:
            source = places.get(port.name)
            at = source.row.name if source else wanted.name
            if source and at != wanted.name and port.name == at:
                yield Problem("", "", f"{port.path}.name", f"{port.name!r} is a bridge, whose own port has that name", "a free name")
            elif source and at != wanted.name and owner_of(source.ports[port.name].values) != owner:
                yield Problem("", "", f"{port.path}.name", f"{port.name!r} is a port of bridge {at}, and {owner!r} did not create it",
                              "it to be removed there first")
            if source and port.interfaces is None:
                continue
            for interface in interfaces_of(port):
                holder = holders.get(interface.name, port.name)
                if holder != port.name:
                    yield Problem("", "", f"{interface.path}.name", f"interface {interface.name!r} is in port {holder}",
                                  "it to be removed there first")
