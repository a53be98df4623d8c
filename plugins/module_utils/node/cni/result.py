# SPDX-License-Identifier: Apache-2.0
"""What the plugin answers (CNI spec 1.1.0, section 5), in the form of the version that the runtime asked in."""
from __future__ import annotations

from typing import Any

from .attachment import Attachment
from .links import PodLink
from .request import VERSIONS, CniError


def link_addresses(attachment: Attachment, node_cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """The attachment's addresses with the prefix length of the node's CIDR: the node's pods are on one link."""
    return tuple(f"{ip}/{cidr.partition('/')[2]}" for ip in attachment.ips for cidr in node_cidrs if (":" in ip) == (":" in cidr))


def success(version: str, link: PodLink, host_mac: str, netns: str, device: str = "") -> dict[str, Any]:
    """The result of an ADD; ``device`` is the PCI address of the VF, if it is one."""
    host: dict[str, Any] = {"name": link.interface, "mac": host_mac}
    container: dict[str, Any] = {"name": link.ifname, "mac": link.mac, "sandbox": netns}
    if version == "1.1.0":
        host["mtu"] = container["mtu"] = link.mtu
        if device:
            container["pciID"] = device
    gateway = {":" in address: address for address in link.gateways}
    ips = []
    for address in link.addresses:
        ip: dict[str, Any] = {"address": address, "gateway": gateway[":" in address], "interface": 1}
        if version.startswith("0."):
            ip["version"] = "6" if ":" in address else "4"
        ips.append(ip)
    routes = [{"dst": "::/0" if ":" in address else "0.0.0.0/0", "gw": gateway[":" in address]} for address in link.addresses]
    return {"cniVersion": version, "interfaces": [host, container], "ips": ips, "routes": routes, "dns": {}}


def failure(version: str, error: CniError) -> dict[str, Any]:
    """The error of any command."""
    answer = {"cniVersion": version if version in VERSIONS else VERSIONS[-1], "code": error.code, "msg": str(error)}
    return {**answer, "details": error.details} if error.details else answer


def versions(version: str) -> dict[str, Any]:
    """The answer to VERSION."""
    return {"cniVersion": version, "supportedVersions": list(VERSIONS)}
