# SPDX-License-Identifier: Apache-2.0
"""The addresses and ports at which a Service is reached, as flows of the tables node_address and service."""
from __future__ import annotations

import ipaddress
from typing import Iterable, Iterator, NamedTuple, Sequence

from ..intent.kinds import Service
from ..intent.state import Node
from ..ovs.flow import Flow
from ..pipeline.build import V4, V6, Family, family, flow, goto
from ..pipeline.notify import METER_SERVICES, REJECT, notify
from ..pipeline.tables import EXTERNAL, NODE_ADDRESS, NODE_PORT_ADDRESS, POLICY_EXEMPT, SERVICE, TO_NODE, bits_are, set_bit
from ..plan.addresses import gateway_address
from .balance import Balance
from .endpoints import PortEndpoints

NAME = "service"

ADDRESS_PRIORITY = 200
NODE_PORT_PRIORITY = 160
"""Lower than that of addresses: one of them may be a node's own, and says more than a NodePort, which is on all of them."""
OUTSIDE_ABOVE = 10
"""How much higher flows are that are only for packets from outside the cluster."""
LOCAL_ABOVE = 5
"""How much higher a node's flows for its own endpoints are than those that hold where there are none."""
PROTOCOLS = ("tcp", "udp", "sctp")


class Frontend(NamedTuple):
    """One way in which a port of a Service is addressed from outside the cluster (and from inside, too)."""

    destination: str
    """An address; empty: any address of a node."""
    port: int
    guarded: bool = False
    """Whether loadBalancerSourceRanges say whose packets are taken."""


def external_addresses(service: Service) -> tuple[str, ...]:
    """The addresses of a Service that are not the cluster's: externalIPs, and those of its load balancer."""
    return tuple(dict.fromkeys([*service.external_ips, *_load_balancer_addresses(service)]))


def external_frontends(port: PortEndpoints) -> Iterator[Frontend]:
    """The ways to a port from outside, in its family."""
    service = port.service
    for address in external_addresses(service):
        if family(address).version == port.version:
            yield Frontend(address, port.port.port, bool(service.load_balancer_source_ranges) and address in _load_balancer_addresses(service))
    if port.port.node_port:
        yield Frontend("", port.port.node_port)


def internal_flows(port: PortEndpoints, balance: Balance) -> list[Flow]:
    """The flow for a port of the cluster IP of its family."""
    flows = []
    for cluster_ip in port.service.cluster_ips:
        if family(cluster_ip) is balance.ip:
            priority, match = _matched(port, Frontend(cluster_ip, port.port.port), balance.ip, False)
            flows.append(flow(SERVICE, priority + LOCAL_ABOVE * balance.is_local, match, balance.actions(), balance.owner))
    return flows


def external_flows(port: PortEndpoints, frontend: Frontend, balance: Balance, from_outside: bool = False) -> list[Flow]:
    """The flows for a frontend; ``from_outside``: only for packets from outside the cluster.

    Source ranges hold for every client of a load balancer's address, inside the cluster too, as kube-proxy has it. Where none of them is
    of the address's family, no client is in one.
    """
    priority, match = _matched(port, frontend, balance.ip, from_outside)
    priority += LOCAL_ABOVE * balance.is_local
    if not frontend.guarded:
        return [flow(SERVICE, priority, match, balance.actions(), balance.owner)]
    return [flow(SERVICE, priority, [*match, f"{balance.ip.source}={source}"], balance.actions(), balance.owner)
            for source in _source_ranges(port)]


def guard_flow(port: PortEndpoints, frontend: Frontend, balance: Balance) -> Flow:
    """What drops the packets of clients of a guarded frontend that are in no source range."""
    priority, match = _matched(port, frontend, balance.ip, False)
    return flow(SERVICE, priority - OUTSIDE_ABOVE, match, [], balance.owner)


def node_client_flows(port: PortEndpoints, frontend: Frontend, balance: Balance, node: Node) -> list[Flow]:
    """What lets a node itself through to a guarded frontend if its address is in a source range: in the pod network its packets have the
    gateway's address."""
    gateways = [gateway_address(text) for text in node.pod_cidrs if family(text) is balance.ip]
    allowed = any(ipaddress.ip_address(address) in ipaddress.ip_network(text) for text in _source_ranges(port)
                  for address in node.transport.ips if family(address) is balance.ip)
    if not allowed:
        return []
    # The same packets may be in a source range by their gateway's address as well.
    priority, match = _matched(port, frontend, balance.ip, False)
    return [flow(SERVICE, priority - LOCAL_ABOVE, [*match, f"{balance.ip.source}={gateway}"], balance.actions(), balance.owner)
            for gateway in gateways]


def node_address_flows(nodes: Iterable[Node]) -> list[Flow]:
    """Packets to a node's own address, or to the one that stands for all of them, may be for a NodePort."""
    addresses = [address for node in nodes for address in node.transport.ips] + list(NODE_PORT_ADDRESS.values())
    return [flow(NODE_ADDRESS, 200, [family(address).ip, f"{family(address).destination}={address}"], [set_bit(TO_NODE), goto(SERVICE)], NAME)
            for address in dict.fromkeys(addresses)]


def baseline_flows() -> list[Flow]:
    """What is addressed to no Service goes on."""
    return [flow(NODE_ADDRESS, 0, [], [goto(SERVICE)], NAME), flow(SERVICE, 0, [], [goto(POLICY_EXEMPT)], NAME)]


def unassigned_flows(service_cidrs: Sequence[str], external: Iterable[str], node_addresses: Iterable[str]) -> list[Flow]:
    """Ports and addresses for Services that no Service has: refused if they are the cluster's own.

    Others are dropped, since the host's route would only bring the packets back; but an address of a node has other ports too.
    """
    name = "unassigned service address"
    flows = []
    for cidr in service_cidrs:
        ip = family(cidr)
        destination = f"{ip.destination}={cidr}"
        flows += [flow(SERVICE, 90, [_word(protocol, ip), destination], [notify(REJECT, METER_SERVICES)], name) for protocol in PROTOCOLS]
        flows.append(flow(SERVICE, 80, [ip.ip, destination], [], name))
    for address in sorted({*external, *NODE_PORT_ADDRESS.values()} - set(node_addresses)):
        flows.append(flow(SERVICE, 80, [family(address).ip, f"{family(address).destination}={address}"], [], name))
    return flows


def _load_balancer_addresses(service: Service) -> tuple[str, ...]:
    if service.type != "LoadBalancer":
        return ()
    return (*((service.load_balancer_ip,) if service.load_balancer_ip else ()), *service.load_balancer_ingress)


def _source_ranges(port: PortEndpoints) -> list[str]:
    return [text for text in port.service.load_balancer_source_ranges if family(text).version == port.version]


def _matched(port: PortEndpoints, frontend: Frontend, ip: Family, from_outside: bool) -> tuple[int, list[str]]:
    """Priority and match of what is addressed to a frontend."""
    bits = (EXTERNAL if from_outside else 0) | (0 if frontend.destination else TO_NODE)
    match = [bits_are(bits, bits)] if bits else []
    match.append(_word(port.port.protocol.lower(), ip))
    if frontend.destination:
        match.append(f"{ip.destination}={frontend.destination}")
    match.append(f"tp_dst={frontend.port}")
    priority = ADDRESS_PRIORITY if frontend.destination else NODE_PORT_PRIORITY
    return priority + OUTSIDE_ABOVE * from_outside, match


def _word(protocol: str, ip: Family) -> str:
    return protocol + ("6" if ip is V6 else "")


def ip_family(version: int) -> Family:
    """The family of an IP version."""
    return V6 if version == 6 else V4
