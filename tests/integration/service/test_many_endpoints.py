# SPDX-License-Identifier: Apache-2.0
"""Services with any number of endpoints: all of them are on the switch, and each gets its share. Real packets, real choices."""
from __future__ import annotations

import re
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import Any, Iterator

import pytest
from pod_node import PodNode
from service.service_node import CLIENT, CLUSTER_IPS, service, site

from sluice.intent.kinds import EndpointSlice
from sluice.intent.kinds.endpoint_slice import SERVICE_LABEL, Endpoint, EndpointPort
from sluice.intent.kinds.service import ServicePort
from sluice.intent.state import ClusterState

# One packet each from so many ports; nobody answers.
SEND = """
import socket, sys, time
address, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for port in range(first, first + count):
    with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('', port))
        s.sendto(b'x', (address, 53))
    # The switch looks each of them up by itself, which takes longer than to send it.
    time.sleep(0.0005)
"""
CONNECTION = re.compile(r"udp,orig=\(src=[^,]+,dst=([^,]+),sport=\d+,dport=53\),reply=\(src=([^,]+),dst=[^,]+,sport=5353")


def state(count: int, **fields: Any) -> ClusterState:
    """A Service with so many endpoints in each family; none of them is on a node."""
    labels = {SERVICE_LABEL: "default/web".rpartition("/")[2]}
    slices = {}
    for kind, address in (("IPv4", "10.200.{}.{}"), ("IPv6", "fd10:f::{:x}:{:x}")):
        endpoints = tuple(Endpoint((address.format(index >> 8, index & 255 | 256 * (kind == 'IPv6')),)) for index in range(count))
        slices[f"default/web-{kind}"] = EndpointSlice("default", f"web-{kind}", labels, {}, kind, endpoints, (EndpointPort(5353, "UDP", "dns"),))
    ports = (ServicePort(53, "UDP", "dns", target_port=5353),)
    return replace(site(service(selector=(), ports=ports, **fields)), endpoint_slices=slices)


def chosen(node: PodNode, address: str, count: int, first: int = 20000) -> Counter[str]:
    """How often each endpoint was chosen for ``count`` connections."""
    # The datapath goes on as before for some milliseconds after a change; the round that was under way then does not count.
    for _ in range(2):
        node.ovs.appctl("revalidator/wait")
    node.ovs.appctl("dpctl/flush-conntrack")
    done = node.run(CLIENT, sys.executable, "-c", SEND, address, str(first), str(count), timeout=60)
    assert done.returncode == 0, done.stderr
    connections = CONNECTION.findall(node.ovs.appctl("dpctl/dump-conntrack"))
    return Counter(endpoint for destination, endpoint in connections if destination == address)


@pytest.fixture(scope="module")
def node() -> Iterator[PodNode]:
    with PodNode(site()) as running:
        yield running


@pytest.mark.parametrize(("count", "family"), [(2, 0), (3, 0), (10, 0), (10, 1), (64, 1), (100, 0), (100, 1)])
def test_each_endpoint_gets_its_share(node: PodNode, count: int, family: int) -> None:
    node.apply(state(count))
    connections = 1500
    share = connections / count
    hits = chosen(node, CLUSTER_IPS[family], connections)
    assert hits.total() == connections
    # Pearson's chi-squared: for even shares its mean is count - 1 and its deviation the root of twice that.
    squared = sum((hits[endpoint] - share) ** 2 for endpoint in hits) / share + (count - len(hits)) * share
    assert squared < (count - 1) + 6 * (2 * (count - 1)) ** 0.5, hits


@pytest.mark.parametrize(("count", "places"), [(2, 16), (3, 64), (5, 128), (10, 256), (63, 256), (64, 64)])
def test_how_many_places_the_hash_has(node: PodNode, count: int, places: int) -> None:
    """Sixteen an endpoint or more, as long as there are so many; where each gets the same anyway, as many as there are."""
    node.ovs.appctl("vlog/set", "ofproto_dpif:file:dbg")
    node.apply(state(1))
    before = len(logged(node))
    node.apply(state(count))
    deadline = time.monotonic() + 20
    # The daemon's log is written by a thread of its own.
    while len(logged(node)) < before + 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert logged(node)[before:] == [str(places)] * 2


def logged(node: PodNode) -> list[str]:
    """How many hash values each group got that was made."""
    return re.findall(r"Use dp_hash with (\d+) hash values", node.ovs.log("ovs-vswitchd"))


@pytest.mark.parametrize("count", [10, 100, 1100])
def test_the_same_addresses_and_ports_meet_the_same_endpoint(node: PodNode, count: int) -> None:
    node.apply(state(count))
    met = {tuple(chosen(node, CLUSTER_IPS[0], 1, first=30000)) for _ in range(10)}
    assert len(met) == 1


def test_five_thousand_endpoints(node: PodNode) -> None:
    plan = node.apply(state(5000))
    assert not node.apply(state(5000)).changed, "reads back as it was written"
    descriptions = node.ovs.ofctl("dump-groups", "br-sluice")
    assert len(set(re.findall(r"nat\(dst=(10\.200\.\d+\.\d+):5353", descriptions))) == 5000
    assert len(set(re.findall(r"nat\(dst=\[(fd10:f::[^\]]+)\]:5353", descriptions))) == 5000
    assert len(plan.groups.after) == 2 * 11
    for address in CLUSTER_IPS:
        hits = chosen(node, address, 4000)
        assert hits.total() == 4000
        # Of 5000, 4000 independent even choices meet 5000 (1 - e^-0.8) = 2753 with a deviation of 31.
        assert 2753 - 5 * 31 < len(hits) < 2753 + 5 * 31
        assert max(hits.values()) < 10


def test_one_endpoint_less_moves_no_other(node: PodNode) -> None:
    """By session affinity's group: clients that are not remembered still meet the endpoint of before."""
    affine: dict[str, Any] = {"session_affinity": "ClientIP", "session_affinity_timeout": 600}
    node.apply(state(1200, **affine))
    (before,) = chosen(node, CLUSTER_IPS[0], 5)
    node.apply(state(1199, **affine))
    (after,) = chosen(node, CLUSTER_IPS[0], 5)
    assert before == after
