# SPDX-License-Identifier: Apache-2.0
"""Flows towards the pods of other nodes, where a tunnel leads there."""
from __future__ import annotations

from typing import Iterable

from ..ovs.flow import Flow
from ..pipeline.build import V4, V6, family, flow, goto
from ..pipeline.tables import CLASSIFY, FIRST_IP, FROM_TUNNEL, PEER_MAC, ROUTE, SNAT, set_output, set_source
from ..plan.addresses import OFPORT_TUNNEL

NAME = "tunnel"


def tunnel_flows(is_open: bool) -> list[Flow]:
    """What comes out of the tunnel goes on as IP and nothing else: no ARP or ND crosses it. If it is not open, nothing does.

    A closed tunnel keeps its port: to take encryption's way instead of it, or to go back, is one change of the flows.
    """
    return [
        flow(CLASSIFY, 200, [f"in_port={OFPORT_TUNNEL}", ip], [set_source(FROM_TUNNEL), goto(FIRST_IP)], NAME)
        for ip in (V4.ip, V6.ip) if is_open
    ] + [flow(CLASSIFY, 190, [f"in_port={OFPORT_TUNNEL}"], [], NAME)]


def peer_flows(node: str, pod_cidrs: Iterable[str], tunnel_endpoint: str) -> list[Flow]:
    """The way to the pods of ``node``, the same on every other node; ``tunnel_endpoint`` is its bare transport address."""
    tunnel = family(tunnel_endpoint)
    flows = []
    for cidr in pod_cidrs:
        ip_family = family(cidr)
        flows.append(flow(ROUTE, 150, [ip_family.ip, f"{ip_family.destination}={cidr}"], [
            f"set_field:{PEER_MAC}->eth_dst", "dec_ttl", f"set_field:{tunnel_endpoint}->{tunnel.tunnel_destination}",
            set_output(OFPORT_TUNNEL), goto(SNAT)], f"node/{node}"))
    return flows


def unassigned_flows(cluster_cidrs: Iterable[str]) -> list[Flow]:
    """Where tunnels lead to all pods, an address that no node has leads nowhere; the host would only send it back."""
    return [flow(ROUTE, 140, [family(cidr).ip, f"{family(cidr).destination}={cidr}"], [], NAME) for cidr in cluster_cidrs]
