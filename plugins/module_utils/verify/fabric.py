# SPDX-License-Identifier: Apache-2.0
"""The pods, nodes and Services of a cluster as verification sees them: who sends, where something listens, and who may reach whom."""
from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Tuple

from ..audit.endpoints import PROXY_NAME_LABEL
from ..audit.reachability import Reachability
from ..intent.kinds import Service
from ..intent.state import ClusterState, Node, Pod
from ..node.containers import DEFAULT_PORT
from ..plan.addresses import gateway_address
from ..plan.underlay import pod_mtu, underlay_family

_PROBED = ("TCP", "UDP")


class Port(NamedTuple):
    protocol: str
    """tcp | udp"""
    number: int


class Place(NamedTuple):
    """A pod, or a node as itself: something that sends, or that is sent to."""

    name: str
    """``namespace/name`` of a pod, name of a node."""
    node: str
    addresses: Tuple[str, ...]
    """At most one a family. Of a node, and of a pod on its network: the gateways, which every pod can reach."""
    ports: Tuple[Port, ...]
    kind: str
    """pod | host_pod (on its node's network) | node"""


class ServicePlace(NamedTuple):
    """A Service that has addresses."""

    name: str
    """``namespace/name``"""
    addresses: Tuple[str, ...]
    """Its cluster IPs, at most one a family."""
    ports: Tuple[Port, ...]
    node_ports: Tuple[Port, ...]


class Fabric:
    """What there is to probe in a state."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self.reachability = Reachability(state)
        self.mtu = pod_mtu(state, underlay_family(state.nodes.values()))
        """Of the pods' interfaces, in bytes."""
        self.pods = tuple(_pod(pod, state.nodes[pod.node]) for pod in sorted(state.pods.values(), key=lambda pod: (pod.node, pod.key)))
        """By node and name."""
        self.nodes = tuple(Place(node.name, node.name, _gateways(node), (), "node") for node in state.nodes.values())
        self.services = tuple(map(_service, filter(_is_served, state.services.values())))
        self.places = self.pods + self.nodes
        self.listeners: Dict[str, Dict[Port, str]] = {}
        """Address of a pod, or of a gateway behind which there are pods on the host's network, to who listens there on which port."""
        for pod in self.pods:
            for address in pod.addresses:
                self.listeners.setdefault(address, {}).update(dict.fromkeys(pod.ports, pod.name))

    def node_addresses(self, node: str) -> Tuple[str, ...]:
        """Where the node is reached from outside the pod network, and with it its NodePorts."""
        return self._state.nodes[node].transport.ips

    def families(self) -> List[int]:
        """4 and 6, those that the cluster's pods have."""
        return sorted({6 if ":" in address else 4 for place in self.places for address in place.addresses})


def _pod(pod: Pod, node: Node) -> Place:
    ports = _ports((port.protocol, port.port) for port in pod.ports)
    if pod.host_network:
        return Place(pod.key, node.name, _gateways(node), ports, "host_pod")
    if not pod.ports:
        protocol, _separator, number = DEFAULT_PORT.partition("/")
        ports = _ports([(protocol, int(number))])
    return Place(pod.key, node.name, pod.ips, ports, "pod")


def _service(service: Service) -> ServicePlace:
    return ServicePlace(
        service.key, service.cluster_ips, _ports((port.protocol, port.port) for port in service.ports),
        _ports((port.protocol, port.node_port) for port in service.ports if port.node_port))


def _is_served(service: Service) -> bool:
    """Whether it is for the nodes to serve: headless Services and ExternalNames have no address, and some are another proxy's."""
    return bool(service.cluster_ips) and PROXY_NAME_LABEL not in service.labels


def _ports(ports: Iterable[Tuple[str, int]]) -> Tuple[Port, ...]:
    return tuple(Port(protocol.lower(), number) for protocol, number in ports if protocol in _PROBED)


def _gateways(node: Node) -> Tuple[str, ...]:
    return tuple(gateway_address(cidr) for cidr in node.pod_cidrs)
