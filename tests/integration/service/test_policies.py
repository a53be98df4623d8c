# SPDX-License-Identifier: Apache-2.0
"""Traffic policies, source ranges, and Services without an endpoint. Real packets."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterator

import pytest
from service.service_node import CLIENT, CLUSTER_IPS, ServiceNode, service, site

from sluice.intent.kinds.service import Service, ServicePort

NODE = ("172.16.0.1", "fd77:0::1")
NODE2 = ("172.16.0.2", "fd77:0::2")
BALANCED = ("192.0.2.80", "2001:db8::80")
PORTS = (ServicePort(80, target_port="http", name="tcp", node_port=30080),)
LOCAL = {"pod-1-0", "pod-1-1"}
OUTSIDE = ("172.16.9.9", "fd77::9:9")

both_families = pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])


@pytest.fixture(scope="module")
def node() -> Iterator[ServiceNode]:
    with ServiceNode(site(service(), servers=2, nodes=2)) as running:
        yield running


def balanced(**fields: Any) -> Service:
    return service(**{"type": "LoadBalancer", "ports": PORTS, "load_balancer_ingress": BALANCED, **fields})


@both_families
def test_external_policy_local(node: ServiceNode, family: int) -> None:
    node.change(site(balanced(external_traffic_policy="Local"), servers=2, nodes=2))
    for address, port in ((BALANCED[family], 80), (NODE[family], 30080)):
        answers = node.ask("outside", address, port, count=20)
        assert {line.split()[0] for line in answers} == LOCAL
        assert {line.split()[1] for line in answers} == {OUTSIDE[family]}
    inside = node.reached(CLIENT, BALANCED[family], 80, count=20, wait=0.2)
    assert set(inside) > LOCAL, f"a client in the cluster is sent to the other node's pod as well, which is not there to answer: {inside}"


@both_families
def test_external_policy_local_without_local_endpoints(node: ServiceNode, family: int) -> None:
    state = site(balanced(external_traffic_policy="Local"), servers=2, nodes=2, ready=())
    node.change(replace(state, pods={**state.pods, "default/pod-2-0": replace(state.pods["default/pod-2-0"], ready=True)}))
    before = copies(node)
    assert node.reached("outside", NODE[family], 30080, wait=0.3) == {"TimeoutError": 1}
    assert copies(node) == before, "dropped, not refused: other nodes have endpoints"


@both_families
def test_internal_policy_local(node: ServiceNode, family: int) -> None:
    node.change(site(balanced(internal_traffic_policy="Local"), servers=2, nodes=2))
    for place in (CLIENT, "node"):
        assert set(node.reached(place, CLUSTER_IPS[family], 80, count=20)) == LOCAL
    assert set(node.reached(CLIENT, BALANCED[family], 80, count=20, wait=0.2)) > LOCAL, "that policy is about cluster IPs"


@both_families
def test_source_ranges(node: ServiceNode, family: int) -> None:
    def allow(*ranges: str) -> None:
        node.change(site(balanced(load_balancer_source_ranges=ranges), servers=2))

    outside, node_address, pods = OUTSIDE[family], NODE[family], ("10.0.0.0/8", "fd10::/32")[family]
    length = (32, 128)[family]
    refused = {"TimeoutError": 1}
    allow(f"{outside}/{length}")
    assert set(node.reached("outside", BALANCED[family], count=4)) <= LOCAL
    assert node.reached(CLIENT, BALANCED[family], wait=0.3) == refused
    assert node.reached("node", BALANCED[family], wait=0.3) == refused
    assert set(node.reached("outside", node_address, 30080)) <= LOCAL, "a NodePort is not guarded"
    allow(f"{node_address}/{length}")
    assert node.reached("outside", BALANCED[family], wait=0.3) == refused
    assert set(node.reached("node", BALANCED[family])) <= LOCAL, "the node's own address is in the range"
    allow(pods)
    assert set(node.reached(CLIENT, BALANCED[family])) <= LOCAL
    allow(("fd00::/64", "172.16.0.0/12")[family])
    assert node.reached("outside", BALANCED[family], wait=0.3) == refused, "no range is of this family"


@both_families
def test_no_endpoints(node: ServiceNode, family: int) -> None:
    """The packet is dropped and the node's agent gets a copy, from which it makes the refusal."""
    node.change(site(balanced(), servers=2, ready=()))
    before = copies(node)
    for place, address, port in ((CLIENT, CLUSTER_IPS[family], 80), (CLIENT, NODE[family], 30080), ("outside", BALANCED[family], 80)):
        assert node.reached(place, address, port, wait=0.3) == {"TimeoutError": 1}
    assert copies(node) >= before + 3


@both_families
def test_an_external_address_that_is_the_nodes_own(node: ServiceNode, family: int) -> None:
    node.change(site(service(external_ips=NODE), servers=2))
    for place in (CLIENT, "node", "outside"):
        assert set(node.reached(place, NODE[family], 80, count=10)) == LOCAL
    assert node.reached("outside", NODE[family], 22) == {"ConnectionRefusedError": 1}, "the node's other ports are still its own"


@both_families
def test_a_node_port_of_another_node(node: ServiceNode, family: int) -> None:
    """A pod's packet is balanced where it starts, whichever node it names."""
    node.change(site(balanced(), servers=2, nodes=2, ready=(0, 1)))
    assert set(node.reached(CLIENT, NODE2[family], 30080, count=20, wait=0.2)) > LOCAL


def copies(node: ServiceNode) -> int:
    """Packets of which the agent was to have a copy."""
    node.ovs.appctl("revalidator/wait")  # That round counts what the datapath has seen; the next one may still be under way.
    node.ovs.appctl("revalidator/wait")
    lines = [line for line in node.ovs.ofctl("--names", "dump-flows", "br-sluice", "table=service").splitlines() if "controller(" in line]
    return sum(int(line.split("n_packets=")[1].split(",")[0]) for line in lines)
