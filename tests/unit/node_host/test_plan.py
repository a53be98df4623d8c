# SPDX-License-Identifier: Apache-2.0
"""From what is wanted and what is there to what is done, and back."""
from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sluice.node.host.model import File, Host, Link, Neighbour, Route, Unit
from sluice.node.host.plan import plan, prior, reverse, sysctl_order

FOREIGN = Route("0.0.0.0/0", "eth1", via="192.0.2.1", protocol=16)
OURS = Route("10.0.0.0/8", "gw", via="169.254.0.1", onlink=True)


def test_nothing_to_do_is_an_empty_plan() -> None:
    host = Host(sysctl={"a.b": "1"}, links={"gw": Link("0a:00:00:00:00:01", 1450, ("10.0.0.1/24",), True)}, routes=(OURS,), neighbours=(),
                files={"/x": File("")}, units={"u.service": Unit(True, True)})
    assert not plan(host, host)
    assert plan(host, host).actions() == []


def test_an_address_is_added_before_it_is_removed_and_routes_come_between() -> None:
    want = Host(links={"eth1": Link(addresses=()), "br": Link(addresses=("192.0.2.9/24",), up=True)},
                routes=(Route("0.0.0.0/0", "br", via="192.0.2.1"),))
    have = Host(links={"eth1": Link("", 1500, ("192.0.2.9/24",), True), "br": Link("", 1500, (), False)}, routes=(FOREIGN,))
    assert plan(want, have).actions() == [
        "ip link set dev br up",
        "ip addr add 192.0.2.9/24 dev br broadcast +",
        "ip route replace 0.0.0.0/0 via 192.0.2.1 dev br proto 83",
        "ip addr del 192.0.2.9/24 dev eth1",
    ]


def test_firewall_comes_before_forwarding_and_goes_after_it() -> None:
    new = plan(Host(nftables={"inet s": "x"}, sysctl={"net.ipv4.ip_forward": "1"}), Host(sysctl={"net.ipv4.ip_forward": "0"}))
    assert new.actions() == ["nft replace table inet s", "sysctl net.ipv4.ip_forward=1"]
    old = plan(Host(nftables={"inet s": None}, sysctl={"net.ipv4.ip_forward": "0"}),
               Host(sysctl={"net.ipv4.ip_forward": "1"}, nftables={"inet s": "x"}))
    assert old.actions() == ["sysctl net.ipv4.ip_forward=0", "nft delete table inet s"]


def test_a_unit_goes_before_its_file_and_comes_after() -> None:
    there = Host(files={"/u": File("")}, units={"u.service": Unit(True, True)})
    gone = Host(files={"/u": None}, units={"u.service": Unit(False, False)})
    assert plan(gone, there).actions() == ["systemctl stop u.service", "systemctl disable u.service", "remove /u"]
    assert plan(there, gone).actions() == ["write /u", "systemctl enable u.service", "systemctl start u.service"]


def test_routes_of_others_stay_unless_they_are_in_the_way() -> None:
    theirs = (Route("198.51.100.0/24", "eth0", protocol=4), Route("203.0.113.0/24", "gw", protocol=4))
    have = Host(routes=(*theirs, replace(OURS, device="old")))
    assert plan(Host(routes=()), have).ip_remove == ("route del 10.0.0.0/8 via 169.254.0.1 dev old proto 83",)
    assert plan(Host(links={"gw": Link(addresses=())}, routes=()), have).ip_remove == (
        "route del 10.0.0.0/8 via 169.254.0.1 dev old proto 83", "route del 203.0.113.0/24 dev gw proto 4")


def test_a_section_that_is_not_managed_is_left_alone() -> None:
    assert not plan(Host(), Host(routes=(OURS,), neighbours=(Neighbour("10.0.0.1", "gw", "0a:00:00:00:00:01"),)))


def test_general_sysctls_are_written_first() -> None:
    keys = ["net.ipv4.conf.eth1.rp_filter", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter", "net.ipv4.ip_forward"]
    assert sysctl_order(dict.fromkeys(keys)) == [
        "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.eth1.rp_filter"]


def test_the_record_has_only_what_is_managed_and_not_ours() -> None:
    want = Host(links={"eth1": Link(addresses=()), "new": Link(mtu=1400)}, routes=(OURS,), sysctl={"a.b": "1"})
    have = Host(links={"eth1": Link("0a:00:00:00:00:01", 1500, ("192.0.2.9/24",), True), "new": None}, sysctl={"a.b": "0"},
                routes=(FOREIGN, Route("::/0", "eth1", via="fe80::1", metric=1024, protocol=9), replace(OURS, via="169.254.0.2")))
    assert prior(want, have) == Host(
        links={"eth1": Link(addresses=("192.0.2.9/24",)), "new": None}, sysctl={"a.b": "0"}, routes=(FOREIGN,), neighbours=())


_addresses = st.sets(st.sampled_from(["10.0.0.1/24", "10.0.1.1/24", "fd00::1/64"])).map(lambda found: tuple(sorted(found)))
_link = st.builds(Link, st.none(), st.sampled_from([1400, 1500]), _addresses, st.booleans())
_links = st.dictionaries(st.sampled_from("ab"), _link, min_size=2)
_routes = st.sets(st.builds(
    Route, st.sampled_from(["10.0.0.0/8", "172.16.0.0/12"]), st.sampled_from("ab"), metric=st.sampled_from([0, 5]),
    protocol=st.sampled_from([83, 4]))).map(lambda found: tuple({route.key: route for route in sorted(found)}.values()))
_sysctl = st.fixed_dictionaries({"a.b": st.sampled_from("01")})
_hosts = st.builds(Host, links=_links, routes=_routes, neighbours=st.just(()), sysctl=_sysctl)


@given(want=_hosts, have=_hosts)
def test_reversing_from_anywhere_leads_back(want: Host, have: Host) -> None:
    """Whatever was applied of a plan, the reverse needs nothing once it is where it started."""
    assert not plan(reverse(want, have), have)
