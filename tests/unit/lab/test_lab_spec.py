# SPDX-License-Identifier: Apache-2.0
"""A lab's description: what is refused, and what is derived from it."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import InputError
from sluice.lab.machine import interfaces
from sluice.lab.network import bridge_port, mac, node_commands
from sluice.lab.spec import Lab, load_lab


def _load(name: str = "demo", underlay: Any = None, nodes: Any = None) -> Lab:
    default: list[Any] = [{"name": "node1", "machine": "container", "management": ["192.0.2.11"], "underlay": ["198.51.100.11", "2001:db8::11"]}]
    return load_lab(name, "/var/lib/sluice-lab", {"ipv4": "192.0.2.0/24"}, underlay or {"ipv4": "198.51.100.0/24", "ipv6": "2001:db8::/64"},
                    ["203.0.113.10"], default if nodes is None else nodes)


def test_interfaces_are_as_on_a_host() -> None:
    lab = _load()
    assert interfaces(lab, lab.nodes[0]) == """\
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
  address 192.0.2.11/24

auto eth1
iface eth1 inet static
  address 198.51.100.11/24
  gateway 198.51.100.1
iface eth1 inet6 static
  address 2001:db8::11/64
  gateway 2001:db8::1
"""


def test_mac_addresses_stay_and_differ() -> None:
    lab, again, other = _load(), _load(), _load(name="other")
    addresses = [*lab.nodes[0].management, *lab.nodes[0].underlay, *lab.underlay.gateways]
    assert [mac(lab, address) for address in addresses] == [mac(again, address) for address in addresses]
    assert len({mac(each, address) for each in (lab, other) for address in addresses}) == 2 * len(addresses)
    assert all(mac(lab, address).startswith("02:") for address in addresses)


@pytest.mark.parametrize("name", ["a", "node1", "abcdefghijklm", "a-very-long-name-of-a-node-1", "a-very-long-name-of-a-node-2"])
def test_link_names_fit_the_kernel(name: str) -> None:
    assert len(bridge_port(name, "underlay")) <= 15
    assert bridge_port(name, "underlay") != bridge_port(name, "mgmt")


def test_long_names_have_different_ports() -> None:
    assert bridge_port("a-very-long-name-of-a-node-1", "mgmt") != bridge_port("a-very-long-name-of-a-node-2", "mgmt")


def test_every_link_of_a_node_has_the_mtu_of_its_network() -> None:
    lab = _load(underlay={"ipv4": "198.51.100.0/24", "ipv6": "2001:db8::/64", "mtu": 9000})
    adds = {command[command.index("peer") + 2]: command for command in node_commands(lab, lab.nodes[0]) if "veth" in command}
    assert (adds["eth0"].count("1500"), adds["eth1"].count("9000")) == (2, 2)


@pytest.mark.parametrize(("change", "message"), [
    ({"name": "Demo"}, "cannot be a lab's name"),
    ({"name": "a-b"}, "cannot be a lab's name"),
    ({"name": "cache"}, "cannot be a lab's name"),
    ({"underlay": {"ipv4": "nonsense"}}, "nonsense"),
    ({"underlay": {"ipv4": "198.51.100.7/24", "ipv6": "2001:db8::/64"}}, "has host bits set"),
    ({"underlay": {"mtu": 1500}}, "there is no network"),
    ({"nodes": [{"name": "outside", "machine": "container", "management": ["192.0.2.11"], "underlay": ["198.51.100.11"]}]}, "cannot be a node's name"),
    ({"nodes": [{"name": "a", "machine": "container", "management": [], "underlay": ["198.51.100.11"]}]}, "there is no address"),
    ({"nodes": [{"name": "a", "machine": "container", "management": ["192.0.2.11"], "underlay": ["198.51.100.11"]},
                {"name": "a", "machine": "container", "management": ["192.0.2.12"], "underlay": ["198.51.100.12"]}]}, "two nodes have this name"),
])
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _load(**change)
