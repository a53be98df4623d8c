# SPDX-License-Identifier: Apache-2.0
"""What Services come to as flows and groups: what is shared, what a node has of its own, and what a change touches."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.host.nftables import OwnPort, service_rules
from sluice.intent.kinds import EndpointSlice
from sluice.intent.kinds.endpoint_slice import SERVICE_LABEL, Endpoint, EndpointPort
from sluice.intent.kinds.service import Service, ServicePort
from sluice.intent.state import ClusterState, ContainerPort
from sluice.ovs.encode import encode_program
from sluice.ovs.flow import Flow, render_flow
from sluice.ovs.openflow.groups import encode_group_mod
from sluice.ovs.program import Owner
from sluice.pipeline.cookie import OWNER_MASK, OWNER_PROGRAM
from sluice.pipeline.tables import FLOW_TABLES
from sluice.service.groups import PART_SIZE
from sluice.service.plan import ServicePlan
from states import cluster_state

MESSAGE_MAX = 65535
SELECTOR = (("app", "web"),)
PORTS = (ServicePort(80, name="http", target_port="http", node_port=30080), ServicePort(53, "UDP", "dns", target_port=5353))


def service(name: str = "web", host: int = 1, **fields: Any) -> Service:
    values: dict[str, Any] = {"cluster_ips": (f"10.96.0.{host}", f"fd96::{host:x}"), "selector": SELECTOR, "ports": (ServicePort(80, target_port=8080),)}
    return Service("default", name, **{**values, **fields})


def balanced(**fields: Any) -> Service:
    return service(**{"type": "LoadBalancer", "ports": PORTS, "load_balancer_ingress": ("192.0.2.1", "2001:db8::1"), **fields})


def state(*services: Service, nodes: int = 3, ready: bool = True, **fields: Any) -> ClusterState:
    made = cluster_state(nodes, 2)
    ports = (ContainerPort(8080, "TCP", "http"),)
    pods = {key: replace(pod, labels=dict(SELECTOR), ports=ports, ready=ready) for key, pod in made.pods.items()}
    return replace(made, pods=pods, cluster=replace(made.cluster, service_cidrs=("10.96.0.0/16", "fd96::/112")),
                   services={one.key: one for one in sorted(services, key=lambda one: one.key)}, **fields)


def sliced(count: int, **fields: Any) -> ClusterState:
    """A Service of so many endpoints in either family."""
    labels = {SERVICE_LABEL: "web"}
    slices = {kind: EndpointSlice("default", kind, labels, {}, kind, tuple(
        Endpoint((text.format(index >> 8, index & 255 | 256 * (kind == "IPv6")),)) for index in range(count)), (EndpointPort(8080),))
        for kind, text in (("IPv4", "10.200.{}.{}"), ("IPv6", "fd10:f:f:f:f:f:{:x}:{:x}"))}
    return state(service(selector=(), **fields), endpoint_slices=slices)


def lines(made: ClusterState, node: str = "") -> set[str]:
    """Flows and groups: the shared ones, or a node's own."""
    plan = ServicePlan(made)
    rendered = plan.of_node(made.nodes[node]) if node else plan.shared
    return {*map(render_flow, rendered.flows), *rendered.groups}


def about(made: ClusterState, text: str, node: str = "") -> list[str]:
    return sorted(line for line in lines(made, node) if text in line)


RICH = (
    balanced(),
    service("affine", 2, session_affinity="ClientIP", session_affinity_timeout=60),
    balanced(name="local", cluster_ips=("10.96.0.3", "fd96::3"), load_balancer_ingress=("192.0.2.3",), external_traffic_policy="Local",
             internal_traffic_policy="Local", load_balancer_source_ranges=("198.51.100.0/24", "172.16.0.0/16"), session_affinity="ClientIP",
             session_affinity_timeout=60, ports=(ServicePort(80, target_port=8080, node_port=30081),)),
    service("near", 4, traffic_distribution="PreferSameNode"),
    service("outside", 5, external_ips=("172.16.0.1", "198.51.100.9")),
    service("empty", 6, selector=(("app", "none"),)),
)


def test_the_switch_takes_all_of_it() -> None:
    """Among the rest: no two flows of a node have the same table, priority and match, and every cookie is the program's."""
    fabric = Fabric(state(*RICH))
    for node in ("node1", "node2"):
        own = compile_node(fabric, node)
        program = encode_program([*own.flows, *fabric.service_flows], [*own.groups, *fabric.service_groups], None, FLOW_TABLES,
                                 Owner(OWNER_PROGRAM << 48, OWNER_MASK))
        assert program.groups
        used = {int(word[6:]) for flow in (*own.flows, *fabric.service_flows) for word in _words(flow) if word.startswith("group:")}
        assert used == set(program.groups), "every group is there, and none is left over"


def _words(flow: Flow) -> tuple[str, ...]:
    return flow.actions


def test_a_service_changes_nothing_of_another() -> None:
    before, after = state(*RICH), state(*RICH, service("new", 99))
    for node in ("", "node1"):
        assert lines(before, node) - lines(after, node) == set()
        assert all("10.96.0.99" in line or "fd96::63" in line or line.startswith("group_id") for line in lines(after, node) - lines(before, node))


def test_an_endpoint_changes_its_groups_only() -> None:
    before = state(*RICH)
    pods = {key: pod for key, pod in before.pods.items() if key != "default/pod-1-0"}
    after = replace(before, pods=pods)
    changed = lines(before) ^ lines(after)
    assert changed
    assert all(line.startswith("group_id") or "table=endpoint" in line for line in changed)


def test_what_all_nodes_have_is_not_repeated() -> None:
    made = state(balanced())
    assert not any(lines(made, node) for node in made.nodes)
    made = state(balanced(external_traffic_policy="Local"))
    assert all("10.96." not in line for line in lines(made, "node2")), "in the cluster they are the same everywhere"


def test_a_node_without_endpoints_needs_nothing_for_the_policy_local() -> None:
    made = state(balanced(external_traffic_policy="Local", internal_traffic_policy="Local"))
    made = replace(made, pods={key: pod for key, pod in made.pods.items() if pod.node != "node3"})
    assert lines(made, "node2")
    assert not lines(made, "node3")
    assert [line.partition("actions=")[2] for line in about(made, "nw_dst=10.96.0.1,tp_dst=80")] == ["drop"]


def test_without_endpoints_anywhere_clients_are_refused_even_by_the_policy_local() -> None:
    made = state(balanced(external_traffic_policy="Local", internal_traffic_policy="Local"), ready=False)
    (cluster,) = about(made, "nw_dst=10.96.0.1,tp_dst=80")
    assert "controller(" in cluster
    assert all("controller(" in line for line in about(made, "tp_dst=30080"))


def test_hints_make_a_service_each_nodes_own() -> None:
    made = state(service(traffic_distribution="PreferSameNode"))
    assert not about(made, "nw_dst=10.96.0.1")
    (group,) = [line for line in lines(made, "node2") if line.startswith("group_id") and "nat(dst=10." in line]
    assert sorted(part.partition(")")[0] for part in group.split("nat(dst=")[1:]) == ["10.0.1.2:8080", "10.0.1.3:8080"]


def test_source_ranges_of_another_family_let_nobody_in() -> None:
    made = state(balanced(load_balancer_source_ranges=("198.51.100.0/24",)))
    assert [line.partition("actions=")[2] for line in about(made, "ipv6_dst=2001:db8::1,tp_dst=80")] == ["drop"]
    assert len(about(made, "nw_src=198.51.100.0/24")) == 2, "one for each port"


def test_a_node_in_a_source_range_gets_through_with_its_gateways_address() -> None:
    made = state(balanced(load_balancer_source_ranges=("172.16.0.2/32",)))
    assert not about(made, "nw_src=10.", "node1")
    assert about(made, "nw_src=10.0.1.1", "node2")


@pytest.mark.parametrize(("seconds", "timeout"), [(10, 10), (65535, 65535), (86400, 65535)])
def test_the_longest_affinity_that_a_flow_can_have(seconds: int, timeout: int) -> None:
    learning = about(state(service(session_affinity="ClientIP", session_affinity_timeout=seconds)), "learn(")
    assert len(learning) == 12
    assert all(f"hard_timeout={timeout}," in line for line in learning)


@pytest.mark.parametrize("affinity", ["None", "ClientIP"])
def test_groups_of_many_endpoints_fit_into_messages(affinity: str) -> None:
    count = 2 * PART_SIZE + 1
    made = sliced(count, session_affinity=affinity, session_affinity_timeout=60 if affinity != "None" else 0)
    rendered = ServicePlan(made).shared
    program = encode_program(rendered.flows, rendered.groups, None, FLOW_TABLES)
    assert program.groups
    assert len(program.groups) == 2 * 4, "three parts and the group over them, in either family"
    assert max(len(encode_group_mod(0, number, group)) for number, group in program.groups.items()) < MESSAGE_MAX - 100
    parts = [line.count("bucket=") for line in rendered.groups if "group:" not in line]
    assert sum(parts) == 2 * count
    assert max(parts) - min(parts) <= 1


def test_addresses_of_nodes_are_not_dropped_or_routed_away() -> None:
    made = state(service(external_ips=("172.16.0.1", "198.51.100.9")))
    assert not [line for line in about(made, "nw_dst=172.16.0.1 ") if "drop" in line]
    assert [line for line in about(made, "nw_dst=198.51.100.9 ") if "drop" in line]
    routes = {route["destination"] for route in compile_node(Fabric(made), "node2").host["routes"]}
    assert "198.51.100.9/32" in routes
    assert "10.96.0.0/16" in routes
    assert "172.16.0.1/32" not in routes
    assert about(made, "nw_dst=169.254.83.2,tp_dst=80", "node1"), "where its host brings it"
    assert not lines(made, "node2")


def test_without_services_nodes_are_as_before() -> None:
    host = compile_node(Fabric(state()), "node1").host
    assert "services" not in host["nftables"]["inet sluice"]
    assert not [route for route in host["routes"] if route["destination"].startswith("10.96")]


def test_rules_stay_few() -> None:
    """Ports are in sets; more of them are no more rules."""
    def rules(count: int) -> int:
        text = service_rules([4, 6], [OwnPort(version, "tcp", 30000 + number) for version in (4, 6) for number in range(count)])
        return sum(" dnat " in line or " masquerade" in line for line in text.splitlines())

    assert rules(1) == rules(1000) == 8
