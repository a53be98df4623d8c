# SPDX-License-Identifier: Apache-2.0
"""What a Service costs the packets of an established connection: no further lookup. Real packets."""
from __future__ import annotations

import sys
from dataclasses import replace
from typing import Iterator

import pytest
from passes import read_passes
from service.service_node import CLIENT, CLUSTER_IPS, ServiceNode, service, site

ENDPOINTS = ("10.0.0.2", "fd10::2")
EXCHANGES = 300
# Asks again and again on one connection.
TALK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as peer:
    for _ in range(int(sys.argv[3])):
        peer.sendall(b'who')
        assert peer.recv(200)
"""


@pytest.fixture(scope="module", params=["revalidate", "keep"])
def node(request: pytest.FixtureRequest) -> Iterator[ServiceNode]:
    state = site(service(), servers=1)
    with ServiceNode(replace(state, cluster=replace(state.cluster, established=request.param))) as running:
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
