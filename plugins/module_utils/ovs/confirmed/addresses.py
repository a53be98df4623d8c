# SPDX-License-Identifier: Apache-2.0
"""IP addresses and routes of devices as data: what moving them from a device to a bridge changes, what undoes it, and the `ip` commands for it.

An address or a route is held as the words of the `ip` command that makes it (ip-address(8), ip-route(8)), so that what is put back is what was
there. What the kernel makes by itself is not held: link-local addresses, temporary ones, and the routes that come with an address.
"""
from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ...errors import SluiceError

_FOREVER = 4294967295
_SCOPE_LINK = 253
_PROTOCOL_KERNEL = "2"
_UNICAST = "1"
_LOCAL_TABLE = "255"
_ROUTE_KEYS = frozenset({
    "type", "dst", "gateway", "via", "dev", "protocol", "scope", "prefsrc", "metric", "tos", "table", "flags", "metrics", "expires", "pref", "nexthops"})


class Address(NamedTuple):
    device: str
    words: Tuple[str, ...]
    """The first is the address with its prefix length, or with `peer` and the peer's after it."""
    lifetimes: Optional[Tuple[int, int]] = None
    """Seconds for which it is valid and preferred; None: for ever."""

    @property
    def key(self) -> Tuple[str, ...]:
        """What the kernel lets a device have only once."""
        return (self.device, *(self.words[:3] if "peer" in self.words else self.words[:1]))


class Route(NamedTuple):
    words: Tuple[str, ...]
    expires: Optional[int] = None
    """Seconds."""

    @property
    def devices(self) -> FrozenSet[str]:
        return frozenset(after for word, after in zip(self.words, self.words[1:]) if word == "dev")


class Network(NamedTuple):
    """The links of a host with what is on them."""

    macs: Mapping[str, str]
    """Of every link that there is."""
    up: FrozenSet[str]
    addresses: Tuple[Address, ...]
    """In the kernel's order: of one subnet, the first is the primary one."""
    routes: Tuple[Route, ...]


class Commands(NamedTuple):
    """Lines for `ip -batch`."""

    make: Tuple[str, ...]
    unmake: Tuple[str, ...]
    """They fail where the kernel has taken away with one thing what hung on it, which is no harm."""

    @property
    def all(self) -> Tuple[str, ...]:
        return self.make + self.unmake


def network(links: Iterable[Mapping[str, Any]], routes: Iterable[Mapping[str, Any]]) -> Network:
    """From the answers to ``ip -json -N`` with ``addr show`` and ``route show table all``."""
    known = [link for link in links if "ifname" in link]
    return Network(
        {str(link["ifname"]): str(link.get("address", "")) for link in known},
        frozenset(str(link["ifname"]) for link in known if "UP" in link.get("flags", ())),
        tuple(_address(str(link["ifname"]), entry) for link in known for entry in link.get("addr_info", ()) if _is_configured(entry)),
        tuple(_route(entry) for entry in routes if _is_own(entry)))


def moved(have: Network, moves: Mapping[str, str]) -> Network:
    """``have`` with the addresses and routes of each device (key) on its bridge (value), which is up.

    An IPv6 address is not probed for duplicates again (RFC 4862 section 5.4): it would be unusable for a second, and has been this host's all along.
    """
    addresses = tuple(
        address._replace(device=moves[address.device], words=_on_bridge(address.words)) if address.device in moves else address
        for address in have.addresses)
    routes = tuple(_on_devices(route, moves) for route in have.routes)
    busy = {address.device for address in have.addresses} | {device for route in have.routes for device in route.devices}
    up = have.up | {bridge for device, bridge in moves.items() if device in busy or bridge in busy}
    return have._replace(up=up, addresses=_once(addresses), routes=tuple(dict.fromkeys(routes)))


def restored(now: Network, before: Network, goal: Network, devices: Iterable[str], elapsed: float = 0.0) -> Network:
    """``now`` without what leads from ``before`` to ``goal``, and with what ``devices`` had before; what others have changed since stays.

    A device that is not there now gets nothing. Lifetimes are shorter by the ``elapsed`` seconds.
    """
    there = frozenset(device for device in devices if device in now.macs)
    old, new = {address.key for address in before.addresses}, {address.key for address in goal.addresses}
    kept = [address for address in now.addresses if address.key in old or address.key not in new]
    back = [address._replace(lifetimes=_later(address.lifetimes, elapsed)) for address in before.addresses if address.device in there]
    put = {route.words for route in goal.routes} - {route.words for route in before.routes}
    routes = [route for route in now.routes if route.words not in put]
    has = {route.words for route in routes}
    routes += [route._replace(expires=None if route.expires is None else max(1, int(route.expires - elapsed)))
               for route in before.routes
               if route.words not in has and route.devices & there and route.devices <= set(now.macs) and "unknown" not in route.words]
    started = goal.up - before.up
    return now._replace(up=(now.up - started) | (before.up & there), addresses=_once((*kept, *back)), routes=tuple(routes))


def difference(have: Network, goal: Network) -> Commands:
    """What leads from ``have`` to ``goal``.

    What is new comes first, so that at no moment an address or a route is missing; a route that is on the old device takes the new one's place,
    as the kernel lets only one have the same destination and metric. A secondary address goes before its primary one, which takes it along.
    """
    had, wanted = {address.key for address in have.addresses}, {address.key for address in goal.addresses}
    old, new = {route.words for route in have.routes}, {route.words for route in goal.routes}
    return Commands(
        (*(f"link set dev {device} up" for device in sorted(goal.up - have.up)),
         *(_add(address) for address in goal.addresses if address.key not in had),
         *(_replace(route) for route in goal.routes if route.words not in old)),
        (*(f"route del {' '.join(route.words)}" for route in have.routes if route.words not in new),
         *(f"addr del {' '.join(address.key[1:])} dev {address.device}" for address in reversed(have.addresses) if address.key not in wanted),
         *(f"link set dev {device} down" for device in sorted(have.up - goal.up))))


def as_text(of: Network, devices: Iterable[str]) -> str:
    """The addresses and routes of the devices, for people: a line each."""
    wanted = frozenset(devices)
    lines = [f"{' '.join(address.words)} dev {address.device}" for address in of.addresses if address.device in wanted]
    lines += [" ".join(route.words) for route in of.routes if route.devices & wanted]
    return "".join(f"{line}\n" for line in lines)


def to_json(of: Network) -> Dict[str, Any]:
    return {"macs": dict(of.macs), "up": sorted(of.up), "addresses": list(of.addresses), "routes": list(of.routes)}


def from_json(data: Mapping[str, Any]) -> Network:
    return Network(
        data["macs"], frozenset(data["up"]),
        tuple(Address(device, tuple(words), tuple(lifetimes) if lifetimes else None) for device, words, lifetimes in data["addresses"]),
        tuple(Route(tuple(words), expires) for words, expires in data["routes"]))


def _is_configured(entry: Mapping[str, Any]) -> bool:
    # A temporary address (RFC 8981) is made by the kernel from the one that it belongs to, and goes with it.
    return "local" in entry and int(entry.get("scope", 0)) < _SCOPE_LINK and not entry.get("temporary")


def _address(device: str, entry: Mapping[str, Any]) -> Address:
    words: List[str] = []
    if "address" in entry:
        words += [entry["local"], "peer", f"{entry['address']}/{entry['prefixlen']}"]
    else:
        words.append(f"{entry['local']}/{entry['prefixlen']}")
    if "broadcast" in entry:
        words += ["broadcast", entry["broadcast"]]
    if int(entry.get("scope", 0)):
        words += ["scope", str(entry["scope"])]
    if "metric" in entry:
        words += ["metric", str(entry["metric"])]
    words += [flag for flag in ("nodad", "home", "mngtmpaddr", "noprefixroute", "autojoin") if entry.get(flag)]
    if entry.get("label", device) != device:
        words += ["label", entry["label"]]
    valid, preferred = int(entry.get("valid_life_time", _FOREVER)), int(entry.get("preferred_life_time", _FOREVER))
    return Address(device, tuple(words), None if valid == _FOREVER else (valid, preferred))


def _is_own(entry: Mapping[str, Any]) -> bool:
    """Whether somebody made the route, and it leads over a device."""
    return ("dev" in entry or "nexthops" in entry) and entry.get("type", _UNICAST) == _UNICAST \
        and entry.get("table") != _LOCAL_TABLE and entry.get("protocol") != _PROTOCOL_KERNEL


def _route(entry: Mapping[str, Any]) -> Route:
    unknown = sorted(set(entry) - _ROUTE_KEYS)
    is_v6 = "pref" in entry
    destination = ("::/0" if is_v6 else "0.0.0.0/0") if entry["dst"] == "default" else str(entry["dst"])
    words = [destination]
    for key, word in (("tos", "tos"), ("table", "table"), ("protocol", "proto"), ("scope", "scope"), ("prefsrc", "src"), ("metric", "metric")):
        if key in entry:
            words += [word, str(entry[key])]
    for metrics in entry.get("metrics", ()):
        words += [word for name, value in metrics.items() for word in (name, str(value))]
    if is_v6 and entry["pref"] != "medium":
        words += ["pref", str(entry["pref"])]
    words += _hop(entry)
    for hop in entry.get("nexthops", ()):
        words += ["nexthop", *_hop(hop), *(("weight", str(hop["weight"])) if "weight" in hop else ())]
    if unknown:
        # Kept as it is, and refused only where it would have to be moved.
        words += ["unknown", ",".join(unknown)]
    return Route(tuple(words), entry.get("expires"))


def _hop(entry: Mapping[str, Any]) -> List[str]:
    words: List[str] = []
    if "gateway" in entry:
        words += ["via", str(entry["gateway"])]
    elif "via" in entry:
        words += ["via", str(entry["via"]["family"]), str(entry["via"]["host"])]
    if "dev" in entry:
        words += ["dev", str(entry["dev"])]
    if "onlink" in entry.get("flags", ()):
        words.append("onlink")
    return words


def _on_bridge(words: Tuple[str, ...]) -> Tuple[str, ...]:
    # A label begins with the name of the device that it is on.
    if "label" in words:
        place = words.index("label")
        words = words[:place] + words[place + 2:]
    return (*words, "nodad") if ":" in words[0] and "nodad" not in words else words


def _on_devices(route: Route, moves: Mapping[str, str]) -> Route:
    if not route.devices & set(moves):
        return route
    if "unknown" in route.words:
        raise SluiceError(f"the route {' '.join(route.words[:-2])} cannot be moved, because it has {route.words[-1]}: remove it, and make it on the bridge")
    words = tuple(moves.get(word, word) if before == "dev" else word for before, word in zip(("", *route.words), route.words))
    return route._replace(words=words)


def _once(addresses: Iterable[Address]) -> Tuple[Address, ...]:
    found: Dict[Tuple[str, ...], Address] = {}
    for address in addresses:
        found.setdefault(address.key, address)
    return tuple(found.values())


def _later(lifetimes: Optional[Tuple[int, int]], elapsed: float) -> Optional[Tuple[int, int]]:
    if lifetimes is None:
        return None
    valid, preferred = lifetimes
    return max(1, int(valid - elapsed)), _FOREVER if preferred == _FOREVER else max(0, int(preferred - elapsed))


def _add(address: Address) -> str:
    words = list(address.words)
    if address.lifetimes:
        valid, preferred = address.lifetimes
        words += ["valid_lft", str(valid), "preferred_lft", "forever" if preferred == _FOREVER else str(preferred)]
    return f"addr replace {' '.join(words)} dev {address.device}"


def _replace(route: Route) -> str:
    expires = () if route.expires is None else ("expires", str(route.expires))
    # Before the next hops, as it is the whole route's.
    place = route.words.index("nexthop") if "nexthop" in route.words else len(route.words)
    return f"route replace {' '.join((*route.words[:place], *expires, *route.words[place:]))}"
