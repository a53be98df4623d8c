# SPDX-License-Identifier: Apache-2.0
"""What becomes of a connection to a Service: which of its ports it is for, and which endpoints it may be given to."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Iterable, Optional

from ..errors import SluiceError
from ..intent.kinds import Service, ServicePort
from ..intent.state import ClusterState
from ..intent.syntax import Address
from ..plan.addresses import network
from .endpoints import PROXY_NAME_LABEL, ZONE_LABEL, Endpoint, endpoints_of, usable
from .packet import Party
from .verdict import DROP, REJECT

CLUSTER_IP, EXTERNAL, LOAD_BALANCER, NODE_PORT = "cluster IP", "external IP", "load balancer", "node port"


@dataclass(frozen=True)
class Frontend:
    """Where a connection to a Service was opened to."""

    service: Service
    port: ServicePort
    via: str
    """cluster IP | external IP | load balancer | node port"""


@dataclass(frozen=True)
class Choice:
    """The endpoints that a connection may be given to; with none, what becomes of it."""

    endpoints: tuple[Endpoint, ...]
    refusal: str = ""
    """Drop | Reject"""


class Services:
    """The Services of a state, by name and by address."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._frontends: dict[tuple[Address, str, int], Frontend] = {}
        self.addresses: set[Address] = set()
        """Those of all Services, whatever the port, and also of those that are for another proxy."""
        self._node_ports: dict[tuple[str, int], Frontend] = {}
        self._node_addresses = {ipaddress.ip_interface(text).ip for node in state.nodes.values() for text in node.transport.addresses}
        for service in state.services.values():
            self.addresses.update(address for address, _via in _addresses(service))
            for port in () if PROXY_NAME_LABEL in service.labels else service.ports:
                for address, via in _addresses(service):
                    self._frontends.setdefault((address, port.protocol, port.port), Frontend(service, port, via))
                if port.node_port:
                    self._node_ports[port.protocol, port.node_port] = Frontend(service, port, NODE_PORT)

    def at(self, party: Party, protocol: str, port: int) -> Optional[Frontend]:
        """What Service is at that port of the address: one of its own addresses, or a node's with a NodePort ("type: NodePort").

        Which of a node's addresses serve NodePorts is the implementation's to say (kube-proxy's --nodeport-addresses): its transport addresses do.
        """
        frontend = self._frontends.get((party.address, protocol, port))
        return frontend or (self._node_ports.get((protocol, port)) if party.address in self._node_addresses else None)

    def refusal(self, address: Address, protocol: str) -> str:
        """What becomes of a packet to an address of Services at which no Service has that port: Drop, Reject; empty if it is no such address.

        Nothing else is to be found there. What is addressed to the cluster's own range is refused (KEP-3866: so that clients need not wait).
        """
        if any(address in network(cidr) for cidr in self._state.cluster.service_cidrs):
            return DROP if protocol == "ICMP" else REJECT
        return DROP if address in self.addresses else ""

    def cluster_ip(self, key: str, version: int) -> Address:
        """:raises SluiceError: There is no such Service, or it has no cluster IP of that version (headless, ExternalName, the other family)."""
        for text in self._named(key).cluster_ips:
            found = ipaddress.ip_address(text)
            if found.version == version:
                return found
        raise SluiceError(f"Service {key} has no IPv{version} cluster IP.")

    def node_port(self, key: str, protocol: str, port: int) -> int:
        """The NodePort of a Service port. :raises SluiceError: It has none."""
        for own in self._named(key).ports:
            if (own.protocol, own.port) == (protocol, port) and own.node_port:
                return own.node_port
        raise SluiceError(f"Service {key} has no NodePort for its port {protocol} {port}.")

    def _named(self, key: str) -> Service:
        service = self._state.services.get(key)
        if service is None:
            raise SluiceError(f"There is no Service {key} in the state.")
        return service

    def choose(self, frontend: Frontend, source: Party, node: str) -> Choice:
        """Where a connection from ``source``, balanced on ``node``, may go.

        loadBalancerSourceRanges (Service API): traffic through the load balancer is restricted to these client addresses.
        internalTrafficPolicy and externalTrafficPolicy: Local: only endpoints on the node; without one, but with others elsewhere, packets are
        dropped ("Virtual IPs and Service Proxies", "Traffic policies"). For external addresses, clients inside the cluster always get the
        semantics of Cluster (Service API; "Using Source IP"). No endpoints at all: refused (virtual-ips, "REJECT"; Antrea's and the issue's words).
        """
        service = frontend.service
        ranges = service.load_balancer_source_ranges
        if frontend.via == LOAD_BALANCER and ranges and not any(source.address in network(cidr) for cidr in ranges):
            return Choice((), DROP)
        candidates = endpoints_of(service, frontend.port, source.address.version, self._state)
        outside = not source.pod and not source.node
        policy = service.internal_traffic_policy if frontend.via == CLUSTER_IP else service.external_traffic_policy if outside else "Cluster"
        zone = self._state.nodes[node].labels.get(ZONE_LABEL, "")
        chosen = usable(candidates, node, zone, policy == "Local")
        if chosen:
            return Choice(tuple(chosen))
        return Choice((), DROP if usable(candidates, node, zone, False) else REJECT)

    def entry_node(self, frontend: Frontend, version: int) -> str:
        """The node at which a client outside comes in if none is said.

        A load balancer sends to nodes that have an endpoint, which they tell by their health check ("healthCheckNodePort"); else the first node.
        """
        if frontend.via == LOAD_BALANCER and frontend.service.external_traffic_policy == "Local":
            for node in self._state.nodes:
                if usable(endpoints_of(frontend.service, frontend.port, version, self._state), node, "", True):
                    return node
        return next(iter(self._state.nodes))


def _addresses(service: Service) -> Iterable[tuple[Address, str]]:
    balanced = (*service.load_balancer_ingress, service.load_balancer_ip) if service.type == "LoadBalancer" else ()
    for texts, via in ((service.cluster_ips, CLUSTER_IP), (service.external_ips, EXTERNAL), (balanced, LOAD_BALANCER)):
        for text in filter(None, texts):
            yield ipaddress.ip_address(text), via
