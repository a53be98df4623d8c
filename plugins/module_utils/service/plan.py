# SPDX-License-Identifier: Apache-2.0
"""The Services of one state as flows and groups: what is the same on every node is made once, and each node's own part by itself."""
from __future__ import annotations

from functools import cached_property
from typing import Iterable, NamedTuple, Optional, Sequence

from ..intent.state import ClusterState, Node
from ..ovs.flow import Flow
from ..pipeline.stable_id import stable_ids
from ..pipeline.tables import NODE_PORT_ADDRESS
from .balance import Balance
from .endpoints import Endpoint, PortEndpoints, for_node, is_hinted, local, service_endpoints, updated_endpoints, usable
from .frontends import (
    Frontend,
    baseline_flows,
    external_addresses,
    external_flows,
    external_frontends,
    guard_flow,
    internal_flows,
    ip_family,
    node_address_flows,
    node_client_flows,
    unassigned_flows,
)
from .groups import group_parts


class Rendered(NamedTuple):
    """Flows, and groups as lines for ovs-ofctl."""

    flows: list[Flow]
    groups: list[str]


class ServicePlan:
    """The Services of a ClusterState."""

    def __init__(self, state: ClusterState, previous: Optional[ServicePlan] = None) -> None:
        """``previous`` is the plan of another state, to take over what is the same; see `updated`."""
        self._state = state
        self.ports: dict[str, tuple[PortEndpoints, ...]] = (
            updated_endpoints(state, previous._state, previous.ports) if previous else service_endpoints(state))
        """By key of the Service: its ports with their endpoints. Headless and ExternalName Services are not in it."""
        self._group_ids = self._number_groups(previous)
        self._renumbered = previous is not None and any(
            self._group_ids.get(name, number) != number for name, number in previous._group_ids.items())
        """Whether a group that was there before has another id."""
        self._by_service: dict[str, Rendered] = {}
        """By Service its part of what is the same on every node."""
        if previous and not self._renumbered:
            self._by_service = {key: rendered for key, rendered in previous._by_service.items() if self.ports.get(key) is previous.ports[key]}

    def updated(self, state: ClusterState) -> tuple[ServicePlan, set[str]]:
        """The plan of another state with the same nodes and settings of the cluster, and the nodes whose own flows and groups, or whose
        host's settings, may differ from this one's."""
        plan = ServicePlan(state, self)
        changed = [key for key in {**self.ports, **plan.ports} if self.ports.get(key) is not plan.ports.get(key)]
        if not changed:
            return self, set()
        touched: set[str] = set()
        for key in changed:
            before, after = self.ports.get(key), plan.ports.get(key)
            same_service = bool(before and after and before[0].service == after[0].service)
            touched.update(self._touched_by(before or (), same_service), self._touched_by(after or (), same_service))
        # Hosts have no routes to Services as long as there is none.
        return plan, set(state.nodes) if plan._renumbered or bool(self.ports) != bool(plan.ports) else touched

    def _touched_by(self, ports: Iterable[PortEndpoints], only_endpoints: bool) -> set[str]:
        """The nodes where something beside `shared` may differ when a Service's endpoints, or all of it, is there no more or is new."""
        touched: set[str] = set()
        for port in ports:
            external = external_addresses(port.service)
            if (is_hinted(port.endpoints) or port.service.load_balancer_source_ranges or not self._node_addresses.isdisjoint(external)
                    or (not only_endpoints and (external or port.port.node_port))):
                return set(self._state.nodes)
            if "Local" in (port.service.internal_traffic_policy, port.service.external_traffic_policy):
                touched.update(endpoint.node for endpoint in port.endpoints)
        return touched & self._state.nodes.keys()

    @cached_property
    def node_ports(self) -> dict[int, tuple[tuple[str, int], ...]]:
        """By IP version: the protocol (lower case) and the number of each NodePort, sorted."""
        found: dict[int, set[tuple[str, int]]] = {4: set(), 6: set()}
        for port in self._all_ports():
            if port.port.node_port:
                found[port.version].add((port.port.protocol.lower(), port.port.node_port))
        return {version: tuple(sorted(ports)) for version, ports in found.items()}

    @cached_property
    def external_addresses(self) -> tuple[str, ...]:
        """The addresses of all Services that are not the cluster's own, sorted."""
        return tuple(sorted({address for ports in self.ports.values() for port in ports[:1] for address in external_addresses(port.service)}))

    @cached_property
    def routed_addresses(self) -> tuple[str, ...]:
        """Those of them that hosts route to the bridge: an address of a node is the node's still."""
        return tuple(address for address in self.external_addresses if address not in self._node_addresses)

    def own_ports(self, node: Node) -> list[tuple[int, str, int, str]]:
        """What a node's host gives to the bridge: IP version, protocol (lower case), port, and one of its addresses, or nothing for all
        of them."""
        ports = [(version, *port, "") for version, ports in self.node_ports.items() for port in ports]
        return ports + [(port.version, port.port.protocol.lower(), frontend.port, frontend.destination)
                        for port, frontend in self._own_frontends(node)]

    @cached_property
    def shared(self) -> Rendered:
        """What is the same on every node."""
        nodes = self._state.nodes.values()
        flows = baseline_flows()
        if any(self.node_ports.values()):
            flows += node_address_flows(nodes)
        if self._state.cluster.service_cidrs or self.external_addresses:
            flows += unassigned_flows(self._state.cluster.service_cidrs, self.external_addresses,
                                      self._node_addresses)
        rendered = Rendered(flows, [])
        for key, ports in self.ports.items():
            part = self._by_service.get(key)
            if part is None:
                part = self._by_service[key] = self._shared_part(ports)
            rendered.flows.extend(part.flows)
            rendered.groups.extend(part.groups)
        return rendered

    def _shared_part(self, ports: Sequence[PortEndpoints]) -> Rendered:
        rendered = Rendered([], [])
        hinted = any(is_hinted(port.endpoints) for port in ports)
        for port in ports:
            frontends = list(external_frontends(port))
            if not hinted:
                self._add_cluster(rendered, port, frontends, None)
            self._add_nobody(rendered, port, frontends)
        return rendered

    def of_node(self, node: Node) -> Rendered:
        """What only this node has: Services whose endpoints depend on the node that a connection meets first."""
        rendered = Rendered([], [])
        for port in self._hinted_ports:
            self._add_cluster(rendered, port, list(external_frontends(port)), node)
        for port in self._local_ports.get(node.name, ()):
            self._add_local(rendered, port, node)
        for port in self._guarded_ports:
            for frontend in external_frontends(port):
                if frontend.guarded:
                    rendered.flows.extend(node_client_flows(port, frontend, self._cluster_balance(port, node), node))
        for port, frontend in self._own_frontends(node):
            self._add_stand_in(rendered.flows, port, frontend._replace(destination=NODE_PORT_ADDRESS[port.version]), node)
        return rendered

    def _own_frontends(self, node: Node) -> list[tuple[PortEndpoints, Frontend]]:
        """Those whose address is the node's own: its host takes their packets for itself, and gives them to the bridge with another
        address, as it does with those of NodePorts."""
        own = _bare_addresses([node])
        if own.isdisjoint(self.external_addresses):
            return []
        return [(port, frontend) for port in self._all_ports() for frontend in external_frontends(port) if frontend.destination in own]

    @cached_property
    def _node_addresses(self) -> frozenset[str]:
        return _bare_addresses(self._state.nodes.values())

    @cached_property
    def _hinted_ports(self) -> tuple[PortEndpoints, ...]:
        """Those of the Services whose endpoints differ by node even for the traffic policy Cluster."""
        return tuple(port for ports in self.ports.values() if any(is_hinted(port.endpoints) for port in ports) for port in ports)

    @cached_property
    def _guarded_ports(self) -> tuple[PortEndpoints, ...]:
        return tuple(port for port in self._all_ports() if port.service.load_balancer_source_ranges)

    @cached_property
    def _local_ports(self) -> dict[str, list[PortEndpoints]]:
        """By node: the ports with a traffic policy Local of which it has an endpoint."""
        found: dict[str, list[PortEndpoints]] = {}
        for port in self._all_ports():
            if "Local" in (port.service.internal_traffic_policy, port.service.external_traffic_policy):
                for node in sorted({endpoint.node for endpoint in port.endpoints}):
                    found.setdefault(node, []).append(port)
        return found

    def _number_groups(self, previous: Optional[ServicePlan]) -> dict[str, int]:
        """Ids of all groups that any node may have, by name."""
        names: list[str] = []
        for port in self._all_ports():
            for name in (_name(port), _local_name(port)):
                names += [name, *(f"{name} part {index}" for index in range(group_parts(len(port.endpoints))))]
        return previous._group_ids if previous and previous._group_ids.keys() == set(names) else stable_ids(names)

    def _all_ports(self) -> Iterable[PortEndpoints]:
        return (port for ports in self.ports.values() for port in ports)

    def _add_cluster(self, rendered: Rendered, port: PortEndpoints, frontends: Sequence[Frontend], node: Optional[Node]) -> None:
        """What clients in the cluster get, and those outside too where the external traffic policy is Cluster."""
        balance = self._cluster_balance(port, node)
        is_used = bool(frontends)
        if port.service.internal_traffic_policy == "Cluster":
            rendered.flows.extend(internal_flows(port, balance))
            is_used = True
        for frontend in frontends:
            rendered.flows.extend(external_flows(port, frontend, balance))
            if frontend.guarded:
                rendered.flows.append(guard_flow(port, frontend, balance))
        if is_used:
            rendered.groups.extend(balance.groups())
            rendered.flows.extend(balance.affinity_flows())

    def _add_nobody(self, rendered: Rendered, port: PortEndpoints, frontends: Sequence[Frontend]) -> None:
        """Where a traffic policy is Local: what holds on nodes without an endpoint."""
        if "Local" not in (port.service.internal_traffic_policy, port.service.external_traffic_policy):
            return
        nobody = self._balance(port, _local_name(port), ())
        if port.service.internal_traffic_policy == "Local":
            rendered.flows.extend(internal_flows(port, nobody))
        if port.service.external_traffic_policy == "Local":
            for frontend in frontends:
                rendered.flows.extend(external_flows(port, frontend, nobody, from_outside=True))

    def _add_local(self, rendered: Rendered, port: PortEndpoints, node: Node) -> None:
        """Where a traffic policy is Local: the node's own endpoints."""
        balance = self._local_balance(port, node)
        if not balance.endpoints:
            return
        flows = internal_flows(port, balance) if port.service.internal_traffic_policy == "Local" else []
        if port.service.external_traffic_policy == "Local":
            for frontend in external_frontends(port):
                flows += external_flows(port, frontend, balance, from_outside=True)
        if flows:
            rendered.flows.extend(flows + balance.affinity_flows())
            rendered.groups.extend(balance.groups())

    def _add_stand_in(self, flows: list[Flow], port: PortEndpoints, stand_in: Frontend, node: Node) -> None:
        """What the host's own packets to a frontend get, by the address that stands for the node's; the groups are there for the others."""
        cluster = self._cluster_balance(port, node)
        flows.extend(external_flows(port, stand_in, cluster))
        if stand_in.guarded:
            flows.append(guard_flow(port, stand_in, cluster))
        if port.service.external_traffic_policy == "Local":
            flows.extend(external_flows(port, stand_in, self._local_balance(port, node), from_outside=True))

    def _cluster_balance(self, port: PortEndpoints, node: Optional[Node]) -> Balance:
        return self._balance(port, _name(port), usable(port.endpoints) if node is None else for_node(port, node))

    def _local_balance(self, port: PortEndpoints, node: Node) -> Balance:
        return self._balance(port, _local_name(port), usable(local(port.endpoints, node.name)), is_local=True)

    def _balance(self, port: PortEndpoints, name: str, endpoints: tuple[Endpoint, ...], is_local: bool = False) -> Balance:
        service = port.service
        part_ids = [self._group_ids[f"{name} part {index}"] for index in range(group_parts(len(endpoints)))]
        return Balance(name, f"Service {service.key} {port.port.port}/{port.port.protocol}", service.key, ip_family(port.version), endpoints,
                       service.session_affinity_timeout, self._group_ids[name], part_ids, not usable(port.endpoints), is_local)


def _bare_addresses(nodes: Iterable[Node]) -> frozenset[str]:
    return frozenset(address for node in nodes for address in node.transport.ips)


def _name(port: PortEndpoints) -> str:
    """The name of the port's group, from which its id follows."""
    return f"{port.service.key} {port.port.port}/{port.port.protocol}/v{port.version}"


def _local_name(port: PortEndpoints) -> str:
    return f"{_name(port)} local"
