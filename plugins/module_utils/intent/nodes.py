# SPDX-License-Identifier: Apache-2.0
"""From a host's variables and what was found on it to the node that it becomes."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Optional, Sequence

from ..errors import Problem
from ..node.host.model import PROTOCOL
from ..plan.addresses import BRIDGE, GATEWAY, TRANSPORT_BRIDGE, TUNNEL, WIREGUARD
from .encryption import read_keys
from .offload import vfs_of_pools
from .state import Cluster, Keys, Offload, Route, Transport, Vf
from .syntax import Address, address, cidr
from .variables import INVENTORY, HostSettings, overlap, some_hosts

OWN_INTERFACES = ("lo", "ovs-netdev", "ovs-system", BRIDGE, GATEWAY, TUNNEL, TRANSPORT_BRIDGE, WIREGUARD)
"""What cannot be a transport: the loopback, and what Sluice and Open vSwitch make."""

DEFAULT_ROUTES = ("default", "0.0.0.0/0", "::/0")

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}
"""What Linux calls a machine, and what Kubernetes calls it in the label kubernetes.io/arch."""


@dataclass(frozen=True)
class NodeIntent:
    """A node before the plan has given it its share of the pod CIDRs."""

    name: str
    transport: Transport
    datapath: str = "system"
    labels: Mapping[str, str] = field(default_factory=dict)
    encryption: str = "none"
    keys: Keys = field(default_factory=Keys)
    offload: Offload = field(default_factory=Offload)
    vfs: Mapping[str, tuple[Vf, ...]] = field(default_factory=dict)
    """By the resource that pods ask for."""


def read_node(
    host: str, settings: HostSettings, facts: Mapping[str, Any], cluster: Cluster, problems: list[Problem]
) -> NodeIntent:
    """The node that a host becomes.

    ``facts``: ``interfaces`` (name to ``mtu``, ``mac`` and ``addresses`` with prefix length), ``routes`` (``destination``, ``via``,
    ``device``, ``protocol``), optionally ``bridges`` (bridge to names of its ports), ``architecture`` (as `uname -m` has it) and
    ``encryption`` (the fields of :class:`.state.Keys`) and ``nics`` (see :func:`.offload.vfs_of_pools`).
    With a problem, the transport is empty: enough for the placement to know the node.
    """
    found = _Host(host, settings, facts, problems)
    keys = read_keys(facts.get("encryption") or {})
    vfs = vfs_of_pools(host, settings.offload, settings.vf_pools, facts.get("nics") or {}, problems)
    return NodeIntent(
        host, found.transport(cluster), settings.datapath, _labels(host, settings, facts), settings.encryption, keys, settings.offload, vfs)


def check_nodes(nodes: Mapping[str, NodeIntent], cluster: Cluster, problems: list[Problem]) -> None:
    """What is wrong with the nodes together: names and addresses that two of them have, and families that they do not share."""
    _check_names(nodes, problems)
    _check_addresses(nodes, problems)
    _check_overlap(nodes, cluster, problems)
    # A node without a transport has its own problem already.
    found = {name: node for name, node in nodes.items() if node.transport.addresses}
    _check_families(found, cluster, problems)
    if cluster.traffic_mode == "no_encap":
        _check_subnets(found, cluster, problems)
    tunnels = cluster.traffic_mode != "no_encap"
    if found and tunnels and cluster.tunnel_type == "gre" and _lacking(found, 4) and not _lacking(found, 6):
        message = "is gre, which Open vSwitch carries over IPv4 only, but the nodes have only IPv6 in common"
        expected = "geneve or vxlan, or an IPv4 address on every node's transport interface"
        problems.append(Problem(INVENTORY, "", "sluice_tunnel_type", message, expected))


class _Host:
    """What was found on one host."""

    def __init__(self, name: str, settings: HostSettings, facts: Mapping[str, Any], problems: list[Problem]) -> None:
        self.name = name
        self.settings = settings
        self.interfaces: Mapping[str, Mapping[str, Any]] = facts.get("interfaces") or {}
        self.routes: Sequence[Mapping[str, Any]] = facts.get("routes") or ()
        self.bridge_ports: Optional[Sequence[str]] = (facts.get("bridges") or {}).get(TRANSPORT_BRIDGE)
        self.problems = problems

    def problem(self, path: str, message: str, expected: str) -> None:
        self.problems.append(Problem(INVENTORY, f"host {self.name}", path, message, expected))

    def transport(self, cluster: Cluster) -> Transport:
        interface = self._interface()
        if not interface:
            return Transport("", (), 0)
        addresses = self._addresses(interface)
        if not addresses:
            wanted = ", ".join(self.settings.transport_cidrs)
            message = f"{interface} has no address" + (f" in {wanted}" if wanted else "")
            self.problem("sluice_transport_interface", message, "an interface with the address by which the other nodes reach this one")
        mtu = self.interfaces[interface].get("mtu")
        if not isinstance(mtu, int) or mtu <= 0:
            self.problem("sluice_transport_interface", f"the MTU of {interface} is not known", "an interface with an MTU")
            mtu = 0
        mac = str(self.interfaces[interface].get("mac") or "")
        return Transport(interface, addresses, mtu, self._routes(interface, addresses, cluster), mac)

    def _interface(self) -> str:
        """The name of the transport interface; empty, with a problem, if there is none."""
        if not self.interfaces:
            self.problem("", "nothing is known of its interfaces", "a host that Ansible has reached at least once")
            return ""
        wanted = self.settings.transport_interface
        existing = ", ".join(name for name in sorted(self.interfaces) if name not in OWN_INTERFACES) or "none"
        if wanted and wanted != TRANSPORT_BRIDGE:
            if wanted in self.interfaces:
                return wanted
            self.problem("sluice_transport_interface", f"there is no interface {wanted}", f"one of those that there are: {existing}")
            return ""
        if self.settings.transport_cidrs:
            variable, what = "sluice_transport_cidrs", "has an address in " + ", ".join(self.settings.transport_cidrs)
            names = [name for name in sorted(self.interfaces) if any(map(self._is_wanted, self._global(name)))]
        else:
            variable, what = "sluice_transport_interface", "has the default route"
            names = [str(route["device"]) for route in self.routes if route.get("destination") in DEFAULT_ROUTES][:1]
        ports = sorted(set(map(self._port_behind, names)))
        if len(ports) == 1 and ports[0] in self.interfaces:
            return ports[0]
        expected = f"sluice_transport_interface, set to one of: {existing}"
        if "" in ports:
            self.problem(variable, f"{TRANSPORT_BRIDGE} {what}, and the interface behind it is not known", expected)
        elif ports:
            self.problem(variable, f"more than one interface {what}: {', '.join(ports)}", expected)
        else:
            self.problem(variable, f"no interface {what}", expected)
        return ""

    def _port_behind(self, name: str) -> str:
        """The interface itself; for the transport bridge its port, since the bridge holds that one's addresses."""
        if name != TRANSPORT_BRIDGE:
            return name
        ports = [port for port in self.bridge_ports or () if port in self.interfaces and port != TRANSPORT_BRIDGE]
        return ports[0] if len(ports) == 1 else ""

    def _global(self, name: str) -> list[str]:
        """The interface's addresses that other hosts can use, as found."""
        addresses = self.interfaces.get(name, {}).get("addresses") or ()
        return [text for text in addresses if not _is_local(text)]

    def _is_wanted(self, text: str) -> bool:
        found = address(text.partition("/")[0])
        cidrs = [cidr(wanted) for wanted in self.settings.transport_cidrs]
        return not cidrs or any(network and found and found.version == network.version and found in network for network in cidrs)

    def _addresses(self, interface: str) -> tuple[str, ...]:
        """At most one a family, IPv4 first.

        A userspace datapath has moved the addresses to its bridge, and an interrupted run perhaps only some of them.
        """
        candidates = self._global(interface)
        if self.bridge_ports is None or interface in self.bridge_ports:
            candidates = self._global(TRANSPORT_BRIDGE) + candidates
        candidates = [text for text in candidates if self._is_wanted(text)]
        chosen = (next((text for text in candidates if (":" in text) == six), "") for six in (False, True))
        return tuple(filter(None, chosen))

    def _routes(self, interface: str, addresses: Iterable[str], cluster: Cluster) -> tuple[Route, ...]:
        own = [network for network in map(cidr, addresses) if network]
        pods = [network for network in map(cidr, cluster.pod_cidrs) if network]
        routes = []
        for route in self.routes:
            device, destination, via = route.get("device"), str(route.get("destination", "")), str(route.get("via") or "")
            if device not in (interface, TRANSPORT_BRIDGE) or str(route.get("protocol", "")) == str(PROTOCOL):
                continue
            if destination in DEFAULT_ROUTES:
                routes.append(Route("default", via))
                continue
            network = cidr(destination if "/" in destination else f"{destination}/{128 if ':' in destination else 32}")
            inside = network and any(overlap(network, pod) and network.prefixlen >= pod.prefixlen for pod in pods)
            if network and not (_is_local(destination) or network in own or inside):
                routes.append(Route(str(network), via))
        return tuple(sorted(set(routes), key=lambda route: (route.destination, route.via)))


def _is_local(text: str) -> bool:
    """Whether an address or network means nothing beyond its link or host."""
    found: Optional[Address] = address(text.partition("/")[0])
    return found is None or found.is_link_local or found.is_loopback or found.is_multicast or found.is_unspecified


def _has(node: NodeIntent, version: int) -> bool:
    return any((":" in text) == (version == 6) for text in node.transport.addresses)


def _lacking(nodes: Mapping[str, NodeIntent], version: int) -> list[str]:
    """The nodes that have no transport address of that IP version."""
    return [name for name, node in sorted(nodes.items()) if not _has(node, version)]


def _labels(host: str, settings: HostSettings, facts: Mapping[str, Any]) -> dict[str, str]:
    """The labels that a kubelet sets by itself, and those of the inventory, which win."""
    labels = {"kubernetes.io/hostname": host, "kubernetes.io/os": "linux"}
    machine = facts.get("architecture")
    if machine:
        labels["kubernetes.io/arch"] = ARCHITECTURES.get(str(machine), str(machine))
    return dict(sorted({**labels, **settings.labels}.items()))


def _check_names(nodes: Mapping[str, NodeIntent], problems: list[Problem]) -> None:
    first: dict[str, str] = {}
    for name in sorted(nodes):
        if name in ("", ".", "..") or "/" in name:
            problems.append(Problem(INVENTORY, f"host {name}", "", "its name cannot be the name of a folder", "a host name"))
        other = first.setdefault(name.lower(), name)
        if other != name:
            problems.append(Problem(INVENTORY, f"host {name}", "", f"differs from host {other} only in case", "one name for each host"))


def _check_addresses(nodes: Mapping[str, NodeIntent], problems: list[Problem]) -> None:
    first: dict[str, str] = {}
    for name, node in sorted(nodes.items()):
        for text in node.transport.addresses:
            bare = str(address(text.partition("/")[0]))
            other = first.setdefault(bare, name)
            if other != name:
                message = f"{node.transport.interface} has {bare}, which is also the address of host {other}"
                expected = "an address of its own, or each machine under one name"
                problems.append(Problem(INVENTORY, f"host {name}", "sluice_transport_interface", message, expected))


def _check_overlap(nodes: Mapping[str, NodeIntent], cluster: Cluster, problems: list[Problem]) -> None:
    for variable, cidrs in (("sluice_pod_cidrs", cluster.pod_cidrs), ("sluice_service_cidrs", cluster.service_cidrs)):
        for network in map(cidr, cidrs):
            hit: dict[str, str] = {}
            for name, node in sorted(nodes.items()):
                for found in map(address, node.transport.ips):
                    if network and found and found.version == network.version and found in network:
                        hit[name] = f"{found}, the address of {node.transport.interface}"
            if hit:
                message = f"{network} contains {next(iter(hit.values()))}"
                problems.append(Problem(INVENTORY, some_hosts(list(hit)), variable, message, "a network that the nodes do not use"))


def _check_subnets(nodes: Mapping[str, NodeIntent], cluster: Cluster, problems: list[Problem]) -> None:
    """Without tunnels a node routes to its peers' own addresses, which no router in between would do for pods."""
    for version in sorted({6 if ":" in text else 4 for text in cluster.pod_cidrs}):
        subnets: dict[str, list[str]] = {}
        for name, node in sorted(nodes.items()):
            for text in node.transport.addresses:
                network = cidr(text)
                if network and network.version == version:
                    subnets.setdefault(str(network), []).append(name)
        if len(subnets) > 1:
            where = "; ".join(f"{', '.join(names)} in {subnet}" for subnet, names in subnets.items())
            message = f"no_encap needs all nodes in one IPv{version} subnet, but there are {where}"
            problems.append(Problem(INVENTORY, "", "sluice_traffic_mode", message, "hybrid, or encap"))


def _check_families(nodes: Mapping[str, NodeIntent], cluster: Cluster, problems: list[Problem]) -> None:
    def refuse(name: str, version: int, why: str) -> None:
        has = ", ".join(nodes[name].transport.addresses)
        message = f"{nodes[name].transport.interface} has no IPv{version} address, only {has}; {why}"
        problems.append(Problem(INVENTORY, f"host {name}", "sluice_transport_interface", message, f"an IPv{version} address on it"))

    without = {version: _lacking(nodes, version) for version in (4, 6)}
    if without[4] and without[6]:
        # The many are right, and the few are told.
        version = 4 if len(without[4]) <= len(without[6]) else 6
        for name in without[version]:
            refuse(name, version, f"the other nodes reach each other by IPv{version}")
    elif cluster.traffic_mode != "encap":
        for version in sorted({6 if ":" in text else 4 for text in cluster.pod_cidrs}):
            for name in without[version]:
                refuse(name, version, f"sluice_traffic_mode {cluster.traffic_mode} routes IPv{version} pods over it")
