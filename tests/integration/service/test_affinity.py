# SPDX-License-Identifier: Apache-2.0
"""Session affinity: a client meets the same endpoint again, until it was away for the time-out or the endpoint has gone. Real packets."""
from __future__ import annotations

import time
from typing import Any, Iterator

import pytest
from service.service_node import CLIENT, CLUSTER_IPS, ServiceNode, service, site

from sluice.intent.kinds.service import Service, ServicePort
from sluice.pipeline.tables import AFFINITY

NODE = ("172.16.0.1", "fd77:0::1")
PORTS = (ServicePort(80, target_port="http", name="tcp", node_port=30080), ServicePort(80, "UDP", "udp", target_port=8080, node_port=30080))

both_families = pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])


@pytest.fixture
def node() -> Iterator[ServiceNode]:
    with ServiceNode(site(affine())) as running:
        yield running


def affine(seconds: int = 600, **fields: Any) -> Service:
    return service(**{"type": "NodePort", "ports": PORTS, "session_affinity": "ClientIP", "session_affinity_timeout": seconds, **fields})


def learned(node: ServiceNode) -> list[str]:
    return [line for line in node.ovs.ofctl("--names", "dump-flows", "br-sluice", f"table={AFFINITY}").splitlines() if "reg5=" in line]


def numbers(node: ServiceNode, place: str, family: int, **options: Any) -> set[int]:
    return {int(name.rpartition("-")[2]) for name in node.reached(place, CLUSTER_IPS[family], **options)}


@both_families
def test_a_client_meets_the_same_endpoint(node: ServiceNode, family: int) -> None:
    for protocol in ("TCP", "UDP"):
        for place in (CLIENT, "node", "default/pod-1-0", "default/pod-1-1"):
            seen = node.reached(place, CLUSTER_IPS[family], 80, protocol, 10) + node.reached(place, NODE[family], 30080, protocol, 10)
            assert len(seen) == 1, f"{protocol} from {place}: {seen}"


@both_families
def test_it_holds_while_endpoints_come_and_go(node: ServiceNode, family: int) -> None:
    (chosen,) = numbers(node, CLIENT, family)
    others = {0, 1, 2} - {chosen}
    node.change(site(affine(), ready={chosen, min(others)}))
    assert numbers(node, CLIENT, family, count=5) == {chosen}, "another endpoint went"
    node.change(site(affine()))
    assert numbers(node, CLIENT, family, count=5) == {chosen}, "it came back"
    node.change(site(affine(), ready=others))
    (instead,) = numbers(node, CLIENT, family, count=5)
    assert instead in others, "its own endpoint went"
    node.change(site(affine()))
    assert numbers(node, CLIENT, family, count=5) == {instead}, "the endpoint of old is no longer the client's"


@both_families
def test_the_time_out_counts_from_the_last_connection(node: ServiceNode, family: int) -> None:
    node.change(site(affine(3)))
    for _ in range(3):
        numbers(node, CLIENT, family)
        assert len(learned(node)) == 1
        time.sleep(1.7)
    deadline = time.monotonic() + 6
    while learned(node) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not learned(node)


@both_families
def test_a_client_that_was_away_may_meet_another_endpoint(node: ServiceNode, family: int) -> None:
    """Kubernetes' conformance tests demand it: the choice after the time-out is a new one."""
    node.change(site(affine(1)))
    seen: set[int] = set()
    for _ in range(12):
        seen |= numbers(node, CLIENT, family)
        if len(seen) > 1:
            return
        time.sleep(1.6)
    raise AssertionError(f"always {seen}")


def test_what_was_learned_goes_with_the_service(node: ServiceNode) -> None:
    numbers(node, CLIENT, 0)
    numbers(node, CLIENT, 1)
    assert len(learned(node)) == 2
    assert not node.change(site(affine())).changed, "what packets taught the switch is no difference"
    assert len(learned(node)) == 2
    node.change(site(service(ports=PORTS, type="NodePort")))
    assert not learned(node), "affinity is switched off"
    assert len(node.reached(CLIENT, CLUSTER_IPS[0], count=40)) == 3
    node.change(site(affine()))
    numbers(node, CLIENT, 0)
    node.change(site())
    assert not learned(node), "the Service has gone"
