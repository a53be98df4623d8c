# SPDX-License-Identifier: Apache-2.0
"""To which endpoints a Service gives a connection (https://kubernetes.io/docs/concepts/services-networking/service/, …/endpoint-slices/,
https://kubernetes.io/docs/reference/networking/virtual-ips/)."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Callable, Iterator, Optional, Sequence

from ..intent.kinds import Service, ServicePort
from ..intent.state import ClusterState, Pod

ZONE_LABEL = "topology.kubernetes.io/zone"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
"""A Service with this label is for another proxy ("Labels, Annotations and Taints")."""


@dataclass(frozen=True)
class Endpoint:
    address: str
    port: int
    node: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    hint_zones: tuple[str, ...] = ()
    hint_nodes: tuple[str, ...] = ()


def endpoints_of(service: Service, port: ServicePort, version: int, state: ClusterState) -> list[Endpoint]:
    """All endpoints of a Service's port that have an address of that version: the pods that its selector finds and those of its EndpointSlices.

    Of several with one address and port (pods on one node's network) it is enough that one is ready ("Duplicate endpoints" has no word on it).
    """
    found: dict[tuple[str, int], Endpoint] = {}
    for endpoint in [*_of_selector(service, port, version, state), *_of_slices(service, port, version, state)]:
        other = found.setdefault((endpoint.address, endpoint.port), endpoint)
        if (endpoint.ready, endpoint.serving) > (other.ready, other.serving):
            found[endpoint.address, endpoint.port] = endpoint
    return list(found.values())


def _of_selector(service: Service, port: ServicePort, version: int, state: ClusterState) -> Iterator[Endpoint]:
    """ "Services with selectors", and of EndpointSlices "Conditions": ready is an alias for serving and not terminating, or publishNotReadyAddresses."""
    for pod in state.pods.values():
        if not service.selector or pod.namespace != service.namespace or any(pod.labels.get(key) != value for key, value in service.selector):
            continue
        target = _target_port(port, pod)
        node = state.nodes[pod.node]
        addresses = node.transport.ips if pod.host_network else pod.ips
        zone = node.labels.get(ZONE_LABEL, "")
        for address in addresses:
            if target is not None and ipaddress.ip_address(address).version == version:
                yield Endpoint(
                    address, target, pod.node, service.publish_not_ready_addresses or (pod.ready and not pod.terminating), pod.ready, pod.terminating,
                    # "Traffic distribution": the control plane hints each endpoint's own zone, and for PreferSameNode its own node, too.
                    (zone,) if service.traffic_distribution and zone else (), (pod.node,) if service.traffic_distribution == "PreferSameNode" else ())


def _target_port(port: ServicePort, pod: Pod) -> Optional[int]:
    """ "Port definitions": a name means the port of that name and of the Service port's protocol, which may differ from pod to pod."""
    if isinstance(port.target_port, int):
        return port.target_port
    return next((own.port for own in pod.ports if own.name == port.target_port and own.protocol == port.protocol), None)


def _of_slices(service: Service, port: ServicePort, version: int, state: ClusterState) -> Iterator[Endpoint]:
    """EndpointSlices belong to the Service that their label names; their ports to the Service port of the same name (and protocol)."""
    for one in state.endpoint_slices.values():
        if one.service != service.key or one.address_type != f"IPv{version}":
            continue
        for number in (own.port for own in one.ports if own.port and (own.name, own.protocol) == (port.name, port.protocol)):
            for endpoint in one.endpoints:
                # EndpointSlice API, Endpoint.addresses: all stand for the same endpoint, and consumers use the first.
                yield Endpoint(endpoint.addresses[0], number, endpoint.node_name, endpoint.ready, endpoint.serving, endpoint.terminating,
                               endpoint.hint_zones, endpoint.hint_nodes)


def usable(endpoints: Sequence[Endpoint], node: str, zone: str, local: bool) -> list[Endpoint]:
    """Those that a connection which is balanced on ``node`` may be given to.

    "Traffic policies": with Local, those on the node. "Traffic to terminating endpoints": if none is ready, those that still serve.
    Topology hints do not apply to Local.
    """
    candidates = [one for one in endpoints if one.node == node] if local else list(endpoints)
    ready = [one for one in candidates if one.ready]
    if not ready:
        return [one for one in candidates if one.serving and one.terminating]
    return ready if local else _preferred(ready, node, zone)


def _preferred(ready: list[Endpoint], node: str, zone: str) -> list[Endpoint]:
    """ "Topology aware routing, Safeguards" and "Traffic distribution": hints count only if every ready endpoint has one and one of them is for here."""
    preferences: list[tuple[Callable[[Endpoint], tuple[str, ...]], str]] = [(lambda one: one.hint_nodes, node), (lambda one: one.hint_zones, zone)]
    for hints, here in preferences:
        if here and all(map(hints, ready)):
            chosen = [one for one in ready if here in hints(one)]
            if chosen:
                return chosen
    return ready
