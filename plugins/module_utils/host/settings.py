# SPDX-License-Identifier: Apache-2.0
"""What the host itself has to be for its pods: forwarding, the gateway interface, routes, masquerading. Input of sluice.fabric.host."""
from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ..intent.state import Node
from ..pipeline.build import family
from ..pipeline.tables import HAIRPIN_ADDRESS, NODE_PORT_ADDRESS, PEER_NEXT_HOP
from ..plan.addresses import GATEWAY, TRANSPORT_BRIDGE, gateway_address
from .nftables import forward_rules, kernel_bypass_rules, masquerade_rules

TUNNEL_PORT: dict[str, dict[str, Any]] = {
    "geneve": {"protocol": "udp", "port": 6081},
    "vxlan": {"protocol": "udp", "port": 4789},
    "gre": {"protocol": "gre"},
}
"""RFC 8926 section 3.3, RFC 7348 section 5, RFC 2784. They are Open vSwitch's defaults too (ovs-vswitchd.conf.db(5), dst_port)."""


def gateway_link(node: Node) -> dict[str, Any]:
    """The node's own interface in the pod network; its MTU and MAC are the bridge's to set (:mod:`..compile.switch`)."""
    addresses = [f"{gateway_address(cidr)}/{cidr.partition('/')[2]}" for cidr in node.pod_cidrs]
    return {"name": GATEWAY, "addresses": addresses, "up": True}


def transport_links(node: Node) -> list[dict[str, Any]]:
    """With the userspace datapath the addresses of the transport live on a bridge: OVS looks tunnels' next hops up on its own ports only."""
    if node.datapath != "netdev":
        return []
    transport = node.transport
    return [{"name": TRANSPORT_BRIDGE, "addresses": list(transport.addresses), "up": True},
            {"name": transport.interface, "addresses": [], "up": True}]


def transport_device(node: Node) -> str:
    """The interface that carries the transport's addresses."""
    return TRANSPORT_BRIDGE if node.datapath == "netdev" else node.transport.interface


def transport_routes(node: Node) -> list[dict[str, Any]]:
    """The routes that the transport had, on the bridge to which its addresses move."""
    if node.datapath != "netdev":
        return []
    return [{"destination": route.destination, "via": route.via, "device": TRANSPORT_BRIDGE} for route in node.transport.routes]


def tunnel_routes(node: Node, cluster_cidrs: Iterable[str]) -> list[dict[str, Any]]:
    """The host's own way to pods on other nodes through the bridge: one route a family, whatever nodes come and go."""
    routes = []
    for cidr, own in zip(cluster_cidrs, node.pod_cidrs):
        next_hop = PEER_NEXT_HOP[family(cidr).version]
        routes.append({"destination": cidr, "via": next_hop, "device": GATEWAY, "onlink": True, "source": gateway_address(own)})
    return routes


def service_routes(node: Node, service_cidrs: Iterable[str], external: Iterable[str]) -> list[dict[str, Any]]:
    """The host's way to Services is through the bridge: cluster IPs, other addresses of theirs (``external``, bare), and what stands for
    the host's own addresses."""
    routes = []
    for own in node.pod_cidrs:
        ip = family(own)
        cidrs = [cidr for cidr in service_cidrs if family(cidr) is ip]
        hosts = [address for address in external if family(address) is ip] + [NODE_PORT_ADDRESS[ip.version], HAIRPIN_ADDRESS[ip.version]]
        destinations = [*cidrs, *(f"{address}/{128 if ip.version == 6 else 32}" for address in hosts)]
        routes += [{"destination": destination, "via": PEER_NEXT_HOP[ip.version], "device": GATEWAY, "onlink": True,
                    "source": gateway_address(own)} for destination in destinations]
    return routes


def peer_routes(node: Node, peer: Node, next_hops: Sequence[str]) -> list[dict[str, Any]]:
    """Routes to a peer's pods without a tunnel: through the peer's transport address of the same family (``next_hops``, bare)."""
    by_version = {family(address).version: address for address in next_hops}
    return [{"destination": cidr, "via": by_version[family(cidr).version], "device": transport_device(node)}
            for cidr in peer.pod_cidrs if family(cidr).version in by_version]


def sysctl(node: Node) -> dict[str, str]:
    """Kernel settings. A host that forwards IPv6 ignores router advertisements, which a transport may live by: 2 takes them all the same;
    on a transport that is a port of the transport bridge they would bring addresses back that belong to the bridge."""
    settings = {}
    versions = {family(cidr).version for cidr in node.pod_cidrs}
    if 4 in versions:
        settings["net.ipv4.ip_forward"] = "1"
    if 6 in versions:
        settings["net.ipv6.conf.all.forwarding"] = "1"
        settings[f"net.ipv6.conf.{node.transport.interface}.accept_ra"] = "0" if node.datapath == "netdev" else "2"
    return settings


def firewall(
    node: Node, tunnel_type: str, address: str, more: Iterable[Mapping[str, Any]] = (), interfaces: Iterable[str] = ()
) -> dict[str, Any]:
    """What other firewalls of the host have to let pass: the tunnels' packets to ``address``, unless ``tunnel_type`` is empty, and
    all that the pod network and the host exchange, which the bridge judges. The userspace datapath takes its tunnels' packets before the
    kernel's firewall sees them (:func:`.nftables.kernel_bypass_rules`). ``more`` are other protocols and ports, which the kernel receives
    with either datapath, and ``interfaces`` others of the pod network."""
    opening = {"interface": node.transport.interface, "address": address}
    ports = [{**TUNNEL_PORT[tunnel_type], **opening}] if tunnel_type and node.datapath != "netdev" else []
    ports += [{**opening, "interface": transport_device(node), **port} for port in more]
    return {"ports": ports, "interfaces": [GATEWAY, *interfaces]}


def nftables(node: Node, cluster_cidrs: Sequence[str], masquerade: bool, services: str, encryption: str = "") -> dict[str, str]:
    """Table ``inet sluice``, with the rules for Services and of encryption if there are any; and, with the userspace datapath, ``netdev sluice``, which
    keeps the kernel off the bridge's ports."""
    tables = {"inet sluice": forward_rules() + (masquerade_rules(node.pod_cidrs, cluster_cidrs) if masquerade else "") + services + encryption}
    if node.datapath == "netdev":
        tables["netdev sluice"] = kernel_bypass_rules(node.transport.interface)
    return tables
