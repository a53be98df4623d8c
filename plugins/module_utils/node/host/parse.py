# SPDX-License-Identifier: Apache-2.0
"""host.json (``config`` of sluice.fabric.host) → what is wanted; everything that is wrong with it is reported at once."""
from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable, Mapping, Optional, Sequence

from ...errors import InputError, Problem
from ...plan.addresses import with_port
from ..nft import MARKER_PREFIX
from .model import (
    FIREWALLD_FILES,
    SYSCTL_FILE,
    File,
    Host,
    Link,
    Neighbour,
    Openings,
    Port,
    Route,
    Unit,
    WireGuard,
    WireGuardPeer,
    canonical_interface,
    default_metric,
    version,
)

SECTIONS = ("sysctl", "links", "routes", "neighbours", "nftables", "firewall", "files", "units")

_LINK_NAME = re.compile(r"[^\s/:%]{1,15}")
# Narrower than the kernel's, as these go into the files and commands of others.
_PLAIN_LINK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_PORT_PROTOCOLS = ("udp", "tcp")
_PROTOCOLS = (*_PORT_PROTOCOLS, "gre", "esp")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_SYSCTL_KEY = re.compile(r"[A-Za-z0-9_-]+([./][^\s./=][^\s./=]*)+")
_TABLE = re.compile(r"(inet |ip |ip6 |arp |bridge |netdev )?[A-Za-z][A-Za-z0-9_]{0,63}")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+\.(service|socket|target|timer|path|mount)")
_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
_MODE = re.compile(r"0?[0-7]{3,4}")
_MISSING = object()


class _Reader:
    """Collects problems; every getter gives a usable value or None, so that reading goes on after a problem."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, path: str, message: str, expected: str = "") -> None:
        self.problems.append(Problem("", "", path, message, expected))

    def mapping(self, path: str, value: Any, known: Sequence[str] = ()) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.refuse(path, f"is {_kind(value)}", "a mapping")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.refuse(path, f"the key {key!r} is not text", "text")
            elif known and key not in known:
                self.refuse(f"{path}.{key}" if path else key, "unknown field", f"one of {', '.join(known)}")
        return {key: entry for key, entry in value.items() if isinstance(key, str) and entry is not None}

    def items(self, path: str, value: Any) -> list[tuple[str, Any]]:
        if not isinstance(value, (list, tuple)):
            self.refuse(path, f"is {_kind(value)}", "a list")
            return []
        return [(f"{path}[{number}]", entry) for number, entry in enumerate(value)]

    def get(self, path: str, entry: Mapping[str, Any], key: str, convert: Callable[[Any], Any], expected: str,
            default: Any = _MISSING) -> Any:
        """The converted field; ``default`` (without one: a problem, and None) where it is missing."""
        value = entry.get(key)
        if value is None:
            if default is _MISSING:
                self.refuse(f"{path}.{key}", "is missing", expected)
                return None
            return default
        try:
            return convert(value)
        except ValueError:
            self.refuse(f"{path}.{key}", f"{value!r} is not valid", expected)
            return None if default is _MISSING else default

    def unique(self, path: str, key: Any, seen: set[Any], what: str) -> None:
        if key in seen:
            self.refuse(path, f"a second entry for {what}", "each only once")
        seen.add(key)


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", int: "a number", bool: "a boolean", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError
    return value


def _name(value: Any) -> str:
    if value in (".", ".."):
        raise ValueError
    return _matching(_LINK_NAME, value)


def _mac(value: Any) -> str:
    text = _matching(_MAC, value.lower() if isinstance(value, str) else value)
    if int(text[:2], 16) & 1 or text == "00:00:00:00:00:00":
        raise ValueError
    return text


def _number(low: int, high: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        # Ansible's templating makes text of numbers.
        if isinstance(value, bool) or not isinstance(value, (int, str)) or not low <= int(value) <= high:
            raise ValueError
        return int(value)
    return convert


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _address(value: Any) -> str:
    return str(ipaddress.ip_address(_text(value)))


def _interface(value: Any) -> str:
    if "/" not in _text(value):
        raise ValueError
    return canonical_interface(value)


def _destination(value: Any) -> str:
    return "default" if value == "default" else str(ipaddress.ip_network(_text(value)))


def _absolute_path(value: Any) -> str:
    if not _text(value).startswith("/") or any(part in ("", ".", "..") for part in value[1:].split("/")):
        raise ValueError
    return str(value)


def _mode(value: Any) -> int:
    return int(_matching(_MODE, value), 8)


def _convert(convert: Callable[[Any], str], value: Any) -> Optional[str]:
    try:
        return convert(value)
    except ValueError:
        return None


def _sysctl(read: _Reader, value: Any) -> dict[str, Optional[str]]:
    wanted: dict[str, Optional[str]] = {}
    for key, setting in read.mapping("sysctl", value).items():
        path = f"sysctl.{key}"
        if not _SYSCTL_KEY.fullmatch(key):
            read.refuse(path, "is not the name of a kernel parameter", "a name such as net.ipv4.ip_forward")
        elif isinstance(setting, bool) or not isinstance(setting, (str, int)) or "\n" in str(setting) or not str(setting).strip():
            read.refuse(path, f"{setting!r} is not a value", "text of one line, or a whole number")
        else:
            wanted[key] = " ".join(str(setting).split())
    return wanted


def _public_key(value: Any) -> str:
    return _matching(_KEY, value)


def _endpoint(value: Any) -> str:
    address, colon, port = _text(value).rpartition(":")
    bare = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address
    if not colon or (version(bare) == 6) != (bare != address):
        raise ValueError
    return with_port(_address(bare), _number(1, 65535)(port))


def _wireguard(read: _Reader, path: str, value: Any) -> Optional[WireGuard]:
    entry = read.mapping(path, value, ("private_key_file", "port", "peers"))
    file = read.get(path, entry, "private_key_file", _absolute_path, "the absolute path of a file")
    port = read.get(path, entry, "port", _number(1, 65535), "1 to 65535")
    peers, keys, networks = [], set(), set()  # type: list[WireGuardPeer], set[Any], set[Any]
    for place, raw in read.items(f"{path}.peers", entry.get("peers", [])):
        peer = read.mapping(place, raw, ("public_key", "endpoint", "allowed_ips", "persistent_keepalive"))
        key = read.get(place, peer, "public_key", _public_key, "a public key as `wg pubkey` prints it")
        endpoint = read.get(place, peer, "endpoint", _endpoint, "address:port, an IPv6 address in brackets")
        keepalive = read.get(place, peer, "persistent_keepalive", _number(0, 65535), "0 to 65535", 0)
        allowed = [read.get(item, {"network": text}, "network", _destination, "a network such as 10.0.0.0/24")
                   for item, text in read.items(f"{place}.allowed_ips", peer.get("allowed_ips", []))]
        # WireGuard gives a network to the peer that asks last.
        for network in allowed:
            read.unique(f"{place}.allowed_ips", network, networks, str(network))
        if key is not None and endpoint is not None and None not in allowed:
            read.unique(f"{place}.public_key", key, keys, key)
            peers.append(WireGuardPeer(key, endpoint, tuple(sorted(allowed)), keepalive))
    return None if file is None or port is None else WireGuard(port, tuple(sorted(peers)), private_key_file=file)


def _wireguards(read: _Reader, value: Any) -> dict[str, Optional[WireGuard]]:
    """Those of the section links; what is wrong with the rest of a link is found by :func:`_links`."""
    found = {}
    for number, entry in enumerate(value if isinstance(value, (list, tuple)) else ()):
        if isinstance(entry, Mapping) and entry.get("wireguard") is not None:
            found[str(entry.get("name"))] = _wireguard(read, f"links[{number}].wireguard", entry["wireguard"])
    return found


def _links(read: _Reader, value: Any) -> dict[str, Optional[Link]]:
    wanted: dict[str, Optional[Link]] = {}
    seen: set[Any] = set()
    for path, raw in read.items("links", value):
        entry = read.mapping(path, raw, ("name", "mac", "mtu", "addresses", "up", "wireguard"))
        name = read.get(path, entry, "name", _name, "an interface name of at most 15 characters")
        if name is not None:
            read.unique(f"{path}.name", name, seen, name)
        addresses: Optional[list[str]] = None
        if "addresses" in entry:
            addresses = []
            for place, text in read.items(f"{path}.addresses", entry["addresses"]):
                address = _convert(_interface, text)
                if address is None:
                    read.refuse(place, f"{text!r} is not an address with a prefix length", "for example 10.10.0.1/24 or fd00::1/64")
                elif version(address) == 6 and ipaddress.ip_interface(address).is_link_local:
                    read.refuse(place, f"{text} is link-local, which the kernel manages", "a global address")
                else:
                    addresses.append(address)
            if len(set(addresses)) != len(addresses):
                read.refuse(f"{path}.addresses", "an address is listed twice", "each only once")
        mtu = read.get(path, entry, "mtu", _number(68, 65535), "68 to 65535", None)
        if mtu is not None and mtu < 1280 and any(version(address) == 6 for address in addresses or ()):
            read.refuse(f"{path}.mtu", f"{mtu} is too small for IPv6", "at least 1280 (RFC 8200 section 5)")
        # An address on a link that is down is of no use, and its routes would be refused.
        up = read.get(path, entry, "up", _boolean, "true or false", True if addresses else None)
        if name is not None:
            mac = read.get(path, entry, "mac", _mac, "a unicast MAC such as 0a:00:00:00:00:01", None)
            wanted[name] = Link(mac, mtu, None if addresses is None else tuple(sorted(addresses)), up)
    return wanted


def _routes(read: _Reader, value: Any) -> tuple[Route, ...]:
    wanted, seen = [], set()  # type: list[Route], set[Any]
    for path, raw in read.items("routes", value):
        entry = read.mapping(path, raw, ("destination", "via", "device", "source", "metric", "mtu", "onlink"))
        destination = read.get(path, entry, "destination", _destination, "a network without host bits such as 10.0.0.0/8, or default")
        device = read.get(path, entry, "device", _name, "an interface name")
        via = read.get(path, entry, "via", _address, "an IP address", "")
        source = read.get(path, entry, "source", _address, "an IP address", "")
        metric = read.get(path, entry, "metric", _number(0, 2**32 - 1), "a whole number", 0)
        mtu = read.get(path, entry, "mtu", _number(68, 65535), "68 to 65535", 0)
        onlink = read.get(path, entry, "onlink", _boolean, "true or false", False)
        if destination is None or device is None:
            continue
        if destination == "default":
            if not via:
                read.refuse(path, "a default route without via could be of either family", "via, or the destination 0.0.0.0/0 or ::/0")
                continue
            destination = "::/0" if version(via) == 6 else "0.0.0.0/0"
        for name, address in (("via", via), ("source", source)):
            if address and version(address) != version(destination):
                read.refuse(f"{path}.{name}", f"{address} is of another family than {destination}", f"an IPv{version(destination)} address")
        if onlink and not via:
            read.refuse(f"{path}.onlink", "says something of via, which is missing", "via")
        route = Route(destination, device, via, source, metric or default_metric(destination), mtu, onlink)
        read.unique(path, route.key, seen, f"{destination} with metric {route.metric}")
        wanted.append(route)
    return tuple(sorted(wanted))


def _neighbours(read: _Reader, value: Any) -> tuple[Neighbour, ...]:
    wanted, seen = [], set()  # type: list[Neighbour], set[Any]
    for path, raw in read.items("neighbours", value):
        entry = read.mapping(path, raw, ("address", "mac", "device"))
        address = read.get(path, entry, "address", _address, "an IP address")
        device = read.get(path, entry, "device", _name, "an interface name")
        mac = read.get(path, entry, "mac", _mac, "a unicast MAC such as 0a:00:00:00:00:01")
        if None not in (address, device, mac):
            read.unique(path, (device, address), seen, f"{address} on {device}")
            wanted.append(Neighbour(address, device, mac))
    return tuple(sorted(wanted))


def _unbalanced(text: str) -> bool:
    """Whether the braces outside of quotes and comments would end the table's wrapper, or leave it open."""
    depth = 0
    for character in re.sub(r'"[^"\n]*"|#[^\n]*', "", text):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return True
    return depth != 0


def _nftables(read: _Reader, value: Any) -> dict[str, Optional[str]]:
    wanted: dict[str, Optional[str]] = {}
    for name, text in read.mapping("nftables", value).items():
        path = f"nftables.{name}"
        if not _TABLE.fullmatch(name):
            read.refuse(path, "is not a table name", "`<family> <name>` such as `inet sluice`; without a family it is inet")
        if not isinstance(text, str):
            read.refuse(path, f"is {_kind(text)}", "the text of the table, without its wrapper")
        elif _unbalanced(text):
            read.refuse(path, "braces do not match", "the text of the table, without its wrapper `table … { }`")
        elif MARKER_PREFIX in text:
            read.refuse(path, f"a name starts with {MARKER_PREFIX}, which Sluice uses itself", "another name")
        else:
            wanted[name if " " in name else f"inet {name}"] = text
    return wanted


def _protocol(value: Any) -> str:
    if value not in _PROTOCOLS:
        raise ValueError
    return str(value)


def _plain_name(value: Any) -> str:
    return _matching(_PLAIN_LINK_NAME, value)


def _openings(read: _Reader, value: Any) -> Openings:
    entries = read.mapping("firewall", value, ("ports", "interfaces"))
    ports, interfaces, seen = [], [], set()  # type: list[Port], list[str], set[Any]
    for path, raw in read.items("firewall.ports", entries.get("ports", [])):
        entry = read.mapping(path, raw, ("protocol", "port", "interface", "address"))
        protocol = read.get(path, entry, "protocol", _protocol, f"one of {', '.join(_PROTOCOLS)}")
        interface = read.get(path, entry, "interface", _plain_name, "an interface name")
        address = read.get(path, entry, "address", _address, "the address of this host to which the packets go")
        port = read.get(path, entry, "port", _number(1, 65535), "1 to 65535", 0)
        if protocol is not None and (protocol in _PORT_PROTOCOLS) != bool(port):
            read.refuse(f"{path}.port", f"{'is missing' if not port else 'is given'} for {protocol}", "a port for udp and tcp, none for others")
        if None not in (protocol, interface, address):
            opening = Port(protocol, interface, address, port)
            read.unique(path, opening, seen, f"{protocol} {port or ''}".strip())
            ports.append(opening)
    for path, text in read.items("firewall.interfaces", entries.get("interfaces", [])):
        name = _convert(_plain_name, text)
        if name is None:
            read.refuse(path, f"{text!r} is not valid", "an interface name")
        else:
            read.unique(path, name, seen, name)
            interfaces.append(name)
    return Openings(tuple(ports), tuple(interfaces))


def _files(read: _Reader, value: Any) -> dict[str, Optional[File]]:
    wanted: dict[str, Optional[File]] = {}
    for name, raw in read.mapping("files", value).items():
        path = f"files.{name}"
        entry = read.mapping(path, raw, ("content", "mode"))
        if not name.startswith("/") or any(part in ("", ".", "..") for part in name[1:].split("/")):
            read.refuse(path, "is not the path of a file", "an absolute path without . and ..")
        if name == SYSCTL_FILE:
            read.refuse(path, "is written from the section sysctl", "the settings there")
        if name in FIREWALLD_FILES:
            read.refuse(path, "is written from the section firewall", "the openings there")
        content = read.get(path, entry, "content", _text, "text")
        mode = read.get(path, entry, "mode", _mode, 'octal digits as text, such as "0644"', 0o644)
        if content is not None:
            wanted[name] = File(content, mode)
    return wanted


def _units(read: _Reader, value: Any) -> dict[str, Optional[Unit]]:
    wanted: dict[str, Optional[Unit]] = {}
    for name, raw in read.mapping("units", value).items():
        path = f"units.{name}"
        entry = read.mapping(path, raw, ("enabled", "started"))
        if not _UNIT.fullmatch(name):
            read.refuse(path, "is not the name of a systemd unit", "a name such as sluice-node.service")
        enabled = read.get(path, entry, "enabled", _boolean, "true or false", None)
        wanted[name] = Unit(enabled, read.get(path, entry, "started", _boolean, "true or false", None))
    return wanted


def sysctl_file(sysctl: Mapping[str, Optional[str]]) -> File:
    """What makes the settings survive a reboot (sysctl.d(5))."""
    lines = [f"{key} = {sysctl[key]}\n" for key in sorted(sysctl)]
    return File("".join(["# Written by sluice.fabric.host; changes are overwritten.\n", *lines]))


def parse(config: Any) -> tuple[Host, frozenset[str]]:
    """What is wanted, and the sections that ``config`` has: a section that is missing is not managed.

    :raises InputError: with all that is wrong
    """
    read = _Reader()
    given = read.mapping("", config, SECTIONS)
    host = Host(
        sysctl=_sysctl(read, given.get("sysctl", {})),
        links=_links(read, given.get("links", [])),
        wireguard=_wireguards(read, given.get("links", [])),
        routes=_routes(read, given["routes"]) if "routes" in given else None,
        neighbours=_neighbours(read, given["neighbours"]) if "neighbours" in given else None,
        nftables=_nftables(read, given.get("nftables", {})),
        files=_files(read, given.get("files", {})),
        units=_units(read, given.get("units", {})),
        openings=_openings(read, given["firewall"]) if "firewall" in given else None,
    )
    if read.problems:
        raise InputError(read.problems)
    return host, frozenset(given)
