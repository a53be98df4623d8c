# SPDX-License-Identifier: Apache-2.0
"""The settings of one node's host."""
from __future__ import annotations

from typing import Any

from ..compile.fabric import Fabric
from ..encryption.contribute import encryption_settings
from ..intent.state import Node
from ..node.units import AGENT_UNIT, AGENT_UNIT_FILE, AGENT_UNIT_TEXT, NODE_UNIT, NODE_UNIT_FILE, NODE_UNIT_TEXT
from ..pipeline.build import family
from ..plan.underlay import endpoint_address
from .nftables import OwnPort, service_rules
from .settings import firewall, gateway_link, nftables, peer_routes, service_routes, sysctl, transport_links, transport_routes, tunnel_routes


def host_program(fabric: Fabric, node: Node) -> dict[str, Any]:
    """Input of sluice.fabric.host, apart from the program's own files, which the role puts beside it."""
    cluster = fabric.state.cluster
    routes = transport_routes(node)
    if fabric.has_tunnels:
        routes += tunnel_routes(node, cluster.pod_cidrs)
    for peer in fabric.routed_peers(node):
        routes += peer_routes(node, peer, peer.transport.ips)
    encryption = encryption_settings(fabric, node)
    routes += encryption.routes
    services = ""
    if fabric.services.ports:
        routes += service_routes(node, cluster.service_cidrs, fabric.services.routed_addresses)
        services = service_rules([family(cidr).version for cidr in node.pod_cidrs], [OwnPort(*own) for own in fabric.services.own_ports(node)])
    return {
        "sysctl": sysctl(node),
        "links": [*transport_links(node), gateway_link(node), *encryption.links],
        "routes": routes,
        "nftables": nftables(node, cluster.pod_cidrs, cluster.masquerade, services, encryption.rules),
        "firewall": firewall(
            node, cluster.tunnel_type if fabric.takes_tunnelled(node) else "", endpoint_address(node, fabric.underlay), encryption.openings,
            [link["name"] for link in encryption.links]),
        "files": {NODE_UNIT_FILE: {"content": NODE_UNIT_TEXT}, AGENT_UNIT_FILE: {"content": AGENT_UNIT_TEXT}},
        # The first is enabled and not started: what it would do is what the run that enables it does.
        "units": {NODE_UNIT: {"enabled": True}, AGENT_UNIT: {"enabled": True, "started": True}, **encryption.units},
    }
