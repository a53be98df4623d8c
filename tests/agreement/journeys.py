# SPDX-License-Identifier: Apache-2.0
"""The way of a connection's packets over the nodes, if no policy stops them, and how they look on each."""
from __future__ import annotations

import ipaddress
from typing import NamedTuple, Optional

from sluice.intent.state import ClusterState
from sluice.pipeline.tables import GATEWAY_MAC, NODE_PORT_ADDRESS
from sluice.plan.addresses import OFPORT_GATEWAY, OFPORT_TUNNEL, gateway_address
from states_strategy import Probe

_WORDS = {4: {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "ICMP": "icmp"}, 6: {"TCP": "tcp6", "UDP": "udp6", "SCTP": "sctp6", "ICMP": "icmp6"}}
ANSWERS = {8: 0, 13: 14, 128: 129}
"""ICMP requests and their answers: what conntrack knows of replies."""


class Connection(NamedTuple):
    """Its first packet, as one node sees it."""

    version: int
    protocol: str
    source: str
    destination: str
    source_port: int
    port: int
    icmp_type: int
    icmp_code: int
    mark: int = 0
    """The Service that has chosen the destination on this node; 0: none."""


class Hop(NamedTuple):
    """A node on the way."""

    node: str
    entry: int
    """The port by which packets of the opener come in …"""
    exit: int
    """… and by which they leave. Replies go the other way."""
    connection: Connection


class Start(NamedTuple):
    node: str
    port: int
    connection: Connection


def start(state: ClusterState, probe: Probe) -> Optional[Start]:
    """Where the connection that a probe is about comes to a bridge, and how; None if it does not come to any."""
    version = 6 if any(end.startswith("ip:") and ":" in end[3:] for end in (probe.source, probe.destination)) else probe.version
    destination, port = _destination(state, probe, version)
    node, entry, source = _source(state, probe, version, destination)
    kind = probe.destination.partition(":")[0]
    if kind == "nodeport":
        node_of_port = probe.node or node
        # A host gives what comes to its own NodePorts to the bridge with an address that means them.
        destination = NODE_PORT_ADDRESS[version] if entry == OFPORT_GATEWAY else _transport(state, node_of_port, version)
    is_service = kind == "nodeport" or any(destination in (*one.cluster_ips, *one.external_ips, *one.load_balancer_ingress)
                                           for one in state.services.values())
    if entry == OFPORT_GATEWAY and not is_service and _home(state, destination) in ("", node) and _pod_port(state, destination) == 0:
        return None
    request = {4: 8, 6: 128}[version] if probe.icmp_type is None else probe.icmp_type
    return Start(node, entry, Connection(version, probe.protocol, source, destination, probe.source_port, port, request, probe.icmp_code or 0))


def hops(state: ClusterState, begin: Start) -> list[Hop]:
    """The nodes on the way of a connection whose destination is no Service's address (any more)."""
    node, entry, connection = begin
    home = _home(state, connection.destination)
    last_exit = _pod_port(state, connection.destination) or OFPORT_GATEWAY
    if home in ("", node):
        return [Hop(node, entry, last_exit, connection)]
    # What a Service sends to another node for a client that is not in the cluster has to come back through this one.
    source = _gateway(state, node, connection.version) if connection.mark and entry == OFPORT_GATEWAY else connection.source
    return [Hop(node, entry, OFPORT_TUNNEL, connection), Hop(home, OFPORT_TUNNEL, last_exit, connection._replace(source=source, mark=0))]


def packet(state: ClusterState, hop: Hop, reply: bool = False, choice: int = 0) -> str:
    """A packet as it comes to a node, for ofproto/trace; ``choice``: what a datapath makes up to choose an endpoint by."""
    one = hop.connection
    port = hop.exit if reply else hop.entry
    mac = next((pod.mac for pod in state.pods.values() if pod.node == hop.node and pod.ofport == port), GATEWAY_MAC)
    names = ("nw_src", "nw_dst") if one.version == 4 else ("ipv6_src", "ipv6_dst")
    ends = (one.destination, one.source) if reply else (one.source, one.destination)
    fields = [_WORDS[one.version][one.protocol], f"in_port={port}", f"dl_src={mac}", f"dl_dst={GATEWAY_MAC}", "nw_ttl=64",
              *(f"{name}={end}" for name, end in zip(names, ends))]
    fields += [f"ct_mark={one.mark}"] if one.mark else [f"dp_hash={choice % 0xffff + 1}"]
    if one.protocol == "ICMP":
        word = "icmp" if one.version == 4 else "icmpv6"
        fields += [f"{word}_type={ANSWERS[one.icmp_type] if reply else one.icmp_type}", f"{word}_code={one.icmp_code}"]
    else:
        word, ports = one.protocol.lower(), (one.port, one.source_port) if reply else (one.source_port, one.port)
        fields += [f"{word}_src={ports[0]}", f"{word}_dst={ports[1]}"]
    return ",".join(fields)


def _source(state: ClusterState, probe: Probe, version: int, destination: str) -> tuple[str, int, str]:
    """Node, port and address from which the opener's packets come to a bridge."""
    kind, _colon, rest = probe.source.partition(":")
    if kind == "ip":
        # A pod's own address leads to its node; a Service's to any.
        return _home(state, destination) or probe.node or next(iter(state.nodes)), OFPORT_GATEWAY, rest
    pod = state.pods.get(probe.source)
    if pod is None or pod.host_network:
        node = rest if pod is None else pod.node
        return node, OFPORT_GATEWAY, _gateway(state, node, version)
    return pod.node, pod.ofport, _of_version(pod.ips, version)


def _destination(state: ClusterState, probe: Probe, version: int) -> tuple[str, int]:
    """Address and port; without the address for a NodePort, which is on every node."""
    kind, _colon, rest = probe.destination.partition(":")
    if kind == "ip":
        return rest, probe.port or 0
    if kind == "svc":
        return _of_version(state.services[rest].cluster_ips, version), probe.port or 0
    if kind == "nodeport":
        return "", next(port.node_port for port in state.services[rest].ports if (port.port, port.protocol) == (probe.port, probe.protocol))
    pod = state.pods[probe.destination]
    return (_transport(state, pod.node, version) if pod.host_network else _of_version(pod.ips, version)), probe.port or 0


def _home(state: ClusterState, address: str) -> str:
    """The node whose share of the pod network has the address; empty if none has."""
    if not address:
        return ""
    found = ipaddress.ip_address(address)
    return next((node.name for node in state.nodes.values() for cidr in node.pod_cidrs if found in ipaddress.ip_network(cidr)), "")


def _pod_port(state: ClusterState, address: str) -> int:
    return next((pod.ofport for pod in state.pods.values() if address in pod.ips), 0)


def _gateway(state: ClusterState, node: str, version: int) -> str:
    return _of_version([gateway_address(cidr) for cidr in state.nodes[node].pod_cidrs], version)


def _transport(state: ClusterState, node: str, version: int) -> str:
    return _of_version([address.partition("/")[0] for address in state.nodes[node].transport.addresses], version)


def _of_version(addresses: list[str] | tuple[str, ...], version: int) -> str:
    return next(address for address in addresses if (":" in address) == (version == 6))
