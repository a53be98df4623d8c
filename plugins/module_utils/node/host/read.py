# SPDX-License-Identifier: Apache-2.0
"""What is there now, of what is wanted: one start each of ip, nft (a table) and systemctl."""
from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Mapping, Optional

from ...errors import SluiceError
from .. import iproute, nft
from . import files, firewall, units, wireguard
from .model import PROTOCOL_KERNEL, Host, Link, Neighbour, Route, default_metric

_SCOPE_GLOBAL = "0"
_PROTOCOL_BOOT = "3"


def sysctl_path(key: str) -> Path:
    """sysctl.d(5): if the first separator is a dot, dots separate and a slash stands for a dot (net.ipv4.conf.eth0/100.rp_filter)."""
    if "/" not in key or 0 < key.find(".") < key.find("/"):
        key = key.translate(str.maketrans("./", "/."))
    return Path("/proc/sys", key)


def read_sysctl(key: str) -> Optional[str]:
    """The value with single spaces; None if the kernel has no such parameter (yet)."""
    try:
        return " ".join(sysctl_path(key).read_text().split())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SluiceError(f"the kernel parameter {key} cannot be read: {error.strerror}") from error


def link_of(entry: Mapping[str, Any]) -> Link:
    """One entry of ``ip -json -N addr show``."""
    addresses = tuple(sorted(f"{address['local']}/{address['prefixlen']}" for address in entry.get("addr_info", ())
                             if str(address.get("scope")) == _SCOPE_GLOBAL and "local" in address))
    return Link(str(entry.get("address", "")), int(entry["mtu"]), addresses, "UP" in entry.get("flags", ()))


def route_of(entry: Mapping[str, Any]) -> Optional[Route]:
    """One entry of ``ip -json -N route show table all``; None for the kernel's own, and all but plain unicast ones of the main table."""
    protocol = int(entry.get("protocol", _PROTOCOL_BOOT))
    if entry.get("type", "1") != "1" or "table" in entry or "dev" not in entry or protocol == PROTOCOL_KERNEL:
        return None
    via = str(entry.get("gateway", ""))
    destination = str(entry["dst"])
    if destination == "default":
        # Without a next hop only the metric tells: the kernel prints IPv6's always.
        destination = "::/0" if ":" in via or "pref" in entry else "0.0.0.0/0"
    elif "/" not in destination:
        destination = str(ipaddress.ip_network(destination))
    mtu = next((int(metrics["mtu"]) for metrics in entry.get("metrics", ()) if "mtu" in metrics), 0)
    metric = int(entry.get("metric", default_metric(destination)))
    onlink = "onlink" in entry.get("flags", ())
    return Route(destination, str(entry["dev"]), via, str(entry.get("prefsrc", "")), metric, mtu, onlink, protocol)


def neighbour_of(entry: Mapping[str, Any]) -> Optional[Neighbour]:
    """One entry of ``ip -json -N neigh show nud permanent``."""
    if "lladdr" not in entry or "PERMANENT" not in entry.get("state", ()):
        return None
    return Neighbour(str(entry["dst"]), str(entry["dev"]), str(entry["lladdr"]), int(entry.get("protocol", 0)))


def network() -> tuple[dict[str, Link], tuple[Route, ...], tuple[Neighbour, ...]]:
    """All links, the routes of :func:`route_of` and the permanent neighbours."""
    addresses, routes, neighbours = iproute.show("addr show", "route show table all", "neigh show nud permanent")
    return (
        {str(entry["ifname"]): link_of(entry) for entry in addresses if "ifname" in entry},
        tuple(sorted(route for route in map(route_of, routes) if route is not None)),
        tuple(sorted(entry for entry in map(neighbour_of, neighbours) if entry is not None)),
    )


def read(want: Host, root: Path) -> Host:
    """The state of everything that ``want`` names, all routes and permanent neighbours."""
    links: Mapping[str, Link] = {}
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    if want.links or want.routes is not None or want.neighbours is not None:
        links, routes, neighbours = network()
    return Host(
        sysctl={key: read_sysctl(key) for key in want.sysctl},
        links={name: links.get(name) for name in want.links},
        wireguard=wireguard.read(want.wireguard),
        routes=routes,
        neighbours=neighbours,
        nftables={name: nft.body(name) for name in want.nftables},
        files={path: files.read(root, path) for path in want.files},
        units=units.read(want.units),
        firewall=firewall.read(want.firewall, root),
    )
