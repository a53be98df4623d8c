# SPDX-License-Identifier: Apache-2.0
"""What a Service and policies cost the packets of an established connection: no further lookup. Real packets."""
from __future__ import annotations

import sys
from dataclasses import replace
from typing import Iterator

import pytest
from passes import read_passes
from service.service_node import CLIENT, CLUSTER_IPS, ServiceNode, service, site

from sluice.intent.kinds.network_policy import NetworkPolicy, NetworkPolicyPort, NetworkPolicyRule
from sluice.intent.state import ClusterState

ENDPOINTS = ("10.0.0.2", "fd10::2")
EXCHANGES = 300
POLICIES = 50
# Asks again and again on one connection, once the server's first answer is there, which comes unasked: with two exchanges on their way, each
# waits for a delayed acknowledgement (RFC 896, RFC 1122 section 4.2.3.2).
TALK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as peer:
    assert peer.recv(200)
    for _ in range(int(sys.argv[3])):
        peer.sendall(b'who')
        assert peer.recv(200)
"""


@pytest.fixture(scope="module", params=["revalidate", "keep"])
def state(request: pytest.FixtureRequest) -> ClusterState:
    revalidated = site(service(), servers=1)
    return replace(revalidated, cluster=replace(revalidated.cluster, established=request.param))


@pytest.fixture(scope="module")
def node(state: ClusterState) -> Iterator[ServiceNode]:
    with ServiceNode(state) as running:
        yield running


def passes(node: ServiceNode, address: str, port: int) -> float:
    """Lookups of each packet of one connection."""
    before = read_passes(node.ovs.appctl("dpif-netdev/pmd-stats-show"))
    done = node.run(CLIENT, sys.executable, "-c", TALK, address, str(port), str(EXCHANGES))
    assert done.returncode == 0, done.stderr
    after = read_passes(node.ovs.appctl("dpif-netdev/pmd-stats-show"))
    assert after.packets - before.packets > 2 * EXCHANGES
    return (after.lookups - before.lookups) / (after.packets - before.packets)


@pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
def test_a_service_costs_no_further_lookup(node: ServiceNode, family: int) -> None:
    direct = passes(node, ENDPOINTS[family], 8080)
    assert direct == pytest.approx(2, abs=0.05)
    # The first packets of a connection are translated apart.
    assert passes(node, CLUSTER_IPS[family], 80) == pytest.approx(direct, abs=0.05)


@pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
def test_policies_cost_no_further_lookup(node: ServiceNode, state: ClusterState, family: int) -> None:
    ports = [NetworkPolicyRule(ports=(NetworkPolicyPort("TCP", 8080 + number),)) for number in range(POLICIES)]
    policies = [NetworkPolicy("default", f"policy{number}", policy_types=("Ingress", "Egress"), ingress=(port,), egress=(port,))
                for number, port in enumerate(ports)]
    node.change(replace(state, network_policies={policy.key: policy for policy in policies}))
    for address, port in ((ENDPOINTS[family], 8080), (CLUSTER_IPS[family], 80)):
        assert passes(node, address, port) == pytest.approx(2, abs=0.05)
    # They are in force.
    assert node.reached(CLIENT, ENDPOINTS[family], 7070, wait=0.3) == {"TimeoutError": 1}
    node.change(state)
    assert node.reached(CLIENT, ENDPOINTS[family], 7070, wait=0.3) == {"ConnectionRefusedError": 1}
