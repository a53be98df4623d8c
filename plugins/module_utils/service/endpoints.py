# SPDX-License-Identifier: Apache-2.0
"""Which endpoints the ports of each Service have, and which of them are used where."""
from __future__ import annotations

from collections import defaultdict
from typing import Container, Iterable, Iterator, Mapping, NamedTuple, Sequence

from ..intent.changes import changes
from ..intent.kinds import EndpointSlice, Service
from ..intent.kinds.service import ServicePort
from ..intent.state import ClusterState, Node, Pod

ZONE_LABEL = "topology.kubernetes.io/zone"
"""The well-known label of a node that says in which zone it is."""
PROXY_LABEL = "service.kubernetes.io/service-proxy-name"
"""A Service with this label is left to the proxy that it names (KEP-2447)."""


class Endpoint(NamedTuple):
    """An address and port behind a Service. The conditions and hints are those of discovery.k8s.io/v1."""

    ip: str
    port: int
    node: str = ""
    """Name of the node that it is on; empty outside of the cluster, or if an EndpointSlice does not say."""
    pod: str = ""
    """``namespace/name``; empty if it is no pod, or an EndpointSlice does not say."""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone: str = ""
    hint_zones: tuple[str, ...] = ()
    hint_nodes: tuple[str, ...] = ()


class PortEndpoints(NamedTuple):
    """One port of one Service in one IP family."""

    service: Service
    port: ServicePort
    version: int
    """4 | 6"""
    endpoints: tuple[Endpoint, ...]
    """In all conditions, sorted by address and port, each pair once."""


def service_endpoints(state: ClusterState) -> dict[str, tuple[PortEndpoints, ...]]:
    """By Service, in order of key: each of its ports in each family of its cluster IPs. Services that are headless, ExternalName, or
    another proxy's are not in it.

    A Service with a selector has the pods that it selects, as the EndpointSlice controller of Kubernetes finds them. One without has
    the endpoints of the EndpointSlices that name it.
    """
    return _find(state, state.services, {})


def updated_endpoints(state: ClusterState, before: ClusterState, known: Mapping[str, tuple[PortEndpoints, ...]]) -> dict[str, tuple[PortEndpoints, ...]]:
    """`service_endpoints` of a state, with those that are the same in the state ``before`` taken from what is known of it.

    The nodes of both are the same.
    """
    pods = [pod for _key, *both in changes(before.pods, state.pods) for pod in both if pod]
    labels = {(pod.namespace, *label) for pod in pods for label in pod.labels.items()}
    suspects = {key for key, _old, _new in changes(before.services, state.services)}
    suspects.update(piece.service for _key, *both in changes(before.endpoint_slices, state.endpoint_slices) for piece in both if piece)
    suspects.update(key for key, service in state.services.items()
                    if labels and service.selector and all((service.namespace, *label) in labels for label in service.selector))
    return _find(state, suspects, known) if suspects else dict(known)


def _find(state: ClusterState, suspects: Container[str], known: Mapping[str, tuple[PortEndpoints, ...]]) -> dict[str, tuple[PortEndpoints, ...]]:
    """By Service its ports: of the suspects anew, of the others as known."""
    pods = _Pods(state)
    slices: dict[str, list[EndpointSlice]] = defaultdict(list)
    for piece in state.endpoint_slices.values():
        slices[piece.service].append(piece)
    found = {}
    for key, service in sorted(state.services.items()):
        if not (service.headless or service.type == "ExternalName" or PROXY_LABEL in service.labels):
            old = known.get(key)
            new = old if old is not None and key not in suspects else tuple(_ports(service, pods, slices.get(key, ())))
            found[key] = old if old is not None and old == new else new
    return found


def usable(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """The ready ones; if there is none, those that still serve while they terminate (KEP-1669).

    With a traffic policy Local this is asked of the node's own endpoints, ``usable(local(endpoints, node))``: whether others are ready
    elsewhere does not matter there.
    """
    endpoints = tuple(endpoints)
    ready = tuple(endpoint for endpoint in endpoints if endpoint.ready)
    return ready or tuple(endpoint for endpoint in endpoints if endpoint.serving and endpoint.terminating)


def local(endpoints: Iterable[Endpoint], node: str) -> tuple[Endpoint, ...]:
    """Those on the node with that name."""
    return tuple(endpoint for endpoint in endpoints if endpoint.node == node)


def for_node(port: PortEndpoints, node: Node) -> tuple[Endpoint, ...]:
    """The endpoints that a node uses for traffic policy Cluster: those that hints give to it, or all that are usable.

    Hints count if all ready endpoints have them and one of them is for this node; those for nodes go before those for zones, which
    need a zone label on the node (KEP-2433, KEP-3015).
    """
    ready = [endpoint for endpoint in port.endpoints if endpoint.ready]
    if not ready:
        return usable(port.endpoints)
    zone = node.labels.get(ZONE_LABEL, "")
    if all(endpoint.hint_nodes for endpoint in ready):
        near = tuple(endpoint for endpoint in ready if node.name in endpoint.hint_nodes)
        if near:
            return near
    if zone and all(endpoint.hint_zones for endpoint in ready):
        near = tuple(endpoint for endpoint in ready if zone in endpoint.hint_zones)
        if near:
            return near
    return tuple(ready)


def is_hinted(endpoints: Iterable[Endpoint]) -> bool:
    """Whether hints decide which of them a node uses."""
    ready = [endpoint for endpoint in endpoints if endpoint.ready]
    return bool(ready) and (all(endpoint.hint_nodes for endpoint in ready) or all(endpoint.hint_zones for endpoint in ready))


def _ports(service: Service, pods: _Pods, slices: Sequence[EndpointSlice]) -> Iterator[PortEndpoints]:
    selected = pods.selected(service)
    for version in (6 if ":" in ip else 4 for ip in service.cluster_ips):
        for port in service.ports:
            found = pods.endpoints(service, port, version, selected) if service.selector else _listed(port, version, slices)
            yield PortEndpoints(service, port, version, _distinct(found))


def _distinct(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """One of each address and port: pods of the host's network and overlapping slices may say it twice, and the better condition counts."""
    best: dict[tuple[str, int], Endpoint] = {}
    for endpoint in endpoints:
        other = best.setdefault((endpoint.ip, endpoint.port), endpoint)
        if (endpoint.ready, endpoint.serving) > (other.ready, other.serving):
            best[endpoint.ip, endpoint.port] = endpoint
    return tuple(best[place] for place in sorted(best))


def _listed(port: ServicePort, version: int, slices: Iterable[EndpointSlice]) -> Iterator[Endpoint]:
    """The endpoints of slices whose port has the name and protocol of the Service's. A slice's port without a number is for no Service."""
    for piece in slices:
        if piece.address_type != f"IPv{version}":
            continue
        for number in (own.port for own in piece.ports if own.port and (own.name, own.protocol) == (port.name, port.protocol)):
            for one in piece.endpoints:
                # All addresses of an endpoint are as good as the first (EndpointSlice API).
                yield Endpoint(one.addresses[0], number, one.node_name, one.target, one.ready, one.serving, one.terminating, one.zone,
                               one.hint_zones, one.hint_nodes)


class _Pods:
    """The pods of a state by namespace and label, so that a selector looks only at those that have its rarest label."""

    def __init__(self, state: ClusterState) -> None:
        self._zones = {name: node.labels.get(ZONE_LABEL, "") for name, node in state.nodes.items()}
        self._hosts = {name: node.transport.ips for name, node in state.nodes.items()}
        self._with: dict[tuple[str, str, str], list[Pod]] = defaultdict(list)
        for pod in state.pods.values():
            for key, value in pod.labels.items():
                self._with[pod.namespace, key, value].append(pod)

    def selected(self, service: Service) -> list[Pod]:
        """The pods that a Service's selector matches; none if it has no selector."""
        columns = [self._with.get((service.namespace, key, value), []) for key, value in service.selector]
        fewest = min(columns, key=len, default=[])
        return [pod for pod in fewest if all(pod.labels.get(key) == value for key, value in service.selector)]

    def endpoints(self, service: Service, port: ServicePort, version: int, pods: Iterable[Pod]) -> Iterator[Endpoint]:
        """What these pods are to one port of a Service; a pod without that port, or without an address of that version, is nothing to it."""
        distribution = service.traffic_distribution
        for pod in pods:
            ip = _of_version(self._hosts[pod.node] if pod.host_network else pod.ips, version)
            number = _target(pod, port)
            if not (ip and number):
                continue
            zone = self._zones[pod.node]
            # As the EndpointSlice controller has it: a terminating pod is never ready, but where readiness is not asked for.
            ready = service.publish_not_ready_addresses or (pod.ready and not pod.terminating)
            hint_zones = (zone,) if zone and distribution else ()
            hint_nodes = (pod.node,) if distribution == "PreferSameNode" else ()
            yield Endpoint(ip, number, pod.node, pod.key, ready, pod.ready, pod.terminating, zone, hint_zones, hint_nodes)


def _of_version(addresses: Iterable[str], version: int) -> str:
    return next((ip for ip in addresses if (":" in ip) == (version == 6)), "")


def _target(pod: Pod, port: ServicePort) -> int:
    """The number of a pod's port that a Service's port means; 0 if the pod has none of that name and protocol."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    wanted = (port.target_port, port.protocol)
    return next((own.port for own in pod.ports if (own.name, own.protocol) == wanted), 0)
