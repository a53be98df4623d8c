# SPDX-License-Identifier: Apache-2.0
"""Which transport a host has, before Sluice and after."""
from __future__ import annotations

from typing import Any

import pytest
from fresh_hosts import CLUSTER, facts, hosts

from sluice.errors import InputError
from sluice.intent.load import Intent, load
from sluice.intent.state import Route, Transport

FRESH = Transport(
    "eth1", ("192.168.77.1/24", "fd77::1/64"), 1500, (Route("default", "192.168.77.1"), Route("default", "fd77::1")), "52:54:00:00:01:01"
)


def moved(bridges: bool = True) -> dict[str, Any]:
    """The facts of node1 after the userspace datapath has taken eth1."""
    found = facts(1)
    found["interfaces"]["br-transport"] = {"mtu": 1500, "addresses": [*found["interfaces"]["eth1"]["addresses"]]}
    found["interfaces"]["eth1"]["addresses"] = []
    for route in found["routes"]:
        if route["device"] == "eth1":
            route["device"] = "br-transport"
    found["routes"] += [
        {"destination": "10.10.1.0/24", "via": "192.168.77.2", "device": "br-transport"},
        {"destination": "198.51.100.0/24", "via": "192.168.77.2", "device": "br-transport", "protocol": 83},
    ]
    if bridges:
        found["bridges"] = {"br-transport": ["eth1", "br-transport"]}
    return found


def transport(found: dict[str, Any], **variables: Any) -> Transport:
    intent = load(CLUSTER, {"node1": {"vars": variables, "facts": found}}, "/")
    return intent.nodes["node1"].transport


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"sluice_transport_interface": "eth1"},
        {"sluice_transport_cidrs": ["192.168.0.0/16", "fd77::/16"]},
        {"sluice_transport_interface": "eth1", "sluice_transport_cidrs": ["192.168.77.0/24", "fd77::/16"]},
    ],
)
@pytest.mark.parametrize("found", [facts(1), moved()], ids=["fresh", "moved"])
def test_the_transport_is_the_same_before_and_after_its_addresses_moved(found: dict[str, Any], variables: dict[str, Any]) -> None:
    assert transport(found, **variables) == FRESH


def test_the_bridges_ports_need_not_be_known_where_the_interface_is_named() -> None:
    assert transport(moved(bridges=False), sluice_transport_interface="eth1") == FRESH


def test_addresses_that_an_interrupted_run_has_moved_in_part_are_found_in_both_places() -> None:
    found = moved()
    found["interfaces"]["br-transport"]["addresses"] = ["192.168.77.1/24"]
    found["interfaces"]["eth1"]["addresses"] = ["fd77::1/64"]
    assert transport(found).addresses == FRESH.addresses


def test_another_interfaces_bridge_is_not_asked() -> None:
    found = moved()
    found["bridges"] = {"br-transport": ["eth7"]}
    with pytest.raises(InputError, match="eth1 has no address"):
        transport(found, sluice_transport_interface="eth1")


def test_cidrs_choose_among_addresses_and_leave_out_a_family() -> None:
    found = facts(1)
    found["interfaces"]["eth1"]["addresses"].insert(0, "198.51.100.1/24")
    assert transport(found, sluice_transport_cidrs=["192.168.77.0/24"]).addresses == ("192.168.77.1/24",)


def test_routes_to_other_places_are_kept_and_pods_routes_are_not() -> None:
    found = facts(1)
    found["routes"] += [
        {"destination": "198.51.100.0/24", "via": "192.168.77.254", "device": "eth1"},
        {"destination": "203.0.113.7", "via": "192.168.77.254", "device": "eth1"},
        {"destination": "10.0.0.0/8", "via": "192.168.77.254", "device": "eth1"},
        {"destination": "10.10.3.0/24", "via": "192.168.77.3", "device": "eth1"},
        {"destination": "198.18.0.0/15", "via": "192.0.2.254", "device": "eth0"},
    ]
    extra = {Route("198.51.100.0/24", "192.168.77.254"), Route("203.0.113.7/32", "192.168.77.254"), Route("10.0.0.0/8", "192.168.77.254")}
    assert set(transport(found).routes) == {*FRESH.routes, *extra}


def test_labels_are_those_of_a_kubelet_and_the_inventory_wins() -> None:
    given = hosts(1, 2)
    given["node2"]["vars"] = {"sluice_node_labels": {"disk": "ssd", "kubernetes.io/arch": "arm64"}}
    intent: Intent = load(CLUSTER, given, "/")
    assert intent.nodes["node1"].labels == {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": "node1", "kubernetes.io/os": "linux"}
    assert intent.nodes["node2"].labels["kubernetes.io/arch"] == "arm64"
    assert intent.nodes["node2"].labels["disk"] == "ssd"


def test_one_family_in_common_is_enough_for_tunnels() -> None:
    given = hosts(1, 2)
    given["node2"]["facts"]["interfaces"]["eth1"]["addresses"] = ["fd77::2/64"]
    assert load(CLUSTER, given, "/").nodes["node2"].transport.addresses == ("fd77::2/64",)
