# SPDX-License-Identifier: Apache-2.0
"""What a node's host needs so that pods' packets reach other nodes through WireGuard, in place of the tunnel."""
from __future__ import annotations

import ipaddress
from typing import Any

from ..compile.fabric import Fabric
from ..intent.state import Node
from ..plan.addresses import WIREGUARD, gateway_address, with_port
from ..plan.underlay import endpoint_address
from .paths import WIREGUARD_KEY


def peers(fabric: Fabric, node: Node) -> list[Node]:
    """The other nodes that are reached through WireGuard."""
    return fabric.encrypted_peers(node) if node.encryption == "wireguard" else []


def _device(fabric: Fabric, node: Node) -> dict[str, Any]:
    """Field ``wireguard`` of the link."""
    settings, entries = fabric.state.cluster.wireguard, []
    for peer in peers(fabric, node):
        entry = {
            "public_key": peer.keys.wireguard,
            "endpoint": with_port(endpoint_address(peer, fabric.underlay), settings.port),
            "allowed_ips": list(peer.pod_cidrs),
        }
        entries.append({**entry, "persistent_keepalive": settings.persistent_keepalive} if settings.persistent_keepalive else entry)
    return {"private_key_file": WIREGUARD_KEY, "port": settings.port, "peers": entries}


def link(fabric: Fabric, node: Node) -> dict[str, Any]:
    """It has the gateway's addresses, so that what the host itself sends, or masquerades, comes from a pod CIDR: the peer takes no others."""
    addresses = [f"{gateway_address(cidr)}/{128 if ':' in cidr else 32}" for cidr in node.pod_cidrs]
    return {"name": WIREGUARD, "addresses": addresses, "mtu": fabric.mtu, "up": True, "wireguard": _device(fabric, node)}


def routes(fabric: Fabric, node: Node) -> list[dict[str, Any]]:
    """To the pods of the peers. They are longer than the route to all pods, which leads to the bridge, where such packets are dropped."""
    by_version = {ipaddress.ip_network(cidr).version: gateway_address(cidr) for cidr in node.pod_cidrs}
    return [{"destination": cidr, "device": WIREGUARD, "source": by_version[6 if ":" in cidr else 4]}
            for peer in peers(fabric, node) for cidr in peer.pod_cidrs]


def opening(fabric: Fabric) -> dict[str, Any]:
    """What firewalls have to let pass."""
    return {"protocol": "udp", "port": fabric.state.cluster.wireguard.port}
