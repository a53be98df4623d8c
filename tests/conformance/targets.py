# SPDX-License-Identifier: Apache-2.0
"""From a row's words to addresses, and to the servers that there have to be for it."""
from __future__ import annotations

from dataclasses import dataclass

from sluice.intent.kinds import Service
from sluice.intent.kinds.service import ServicePort
from sluice.intent.state import ClusterState, Pod
from sluice.plan.addresses import gateway_address

from .case_file import Row
from .lab import Lab, bare
from .place import Place


@dataclass(frozen=True)
class Target:
    """Where a row's probes go."""

    source: Place
    address: str
    port: int
    servers: tuple[tuple[Place, int], ...]
    """With the port each has to listen on: a probed port may be no containerPort, and what refuses then is no policy."""


class Targets:
    def __init__(self, state: ClusterState, lab: Lab, family: int) -> None:
        self._state, self._lab, self._family = state, lab, family

    def target(self, row: Row) -> Target:
        """Raises KeyError for a name that the state does not have."""
        source = self._place(row.source)
        kind, _colon, rest = row.destination.partition(":")
        service = self._service_at(rest) if kind == "ip" else self._state.services[rest] if kind in ("svc", "nodeport") else None
        if service is None:
            place = self._place(row.destination)
            return Target(source, place.address, row.port, ((place, row.port),))
        port = next(port for port in service.ports if (port.port, port.protocol) == (row.port, row.protocol))
        servers = tuple(self._servers(service, port))
        if kind == "nodeport":
            # The node of the client, as far as it has one: there are no rows from outside.
            node = self._lab.node(self._state, next(iter(self._state.nodes)), self._family)
            return Target(source, node.address, port.node_port, servers)
        return Target(source, rest if kind == "ip" else service.cluster_ips[0], row.port, servers)

    def gateways(self) -> set[str]:
        """The addresses of the nodes' gateways."""
        return {gateway_address(cidr) for node in self._state.nodes.values() for cidr in node.pod_cidrs}

    def _place(self, name: str) -> Place:
        kind, _colon, rest = name.partition(":")
        return self._lab.outside(rest) if kind == "ip" else self._lab.pod(self._state, name, self._family)

    def _service_at(self, address: str) -> Service | None:
        """The Service that has an address from outside of the cluster."""
        return next((service for service in self._state.services.values()
                     if address in bare([service.load_balancer_ip, *service.load_balancer_ingress, *service.external_ips])), None)

    def _servers(self, service: Service, port: ServicePort) -> list[tuple[Place, int]]:
        selected = [pod for pod in self._state.pods.values() if pod.namespace == service.namespace and service.selector
                    and all(pod.labels.get(key) == value for key, value in service.selector)]
        return [(self._place(pod.key), number) for pod in selected for number in _numbers(pod, port)]


def _numbers(pod: Pod, port: ServicePort) -> list[int]:
    """The pod's port that the Service's leads to; none if it has no port of that name."""
    if isinstance(port.target_port, int):
        return [port.target_port]
    return [own.port for own in pod.ports if (own.name, own.protocol) == (port.target_port, port.protocol)]
