# SPDX-License-Identifier: Apache-2.0
"""Moving addresses and routes as data: what `ip` commands it takes, and what undoes it."""
from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.errors import InputError, SluiceError
from sluice.ovs.confirmed.addresses import Network, as_text, difference, from_json, moved, network, restored, to_json
from sluice.ovs.confirmed.change import plan_moves
from sluice.ovs.switch.apply import Outcome

FOREVER = 4294967295
MAC = "0a:00:00:00:00:01"
MOVE = {"eth0": "br-ex"}


def inet(local: str, length: int, **more: Any) -> dict[str, Any]:
    return {"family": "inet", "local": local, "prefixlen": length, "scope": "0", "label": "eth0", "valid_life_time": FOREVER,
            "preferred_life_time": FOREVER, **more}


def inet6(address: str, length: int, **more: Any) -> dict[str, Any]:
    return {"family": "inet6", "local": address, "prefixlen": length, "scope": "0", "valid_life_time": FOREVER, "preferred_life_time": FOREVER, **more}


def link(name: str, *addresses: dict[str, Any], up: bool = True, mac: str = MAC) -> dict[str, Any]:
    return {"ifname": name, "flags": ["BROADCAST", *(["UP"] if up else [])], "address": mac, "addr_info": list(addresses)}


def host(addresses: list[dict[str, Any]], *routes: dict[str, Any], bridge: bool = False) -> Network:
    return network([link("eth0", *addresses), *([link("br-ex", up=False)] if bridge else [])], routes)


def lines(have: Network, goal: Network) -> tuple[str, ...]:
    return difference(have, goal).all


HOST = host(
    [inet("192.0.2.10", 24, broadcast="192.0.2.255"), inet("192.0.2.11", 24, secondary=True), inet6("fd00::10", 64),
     inet6("fe80::1", 64, scope="253")],
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "protocol": "16", "prefsrc": "192.0.2.10", "metric": 100, "flags": []},
    {"dst": "192.0.2.0/24", "dev": "eth0", "protocol": "2", "scope": "253", "prefsrc": "192.0.2.10", "flags": []},
    {"type": "2", "dst": "192.0.2.10", "dev": "eth0", "table": "255", "protocol": "2", "scope": "254", "flags": []},
    {"dst": "default", "gateway": "fe80::fe", "dev": "eth0", "protocol": "9", "metric": 1024, "flags": [], "expires": 900, "pref": "medium"},
    {"type": "7", "dst": "203.0.113.0/24", "flags": []})
"""As a host with one uplink: primary and secondary addresses, a route of DHCP and one of a router advertisement."""


def test_what_is_new_comes_first_and_a_primary_address_goes_last() -> None:
    assert lines(HOST, moved(HOST, MOVE)) == (
        "link set dev br-ex up",
        "addr replace 192.0.2.10/24 broadcast 192.0.2.255 dev br-ex",
        "addr replace 192.0.2.11/24 dev br-ex",
        "addr replace fd00::10/64 nodad dev br-ex",
        "route replace 0.0.0.0/0 proto 16 src 192.0.2.10 metric 100 via 192.0.2.1 dev br-ex",
        "route replace ::/0 proto 9 metric 1024 via fe80::fe dev br-ex expires 900",
        "route del 0.0.0.0/0 proto 16 src 192.0.2.10 metric 100 via 192.0.2.1 dev eth0",
        "route del ::/0 proto 9 metric 1024 via fe80::fe dev eth0",
        "addr del fd00::10/64 dev eth0",
        "addr del 192.0.2.11/24 dev eth0",
        "addr del 192.0.2.10/24 dev eth0")


def test_moving_what_is_moved_changes_nothing() -> None:
    there = moved(HOST, MOVE)
    assert lines(there, moved(there, MOVE)) == ()
    assert lines(host([]), moved(host([]), MOVE)) == ()


@pytest.mark.parametrize(("entry", "command"), [
    (inet("10.0.0.1", 32, address="10.0.0.2"), "addr replace 10.0.0.1 peer 10.0.0.2/32 dev br-ex"),
    (inet("10.0.0.1", 8, label="eth0:vip"), "addr replace 10.0.0.1/8 dev br-ex"),
    (inet("10.0.0.1", 8, scope="200", metric=5, noprefixroute=True), "addr replace 10.0.0.1/8 scope 200 metric 5 noprefixroute dev br-ex"),
    (inet("10.0.0.1", 8, dynamic=True, valid_life_time=60, preferred_life_time=30), "addr replace 10.0.0.1/8 valid_lft 60 preferred_lft 30 dev br-ex"),
    (inet6("fd00::1", 64, dynamic=True, mngtmpaddr=True, valid_life_time=60), "addr replace fd00::1/64 mngtmpaddr nodad valid_lft 60 preferred_lft forever "
                                                                            "dev br-ex"),
])
def test_an_address_keeps_what_it_has(entry: dict[str, Any], command: str) -> None:
    have = host([entry])
    assert command in lines(have, moved(have, MOVE))


@pytest.mark.parametrize(("entry", "words"), [
    ({"dst": "198.51.100.0/24", "dev": "eth0", "table": "77", "scope": "253", "flags": []}, "198.51.100.0/24 table 77 scope 253 dev br-ex"),
    ({"dst": "198.51.100.1", "tos": "0x10", "gateway": "192.0.2.7", "dev": "eth0", "flags": ["onlink"], "metrics": [{"mtu": 1300, "advmss": 1200}]},
     "198.51.100.1 tos 0x10 mtu 1300 advmss 1200 via 192.0.2.7 dev br-ex onlink"),
    ({"dst": "198.51.100.0/24", "via": {"family": "inet6", "host": "fe80::1"}, "dev": "eth0", "flags": []}, "198.51.100.0/24 via inet6 fe80::1 dev br-ex"),
    ({"dst": "198.51.100.0/24", "flags": [], "nexthops": [{"gateway": "192.0.2.1", "dev": "eth0", "weight": 2, "flags": []},
                                                          {"gateway": "192.0.3.1", "dev": "eth1", "weight": 1, "flags": []}]},
     "198.51.100.0/24 nexthop via 192.0.2.1 dev br-ex weight 2 nexthop via 192.0.3.1 dev eth1 weight 1"),
    ({"dst": "fd01::/64", "gateway": "fd00::1", "dev": "eth0", "metric": 1024, "flags": [], "pref": "high"},
     "fd01::/64 metric 1024 pref high via fd00::1 dev br-ex"),
])
def test_a_route_keeps_what_it_has(entry: dict[str, Any], words: str) -> None:
    have = host([], entry)
    assert f"route replace {words}" in lines(have, moved(have, MOVE))


def test_the_route_of_another_device_stays() -> None:
    have = host([inet("192.0.2.10", 24)], {"dst": "10.0.0.0/8", "dev": "eth1", "scope": "253", "flags": []})
    assert not [line for line in lines(have, moved(have, MOVE)) if "10.0.0.0/8" in line]


def test_a_route_that_ip_cannot_be_told_is_refused_rather_than_lost() -> None:
    have = host([], {"dst": "10.0.0.0/8", "dev": "eth0", "encap": "mpls", "flags": []})
    with pytest.raises(SluiceError, match=r"10\.0\.0\.0/8 .* cannot be moved, because it has encap"):
        moved(have, MOVE)


def test_undoing_gives_what_was_before() -> None:
    goal = moved(HOST, MOVE)
    now = goal._replace(macs={**HOST.macs, "br-ex": MAC})
    back = restored(now, HOST, goal, [*MOVE, *MOVE.values()])
    assert lines(back, HOST) == ()
    assert lines(HOST, back) == ()
    assert "addr replace fd00::10/64 dev eth0" in lines(now, back), "what was probed for duplicates before is again"


def test_undoing_leaves_what_others_have_done_since() -> None:
    goal = moved(HOST, MOVE)
    others = network([link("eth0", inet("10.7.0.1", 24)), link("br-ex", inet("10.8.0.1", 24, label="br-ex")),
                      link("eth1", inet("10.9.0.1", 24, label="eth1"))],
                     [{"dst": "10.20.0.0/16", "gateway": "10.9.0.2", "dev": "eth1", "flags": []}])
    now = Network(others.macs, goal.up, (*goal.addresses, *others.addresses), (*goal.routes, *others.routes))
    back = restored(now, HOST, goal, [*MOVE, *MOVE.values()])
    text = as_text(back, ["eth0", "br-ex", "eth1"])
    assert all(line in text for line in ("10.7.0.1/24 dev eth0", "10.8.0.1/24 dev br-ex", "10.9.0.1/24 dev eth1", "10.20.0.0/16 via 10.9.0.2 dev eth1"))
    assert "192.0.2.10/24 broadcast 192.0.2.255 dev eth0" in text
    assert "192.0.2.10/24 broadcast 192.0.2.255 dev br-ex" not in text


def test_undoing_counts_lifetimes_on_and_waits_for_devices_that_are_gone() -> None:
    have = network([link("eth0", inet("10.0.0.1", 8, dynamic=True, valid_life_time=60, preferred_life_time=30)), link("gone", inet("10.1.0.1", 16))],
                   [{"dst": "10.2.0.0/16", "gateway": "10.1.0.2", "dev": "gone", "flags": []}])
    now = network([link("eth0")], [])
    assert lines(now, restored(now, have, now, ["eth0", "gone"], elapsed=40.5)) == ("addr replace 10.0.0.1/8 valid_lft 19 preferred_lft 0 dev eth0",)


def test_a_network_comes_back_from_json() -> None:
    goal = moved(HOST, MOVE)
    assert from_json(json.loads(json.dumps(to_json(goal)))) == goal


def outcome(**bridge: Any) -> Outcome:
    return Outcome(True, {}, {"bridges": [{"name": "br-ex", **bridge}]}, ())


def test_another_mac_is_warned_of() -> None:
    assert plan_moves(MOVE, outcome(other_config={"hwaddr": MAC}), HOST).warnings == ()
    (warning,) = plan_moves(MOVE, outcome(other_config={"hwaddr": "0a:00:00:00:00:99"}), HOST).warnings
    assert f"set other_config hwaddr of br-ex to {MAC}" in warning


@pytest.mark.parametrize(("wanted", "message"), [
    ({"eth9": "br-ex"}, "move_addresses.eth9: this host has no such device"),
    ({"eth0": "br-none"}, "move_addresses.eth0: there is no bridge br-none"),
    ({"eth0": "eth0"}, "move_addresses.eth0: eth0 is itself to give its addresses away"),
    ({"eth0": None}, "move_addresses.eth0: is None"),
])
def test_moves_that_cannot_be_are_refused(wanted: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_moves(wanted, outcome(), HOST)
