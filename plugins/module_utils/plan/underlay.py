# SPDX-License-Identifier: Apache-2.0
"""How nodes reach one another: the IP version and subnets of the transport, and the MTU that it leaves for pods."""
from __future__ import annotations

import ipaddress
from typing import Iterable, Iterator

from ..errors import InputError, Problem
from ..intent.state import ClusterState, Node
from ..intent.variables import MTU_MIN
from .esp import CIPHERS, WIREGUARD_OVERHEAD, esp_payload

ETHERNET = 14
_IP_HEADER = {4: 20, 6: 40}
_TUNNEL_HEADER = {"geneve": 8 + 8, "vxlan": 8 + 8, "gre": 4}
"""UDP and Geneve without options (RFC 8926), UDP and VXLAN (RFC 7348), GRE without key or checksum (RFC 2784)."""


def underlay_family(nodes: Iterable[Node]) -> int:
    """4 or 6: the IP version that every node's transport has, IPv4 if both do. Raises InputError if there is none."""
    nodes = list(nodes)
    for version in (4, 6):
        if all(_has(node, version) for node in nodes):
            return version
    without = {version: [node.name for node in nodes if not _has(node, version)] for version in (4, 6)}
    raise InputError([Problem("", "sluice_nodes", "", (
        f"the nodes have no IP version in common: no IPv4 address on the transport of {', '.join(without[4])}; "
        f"no IPv6 address on that of {', '.join(without[6])}"), "an address of the same family on every node's transport interface")])


def endpoint_address(node: Node, version: int) -> str:
    """The node's bare transport address of that IP version."""
    return next(address for address in node.transport.ips if (":" in address) == (version == 6))


def transport_subnet(node: Node, version: int) -> str:
    """The network of the node's transport address of that IP version; no router lies between nodes of the same one."""
    return str(ipaddress.ip_interface(next(
        address for address in node.transport.addresses if (":" in address) == (version == 6))).network)


def overhead(traffic_mode: str, tunnel_type: str, version: int) -> int:
    """Bytes that a pod's packet grows by on the transport: outer IP, tunnel header and the inner Ethernet header."""
    if traffic_mode == "no_encap":
        return 0
    return _IP_HEADER[version] + _TUNNEL_HEADER[tunnel_type] + ETHERNET


def pod_mtu(state: ClusterState, version: int) -> int:
    """The MTU of every pod's interface in bytes: one for all, since a tunnel cannot tell a sender that the far end takes less.

    Raises InputError where the MTU asked for does not fit, or where too little is left for the pods' IP version.
    """
    cluster = state.cluster
    smallest = min(state.nodes.values(), key=lambda node: (node.transport.mtu, node.name))
    most, what = min(_left(smallest.transport.mtu, state, version))
    cost = smallest.transport.mtu - most
    reason = (f"{smallest.transport.interface} of {smallest.name} has MTU {smallest.transport.mtu}"
              + (f", and {what} over IPv{version} takes {cost}" if cost else ""))
    if cluster.mtu is not None and cluster.mtu > most:
        raise InputError([Problem("", "cluster " + cluster.name, "sluice_mtu", f"{cluster.mtu} does not fit: {reason}", f"at most {most}")])
    mtu = cluster.mtu if cluster.mtu is not None else most
    least = max(MTU_MIN[6 if ":" in cidr else 4] for cidr in cluster.pod_cidrs)
    if mtu < least:
        raise InputError([Problem("", "cluster " + cluster.name, "sluice_mtu", f"{mtu} bytes are left for pods: {reason}",
                                  f"at least {least}, so a transport MTU of at least {least + cost}")])
    return mtu


def _left(mtu: int, state: ClusterState, version: int) -> Iterator[tuple[int, str]]:
    """What each way that packets may travel leaves of the transport's MTU, and the way's name. A node with encryption is enough for that
    to count: pods would else lose packets while the encryption of the others is on its way."""
    cluster, kinds = state.cluster, {node.encryption for node in state.nodes.values()}
    cost = overhead(cluster.traffic_mode, cluster.tunnel_type, version)
    if kinds != {"wireguard"}:
        yield mtu - cost, cluster.tunnel_type
    if "ipsec" in kinds:
        ip, ipsec = _IP_HEADER[version], cluster.ipsec
        room = esp_payload(mtu - ip, CIPHERS[ipsec.cipher], ipsec.nat_traversal)
        yield room - (cost - ip), f"{cluster.tunnel_type} in ESP with {ipsec.cipher}{' in UDP' if ipsec.nat_traversal else ''}"
    if "wireguard" in kinds:
        yield mtu - _IP_HEADER[version] - WIREGUARD_OVERHEAD, "WireGuard"


def _has(node: Node, version: int) -> bool:
    return any((":" in address) == (version == 6) for address in node.transport.addresses)
