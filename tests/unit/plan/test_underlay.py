# SPDX-License-Identifier: Apache-2.0
"""The MTU that is left for pods, and the family in which nodes reach one another."""
from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from sluice.errors import InputError
from sluice.plan.underlay import pod_mtu, transport_subnet, underlay_family
from states import cluster_state


@pytest.mark.parametrize(("mode", "tunnel", "underlay", "expected"), [
    ("encap", "geneve", 4, 1450), ("encap", "geneve", 6, 1430),
    ("encap", "vxlan", 4, 1450), ("encap", "vxlan", 6, 1430),
    ("encap", "gre", 4, 1462),
    ("hybrid", "geneve", 4, 1450),
    ("no_encap", "geneve", 4, 1500), ("no_encap", "geneve", 6, 1500),
])
def test_mtu_is_what_the_tunnel_leaves(mode: str, tunnel: str, underlay: int, expected: int) -> None:
    assert pod_mtu(cluster_state(2, 0, traffic_mode=mode, tunnel_type=tunnel), underlay) == expected


def test_the_smallest_transport_decides_for_all() -> None:
    state = cluster_state(3, 0, mtu=9000)
    nodes = dict(state.nodes)
    nodes["node2"] = dataclasses.replace(nodes["node2"], transport=dataclasses.replace(nodes["node2"].transport, mtu=1400))
    assert pod_mtu(dataclasses.replace(state, nodes=nodes), 4) == 1350


def test_an_mtu_asked_for_is_kept_or_refused_with_the_numbers() -> None:
    def cluster(mtu: int) -> int:
        state = cluster_state(1, 0)
        return pod_mtu(dataclasses.replace(state, cluster=dataclasses.replace(state.cluster, mtu=mtu)), 4)
    assert cluster(1400) == 1400
    with pytest.raises(InputError, match=r"sluice_mtu: 1451 does not fit: eth1 of node1 has MTU 1500, and geneve over IPv4 takes 50; expected at most 1450"):
        cluster(1451)


def test_ipv6_pods_need_1280_bytes() -> None:
    with pytest.raises(InputError, match=r"1230 bytes are left for pods.*at least 1280, so a transport MTU of at least 1330"):
        pod_mtu(cluster_state(1, 0, mtu=1280), 4)
    assert pod_mtu(cluster_state(1, 0, mtu=1280, families=(4,)), 4) == 1230


def test_ipv4_is_the_underlay_where_all_have_it() -> None:
    state = cluster_state(2, 0)
    assert underlay_family(state.nodes.values()) == 4
    nodes = dict(state.nodes)
    six_only = dataclasses.replace(nodes["node2"].transport, addresses=nodes["node2"].transport.addresses[1:])
    nodes["node2"] = dataclasses.replace(nodes["node2"], transport=six_only)
    assert underlay_family(nodes.values()) == 6
    four_only = dataclasses.replace(nodes["node1"].transport, addresses=nodes["node1"].transport.addresses[:1])
    nodes["node1"] = dataclasses.replace(nodes["node1"], transport=four_only)
    with pytest.raises(InputError, match="no IP version in common: no IPv4 address on the transport of node2; no IPv6 address on that of node1"):
        underlay_family(nodes.values())


def test_subnet_of_the_transport() -> None:
    node = cluster_state(1, 0).nodes["node1"]
    assert (transport_subnet(node, 4), transport_subnet(node, 6)) == ("172.16.0.0/16", "fd77::/64")
