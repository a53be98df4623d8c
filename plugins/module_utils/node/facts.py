# SPDX-License-Identifier: Apache-2.0
"""What the controller has to know of a node before it compiles: a few file reads and process starts, not a full fact gathering."""
from __future__ import annotations

import hashlib
import os
import platform
import shlex
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

from ..errors import SluiceError
from .host import record, units
from .host.model import PROTOCOL, PROTOCOL_KERNEL, Host
from .iproute import show
from .process import answer
from .smartnic.read import facts as nics

_PROTOCOL_NAMES = {3: "boot", 4: "static", 9: "ra", 16: "dhcp"}


def operating_system(text: str) -> dict[str, Any]:
    """``id``, ``id_like`` (a list, nearest first) and ``version_id`` of os-release(5)."""
    fields = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line and not line.startswith("#"))

    def value(key: str) -> str:
        return " ".join(shlex.split(fields.get(key, "")))
    return {"id": value("ID") or "linux", "id_like": value("ID_LIKE").split(), "version_id": value("VERSION_ID")}


def packages(names: Sequence[str]) -> dict[str, str]:
    """Versions of those that are installed."""
    if not names:
        return {}
    lines = answer("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package} ${Version}\n", "--", *names).splitlines()
    found = [line.split() for line in lines if line.startswith("installed ")]
    if not found:
        # rpm prints a sentence for a package that is not installed, and no package's name has a blank.
        lines = answer("rpm", "-q", "--qf", "%{NAME}|%{VERSION}-%{RELEASE}\n", *names).splitlines()
        found = [["installed", *line.split("|")] for line in lines if " " not in line]
    return {name: version for _status, name, version in found}


def interfaces(entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """From ``ip -json -N addr show``; ``addresses`` are the global ones, with prefix length."""
    return {str(entry["ifname"]): {
        "mtu": entry["mtu"], "mac": entry.get("address", ""), "up": "UP" in entry.get("flags", ()),
        "addresses": [f"{address['local']}/{address['prefixlen']}" for address in entry.get("addr_info", ())
                      if str(address.get("scope")) == "0" and "local" in address],
    } for entry in entries if "ifname" in entry}


def routes(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """From ``ip -json -N route show table all``: who goes where in the main table, without what the kernel or Sluice has put there.

    One entry a next hop. ``destination`` is a network or ``default``.
    """
    found = []
    for entry in entries:
        protocol = int(entry.get("protocol", 3))
        if entry.get("type", "1") == "1" and "table" not in entry and protocol not in (PROTOCOL_KERNEL, PROTOCOL):
            hops = [hop for hop in entry.get("nexthops", [entry]) if "dev" in hop]
            metric = int(entry.get("metric", 0))
            found += [_route(str(entry["dst"]), str(hop.get("gateway", "")), str(hop["dev"]), protocol, metric) for hop in hops]
    return found


def underlying(host: Host, links: Mapping[str, Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Interfaces and routes with what Sluice has moved put back (``host``: what was there before), so that a program compiled from them
    does not depend on whether it, or half of it, has been applied already."""
    interfaces_before = dict(links)
    for name, link in host.links.items():
        if name in links:
            addresses = () if link is None else links[name]["addresses"] if link.addresses is None else link.addresses
            interfaces_before[name] = {**links[name], "addresses": list(addresses)}
    before = [_route(route.destination, route.via, route.device, route.protocol, route.metric) for route in host.routes or ()]
    return {"interfaces": interfaces_before, "routes": [*entries, *(route for route in before if route not in entries)]}


def _route(destination: str, via: str, device: str, protocol: int, metric: int) -> dict[str, Any]:
    route = {"destination": "default" if destination in ("0.0.0.0/0", "::/0") else destination, "via": via, "device": device,
             "protocol": _PROTOCOL_NAMES.get(protocol, str(protocol)), "metric": metric}
    return {key: value for key, value in route.items() if value != ""}


def _checksum(path: str) -> Optional[str]:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def _kernel_module(name: str) -> bool:
    """Whether it is loaded, or this kernel has it to load."""
    if Path("/sys/module", name).is_dir():
        return True
    folder = Path("/lib/modules", platform.release())
    for index in ("modules.dep", "modules.builtin"):
        try:
            lines = (folder / index).read_text().splitlines()
        except OSError:
            continue
        if any(line.partition(":")[0].rpartition("/")[2].partition(".")[0] == name for line in lines):
            return True
    return False


def _services(names: Sequence[str]) -> dict[str, dict[str, bool]]:
    found = units.read(name if "." in name else f"{name}.service" for name in names)
    answers = {}
    for name in names:
        unit = found.get(name if "." in name else f"{name}.service")
        answers[name] = {"active": bool(unit and unit.started), "enabled": bool(unit and unit.enabled)}
    return answers


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _network() -> list[list[dict[str, Any]]]:
    try:
        return show("addr show", "route show table all")
    except SluiceError:
        # A node without iproute2 is a pristine one; sluice.fabric.host says what is missing.
        return [[], []]


def gather(package_names: Sequence[str] = (), service_names: Sequence[str] = (), paths: Sequence[str] = ()) -> dict[str, Any]:
    """The facts, as sluice.fabric.node_info documents them."""
    addresses, entries = _network()
    before = record.load(Path("/")) or record.Record()
    return {
        "os": operating_system(_text("/etc/os-release") or _text("/usr/lib/os-release")),
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "boot_id": _text("/proc/sys/kernel/random/boot_id").strip(),
        "packages": packages(package_names),
        "services": _services(service_names),
        "files": {path: _checksum(path) for path in paths},
        **underlying(before.host, interfaces(addresses), routes(entries)),
        "nics": nics(),
        "kernel_modules": {name: _kernel_module(name) for name in ("openvswitch", "wireguard")},
        "sysctl_writable": os.access("/proc/sys/net/ipv4/ip_forward", os.W_OK),
    }
