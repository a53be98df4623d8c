# SPDX-License-Identifier: Apache-2.0
"""What is wanted and what is there → what has to be done. Pure."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Mapping, Optional

from ..nft import is_current
from . import firewall
from .model import PROTOCOL, PROTOCOL_RA, File, Host, Link, Neighbour, Route, Unit, WireGuard, version


@dataclass(frozen=True)
class Plan:
    """What turns a host into the wanted one; false if nothing has to be done."""

    sysctl: Mapping[str, str] = field(default_factory=dict)
    ip_add: tuple[str, ...] = ()
    """Lines of one ``ip -batch``."""
    ip_remove: tuple[str, ...] = ()
    """Lines of a second one. Apart, because one removal may do another's: an IPv4 address takes its subnet's secondary ones along."""
    nftables: Mapping[str, Optional[str]] = field(default_factory=dict)
    files: Mapping[str, Optional[File]] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    firewall: Mapping[str, bool] = field(default_factory=dict)
    wireguard: Mapping[str, Optional[WireGuard]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.sysctl or self.ip_add or self.ip_remove or self.nftables or self.files or self.units or self.firewall or self.wireguard)

    def actions(self) -> list[str]:
        """One line an action, for people, in order of apply."""
        units = sorted(self.units.items())
        lines = [f"systemctl stop {name}" for name, unit in units if unit.started is False]
        lines += [f"systemctl disable {name}" for name, unit in units if unit.enabled is False]
        lines += [f"{'remove' if self.files[path] is None else 'write'} {path}" for path in sorted(self.files)]
        lines += [f"nft replace table {name}" for name in sorted(self.nftables) if self.nftables[name] is not None]
        lines += [firewall.action(statement, self.firewall[statement]) for statement in sorted(self.firewall)]
        lines += [f"sysctl {key}={self.sysctl[key]}" for key in sysctl_order(self.sysctl)]
        lines += [f"wg syncconf {name}" for name in sorted(self.wireguard) if self.wireguard[name] is not None]
        lines += [f"ip {line}" for line in self.ip_add + self.ip_remove]
        lines += [f"ip link del dev {name}" for name in sorted(self.wireguard) if self.wireguard[name] is None]
        lines += [f"nft delete table {name}" for name in sorted(self.nftables) if self.nftables[name] is None]
        lines += [f"systemctl enable {name}" for name, unit in units if unit.enabled]
        lines += [f"systemctl start {name}" for name, unit in units if unit.started]
        return lines


def sysctl_order(sysctl: Mapping[str, object]) -> list[str]:
    """Forwarding and `all` first: writing them sets the interfaces' own values anew (Linux, networking/ip-sysctl)."""
    def general(key: str) -> int:
        return 0 if key.endswith("ip_forward") else 1 if ".all." in key else 2 if ".default." in key else 3
    return sorted(sysctl, key=lambda key: (general(key.replace("/", ".")), key))


def route_line(route: Route) -> str:
    """The route in ip-route(8)'s words."""
    words = [route.destination, f"via {route.via}" if route.via else "", f"dev {route.device}", "onlink" if route.onlink else "",
             f"src {route.source}" if route.source else "", f"metric {route.metric}" if route.metric else "",
             f"mtu {route.mtu}" if route.mtu else "", f"proto {route.protocol}"]
    return " ".join(word for word in words if word)


def displaced(want: Host, have: Host) -> list[Route]:
    """Other people's routes that cannot stay: on a link that loses its addresses, or of the same key as a wanted one."""
    if want.routes is None:
        return []
    wanted, keys = set(want.routes), {route.key for route in want.routes}
    return [route for route in have.routes or () if route.protocol != PROTOCOL and route not in wanted
            and (route.device in want.stripped or route.key in keys)]


def _routes(want: Host, have: Host) -> tuple[list[str], list[str]]:
    """Lines that add, and lines that remove. `replace` takes the place of the route of the same key in one step."""
    if want.routes is None:
        return [], []
    there, wanted, keys = set(have.routes or ()), set(want.routes), {route.key for route in want.routes}
    # A route without a next hop first: it may be what makes another's next hop reachable.
    add = sorted((route for route in wanted - there), key=lambda route: (bool(route.via), route))
    gone = {route for route in there - wanted if route.protocol == PROTOCOL} | set(displaced(want, have))
    remove = sorted(route for route in gone if route.key not in keys)
    # `route del` takes no onlink or mtu to tell routes apart.
    return ([f"route replace {route_line(route)}" for route in add],
            [f"route del {route_line(replace(route, onlink=False, mtu=0))}" for route in remove])


def neighbour_line(entry: Neighbour) -> str:
    line = f"{entry.address} lladdr {entry.mac} dev {entry.device} nud permanent"
    return f"{line} protocol {entry.protocol}" if entry.protocol else line


def _neighbours(want: Host, have: Host) -> tuple[list[str], list[str]]:
    if want.neighbours is None:
        return [], []
    there, keys = set(have.neighbours or ()), {entry.key for entry in want.neighbours}
    add = sorted(set(want.neighbours) - there)
    remove = sorted(entry for entry in there if entry.protocol == PROTOCOL and entry.key not in keys)
    return ([f"neigh replace {neighbour_line(entry)}" for entry in add],
            [f"neigh del {entry.address} dev {entry.device}" for entry in remove])


def _link(name: str, want: Link, have: Link) -> tuple[list[str], list[str], list[str]]:
    """Lines that set attributes, that add addresses, that remove addresses."""
    settings = []
    if want.mac is not None and want.mac != have.mac:
        settings.append(f"link set dev {name} address {want.mac}")
    if want.mtu is not None and want.mtu != have.mtu:
        settings.append(f"link set dev {name} mtu {want.mtu}")
    if want.up is not None and want.up != bool(have.up):
        settings.append(f"link set dev {name} {'up' if want.up else 'down'}")
    if want.addresses is None:
        return settings, [], []
    there = have.addresses or ()
    # nodad: a moved address was this node's before, and a gateway's has no rival; with DAD it could not be a route's source for seconds.
    add = [f"addr add {address} dev {name} {'nodad' if version(address) == 6 else 'broadcast +'}"
           for address in want.addresses if address not in there]
    return settings, add, [f"addr del {address} dev {name}" for address in there if address not in want.addresses]


def _ip(want: Host, have: Host) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Additions before removals, over all links: an address that moves from one link to another exists all the time."""
    settings, add, remove = [], [], []  # type: list[str], list[str], list[str]
    for name in sorted(want.links):
        link = want.links[name]
        if link is not None:
            lines = _link(name, link, have.links.get(name) or Link())
            settings += lines[0]
            add += lines[1]
            remove += lines[2]
    neighbours, routes = _neighbours(want, have), _routes(want, have)
    return tuple(settings + add + neighbours[0] + routes[0]), tuple(routes[1] + neighbours[1] + remove)


def _unit(want: Unit, have: Optional[Unit]) -> Unit:
    have = have or Unit(False, False)
    return Unit(None if want.enabled == have.enabled else want.enabled, None if want.started == have.started else want.started)


def plan(want: Host, have: Host) -> Plan:
    """What has to be done to ``have``, which must have been read for ``want``'s names. A link that is not there counts as bare."""
    units = {name: _unit(unit, have.units.get(name)) for name, unit in want.units.items() if unit is not None}
    add, remove = _ip(want, have)
    return Plan(
        sysctl={key: value for key, value in want.sysctl.items() if value is not None and have.sysctl.get(key) != value},
        ip_add=add,
        ip_remove=remove,
        nftables={name: text for name, text in want.nftables.items()
                  if (have.nftables.get(name) is not None if text is None else not is_current(have.nftables.get(name), text))},
        files={path: file for path, file in want.files.items() if have.files.get(path) != file},
        units={name: unit for name, unit in units.items() if unit != Unit()},
        wireguard={name: device for name, device in want.wireguard.items() if have.wireguard.get(name) != device},
        firewall={statement: wanted for statement, wanted in want.firewall.items() if have.firewall.get(statement, False) != wanted},
    )


def _narrowed(link: Optional[Link], to: Optional[Link]) -> Optional[Link]:
    """Only the attributes that are managed."""
    if link is None or to is None:
        return None
    return Link(link.mac if to.mac is not None else None, link.mtu if to.mtu is not None else None,
                link.addresses if to.addresses is not None else None, link.up if to.up is not None else None)


def prior(want: Host, have: Host) -> Host:
    """What ``have`` has in the place of everything that is not Sluice's and that ``want`` changes: what uninstalling puts back.

    Routes that the kernel learns from router advertisements come back by themselves.
    """
    taken = {entry.key for entry in want.neighbours or ()}
    return Host(
        sysctl={key: have.sysctl.get(key) for key in want.sysctl},
        links={name: _narrowed(have.links.get(name), link) for name, link in want.links.items()},
        wireguard={name: have.wireguard.get(name) for name in want.wireguard},
        routes=tuple(sorted(route for route in displaced(want, have) if route.protocol != PROTOCOL_RA)),
        neighbours=tuple(sorted(entry for entry in have.neighbours or () if entry.protocol != PROTOCOL and entry.key in taken)),
        nftables={name: have.nftables.get(name) for name in want.nftables},
        files={path: have.files.get(path) for path in want.files},
        units={name: have.units.get(name) for name in want.units},
        firewall=firewall.recorded({statement: have.firewall.get(statement, False) for statement in want.firewall}),
    )


def reverse(want: Host, have: Host) -> Host:
    """What to want in order to be back at ``have`` after ``want`` was applied only in part."""
    return replace(
        prior(want, have),
        # A device that is to go again needs no key, and one that was there goes on with the key that it was to have.
        wireguard={name: replace(device, private_key_file=wanted.private_key_file) if (device := have.wireguard.get(name)) else None
                   for name, wanted in want.wireguard.items() if wanted is not None},
        routes=None if want.routes is None else tuple(route for route in have.routes or () if route.protocol != PROTOCOL_RA),
        neighbours=None if want.neighbours is None else have.neighbours,
        units={},
    )
