# SPDX-License-Identifier: Apache-2.0
"""What a lab is to be: names, addresses and packages, checked before anything is touched."""
from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Mapping, Union

from ..errors import InputError, Problem

Address = Union[IPv4Address, IPv6Address]
Network = Union[IPv4Network, IPv6Network]

# No hyphen: network namespaces are called sluice-<lab>-<node>, and the lab must be readable from that.
LAB_NAME = re.compile(r"[a-z0-9]{1,16}")
NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
RESERVED_LAB_NAMES = {"cache"}
RESERVED_NODE_NAMES = {"outside"}


@dataclass(frozen=True)
class Segment:
    """A layer-2 network of the lab; the lab's own end (the gateway) has the first address of each network."""

    networks: tuple[Network, ...]
    mtu: int = 1500

    def interface(self, address: Address) -> str:
        """``address`` with the prefix length of its network, as in 192.0.2.1/24."""
        network = next(network for network in self.networks if address in network)
        return f"{address}/{network.prefixlen}"

    @property
    def gateways(self) -> tuple[Address, ...]:
        """One gateway a network."""
        return tuple(network.network_address + 1 for network in self.networks)


@dataclass(frozen=True)
class Node:
    """A machine of the lab, its kind (one of machine.KINDS), and its addresses on the management network (eth0) and the underlay (eth1)."""

    name: str
    machine: str
    management: tuple[Address, ...]
    underlay: tuple[Address, ...]


@dataclass(frozen=True)
class Lab:
    """A whole lab."""

    name: str
    directory: Path
    management: Segment
    underlay: Segment
    outside: tuple[Address, ...]
    nodes: tuple[Node, ...]

    @property
    def home(self) -> Path:
        """The folder that holds everything of this lab."""
        return self.directory / self.name

    @property
    def namespace(self) -> str:
        """The network namespace with the lab's bridges."""
        return lab_namespace(self.name)

    @property
    def outside_namespace(self) -> str:
        """The network namespace that stands for the internet."""
        return node_namespace(self.name, "outside")


def lab_namespace(lab: str) -> str:
    """The name of the network namespace with the bridges of lab ``lab``."""
    return f"sluice-{lab}"


def node_namespace(lab: str, node: str) -> str:
    """The name of the network namespace of one node of lab ``lab``."""
    return f"sluice-{lab}-{node}"


def node_group(lab: str, node: str) -> str:
    """The control group of everything that belongs to one node of lab ``lab``."""
    return f"{lab_namespace(lab)}/nodes/{node}"


def load_lab(name: str, directory: str, management: Mapping[str, Any], underlay: Mapping[str, Any], outside: list[str],
             nodes: list[Mapping[str, Any]]) -> Lab:
    """The lab that the module's options describe. Raises InputError with all that is wrong."""
    problems = check_name(name)
    segments = {"management": _segment("management", management, problems), "underlay": _segment("underlay", underlay, problems)}
    servers = tuple(_addresses("outside", outside, "lab", problems))
    machines = []
    for item in nodes:
        node = Node(str(item["name"]), str(item["machine"]), tuple(_addresses("management", item["management"], str(item["name"]), problems)),
                    tuple(_addresses("underlay", item["underlay"], str(item["name"]), problems)))
        problems += _check_node(node, segments)
        machines.append(node)
    problems += _check_unique(machines, segments)
    if problems:
        raise InputError(problems)
    return Lab(name, Path(directory), segments["management"], segments["underlay"], servers,
               tuple(sorted(machines, key=lambda node: node.name)))


def check_name(name: str) -> list[Problem]:
    """What is wrong with a lab's name."""
    if LAB_NAME.fullmatch(name) and name not in RESERVED_LAB_NAMES:
        return []
    return [Problem("", "lab", "name", f"{name!r} cannot be a lab's name",
                    f"1 to 16 lower-case letters and digits, and not {' or '.join(sorted(RESERVED_LAB_NAMES))}")]


def _segment(name: str, options: Mapping[str, Any], problems: list[Problem]) -> Segment:
    networks: list[Network] = []
    for family, version in (("ipv4", 4), ("ipv6", 6)):
        text = options.get(family)
        if text is None:
            continue
        try:
            network = ip_network(text)
        except ValueError as error:
            problems.append(Problem("", "lab", f"{name}.{family}", str(error), "a network such as 192.0.2.0/24 or 2001:db8::/64"))
            continue
        if network.version != version:
            problems.append(Problem("", "lab", f"{name}.{family}", f"{text} is IPv{network.version}", f"an IPv{version} network"))
            continue
        networks.append(network)
    mtu = int(options.get("mtu") or 1500)
    # 1280 is what IPv6 asks of every link (RFC 8200 section 5); 65535 is the most a veth takes.
    if not 1280 <= mtu <= 65535:
        problems.append(Problem("", "lab", f"{name}.mtu", f"{mtu} is out of range", "1280 to 65535"))
    if not networks:
        problems.append(Problem("", "lab", name, "there is no network", "ipv4, ipv6 or both"))
    return Segment(tuple(networks), mtu)


def _addresses(path: str, texts: list[str], owner: str, problems: list[Problem]) -> list[Address]:
    addresses = []
    for text in texts:
        try:
            addresses.append(ip_address(text))
        except ValueError as error:  # noqa: PERF203 (all wrong addresses are to be reported, not the first)
            problems.append(Problem("", owner, path, str(error), "an address such as 192.0.2.7 or 2001:db8::7"))
    return addresses


def _check_node(node: Node, segments: Mapping[str, Segment]) -> list[Problem]:
    problems = []
    if not NODE_NAME.fullmatch(node.name) or node.name in RESERVED_NODE_NAMES:
        problems.append(Problem("", node.name, "name", f"{node.name!r} cannot be a node's name",
                                "a host name without dots, at most 40 lower-case letters, digits and hyphens, and not outside"))
    for path, addresses in (("management", node.management), ("underlay", node.underlay)):
        segment = segments[path]
        for address in addresses:
            if not any(address in network for network in segment.networks):
                problems.append(Problem("", node.name, path, f"{address} is not in the lab's {path} network",
                                        "an address in " + " or ".join(map(str, segment.networks))))
            elif address in segment.gateways:
                problems.append(Problem("", node.name, path, f"{address} is the lab's own", "another address than the network's first"))
        if len({address.version for address in addresses}) < len(addresses):
            problems.append(Problem("", node.name, path, "there are several addresses of one family", "one of IPv4, one of IPv6 at most"))
        if not addresses:
            problems.append(Problem("", node.name, path, "there is no address", "one or two addresses"))
    return problems


def _check_unique(nodes: list[Node], segments: Mapping[str, Segment]) -> list[Problem]:
    problems = []
    owners: dict[object, str] = {}
    names: set[str] = set()
    for node in nodes:
        if node.name in names:
            problems.append(Problem("", node.name, "name", "two nodes have this name", "a name of its own"))
        names.add(node.name)
        for path, addresses in (("management", node.management), ("underlay", node.underlay)):
            for address in addresses:
                other = owners.setdefault((path, address), node.name)
                if other != node.name:
                    problems.append(Problem("", node.name, path, f"{address} is {other}'s too", "an address of its own"))
    return problems
