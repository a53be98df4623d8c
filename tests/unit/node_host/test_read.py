# SPDX-License-Identifier: Apache-2.0
"""What ip, nft and os-release print, into values. The samples are iproute2 6.1's and nft 1.0.6's."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.node import facts, nft
from sluice.node.host.announce import advertisement_frame, arp_frames
from sluice.node.host.model import Host, Link, Neighbour, Route
from sluice.node.host.read import link_of, neighbour_of, route_of, sysctl_path

ROUTES: list[tuple[dict[str, Any], Route | None]] = [
    ({"dst": "default", "gateway": "192.0.2.1", "dev": "eth1", "protocol": "16", "metric": 100, "flags": []},
     Route("0.0.0.0/0", "eth1", "192.0.2.1", metric=100, protocol=16)),
    ({"dst": "default", "gateway": "fd00::1", "dev": "eth1", "metric": 1024, "flags": [], "pref": "medium"},
     Route("::/0", "eth1", "fd00::1", metric=1024, protocol=3)),
    ({"dst": "default", "dev": "tun0", "metric": 1024, "flags": [], "pref": "medium"}, Route("::/0", "tun0", metric=1024, protocol=3)),
    ({"dst": "10.9.0.0/16", "gateway": "169.254.0.1", "dev": "gw", "protocol": "83", "prefsrc": "10.0.0.1", "flags": ["onlink"],
      "metrics": [{"mtu": 1300}]}, Route("10.9.0.0/16", "gw", "169.254.0.1", "10.0.0.1", 0, 1300, True)),
    ({"dst": "10.0.0.7", "dev": "gw", "scope": "253", "flags": [], "protocol": "83"}, Route("10.0.0.7/32", "gw")),
    ({"dst": "10.0.0.0/24", "dev": "gw", "protocol": "2", "scope": "253", "flags": []}, None),
    ({"type": "6", "dst": "10.66.0.0/16", "flags": []}, None),
    ({"type": "2", "dst": "10.1.0.1", "dev": "gw", "table": "255", "protocol": "2", "flags": []}, None),
    ({"dst": "10.77.0.0/16", "flags": [], "nexthops": [{"gateway": "10.1.0.2", "dev": "a"}, {"gateway": "10.1.0.3", "dev": "a"}]}, None),
]


@pytest.mark.parametrize(("entry", "route"), ROUTES, ids=[str(number) for number in range(len(ROUTES))])
def test_route(entry: dict[str, Any], route: Route | None) -> None:
    assert route_of(entry) == route


def test_link_and_neighbour() -> None:
    addresses = [{"local": "10.0.0.1", "prefixlen": 24, "scope": "0"}, {"local": "fe80::1", "prefixlen": 64, "scope": "253"},
                 {"local": "127.0.0.1", "prefixlen": 8, "scope": "254"}]
    entry = {"ifname": "gw", "flags": ["BROADCAST", "UP"], "mtu": 1450, "address": "0a:00:00:00:00:01", "addr_info": addresses}
    assert link_of(entry) == Link("0a:00:00:00:00:01", 1450, ("10.0.0.1/24",), True)
    permanent = {"dst": "169.254.0.1", "dev": "gw", "lladdr": "0a:00:00:00:00:02", "state": ["PERMANENT"], "protocol": "83"}
    assert neighbour_of(permanent) == Neighbour("169.254.0.1", "gw", "0a:00:00:00:00:02")
    assert neighbour_of({"dst": "169.254.0.1", "dev": "gw", "state": ["FAILED"]}) is None


@pytest.mark.parametrize(("key", "path"), [
    ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
    ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
])
def test_sysctl_path(key: str, path: str) -> None:
    assert sysctl_path(key) == Path("/proc/sys") / path


def test_a_table_is_current_only_with_the_marks_of_its_text_and_listing() -> None:
    text, listed = "chain a {\n  accept\n}", "chain a {\n\taccept\n}\n"
    made = f"{listed}\nchain {nft.MARKER_PREFIX}{nft._hash(text)}_{nft._hash(listed)} {{\n}}\n"
    assert nft.is_current(made, text)
    assert nft.is_current(made, "# a comment\n\n" + text)
    assert nft.is_current(made, made)
    assert nft.is_current(made, listed)
    assert not nft.is_current(None, text)
    assert not nft.is_current(listed, text)
    assert not nft.is_current(made, text.replace("accept", "drop"))
    assert not nft.is_current(made.replace("accept", "drop"), text)
    assert nft.normal(nft.unmarked(made)) == listed


def test_os_release() -> None:
    assert facts.operating_system('ID=ubuntu\nID_LIKE="debian"\nVERSION_ID="24.04"\n# X=1\n') == {
        "id": "ubuntu", "id_like": ["debian"], "version_id": "24.04"}
    assert facts.operating_system("") == {"id": "linux", "id_like": [], "version_id": ""}


def test_routes_of_facts_leave_out_the_kernels_and_ours_and_name_every_next_hop() -> None:
    assert facts.routes(entry for entry, _ in ROUTES) == [
        {"destination": "default", "via": "192.0.2.1", "device": "eth1", "protocol": "dhcp", "metric": 100},
        {"destination": "default", "via": "fd00::1", "device": "eth1", "protocol": "boot", "metric": 1024},
        {"destination": "default", "device": "tun0", "protocol": "boot", "metric": 1024},
        {"destination": "10.77.0.0/16", "via": "10.1.0.2", "device": "a", "protocol": "boot", "metric": 0},
        {"destination": "10.77.0.0/16", "via": "10.1.0.3", "device": "a", "protocol": "boot", "metric": 0},
    ]


def test_facts_are_those_of_the_node_without_sluice() -> None:
    bare = {"mtu": 1500, "mac": "0a:00:00:00:00:01", "up": True}
    found_addresses: dict[str, list[str]] = {"eth1": [], "br-transport": ["192.0.2.9/24"], "eth0": ["10.9.9.9/24"]}
    now = {name: {**bare, "addresses": addresses} for name, addresses in found_addresses.items()}
    before = Host(links={"eth1": Link(addresses=("192.0.2.9/24",)), "br-transport": Link(addresses=(), up=False), "gone": None},
                  routes=(Route("0.0.0.0/0", "eth1", "192.0.2.1", protocol=3),))
    default = {"destination": "default", "via": "192.0.2.1", "device": "eth1", "protocol": "boot", "metric": 0}
    found = facts.underlying(before, now, [])
    assert {name: link["addresses"] for name, link in found["interfaces"].items()} == {
        "eth1": ["192.0.2.9/24"], "br-transport": [], "eth0": ["10.9.9.9/24"]}
    assert found["routes"] == [default]
    assert facts.underlying(before, now, [default])["routes"] == [default]


def test_announcements() -> None:
    request, reply = arp_frames("0a:00:00:00:00:01", "192.0.2.9")
    assert request.hex() == ("ffffffffffff0a0000000001" "0806" "0001080006040001" "0a0000000001c0000209" "000000000000c0000209")
    assert reply[20:22] == b"\x00\x02" and len(request) == len(reply) == 42
    frame = advertisement_frame("0a:00:00:00:00:01", "fd77::9")
    assert frame[:14].hex() == "3333000000010a000000000186dd" and frame[21] == 255
    # The checksum over the pseudo-header and the message is all ones (RFC 8200 section 8.1).
    words = frame[22:54] + len(frame[54:]).to_bytes(4, "big") + (58).to_bytes(4, "big") + frame[54:]
    total = sum(int.from_bytes(words[at:at + 2], "big") for at in range(0, len(words), 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
