# SPDX-License-Identifier: Apache-2.0
"""host.json is refused with all that is wrong, and read into the kernel's canonical forms."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import InputError
from sluice.node.host.model import Link, Route
from sluice.node.host.parse import parse, sysctl_file

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"links_": []}, "links_"),
    ({"sysctl": []}, "sysctl"),
    ({"sysctl": {"ip_forward": "1"}}, "sysctl.ip_forward"),
    ({"sysctl": {"net.ipv4.ip_forward": True}}, "sysctl.net.ipv4.ip_forward"),
    ({"sysctl": {"net.../../etc": "1"}}, "sysctl.net.../../etc"),
    ({"links": {}}, "links"),
    ({"links": [{"mtu": 1500}]}, "links[0].name"),
    ({"links": [{"name": "a-name-of-17-chars"}]}, "links[0].name"),
    ({"links": [{"name": "a/b"}]}, "links[0].name"),
    ({"links": [{"name": "a"}, {"name": "a"}]}, "links[1].name"),
    ({"links": [{"name": "a", "mac": "01:00:00:00:00:01"}]}, "links[0].mac"),
    ({"links": [{"name": "a", "mtu": 67}]}, "links[0].mtu"),
    ({"links": [{"name": "a", "mtu": True}]}, "links[0].mtu"),
    ({"links": [{"name": "a", "mtu": 1279, "addresses": ["fd00::1/64"]}]}, "links[0].mtu"),
    ({"links": [{"name": "a", "addresses": ["10.0.0.1"]}]}, "links[0].addresses[0]"),
    ({"links": [{"name": "a", "addresses": ["10.0.0.1/33"]}]}, "links[0].addresses[0]"),
    ({"links": [{"name": "a", "addresses": ["fe80::1/64"]}]}, "links[0].addresses[0]"),
    ({"links": [{"name": "a", "addresses": ["10.0.0.1/24", "10.0.0.1/24"]}]}, "links[0].addresses"),
    ({"links": [{"name": "a", "up": "yes"}]}, "links[0].up"),
    ({"links": [{"name": "a", "colour": "red"}]}, "links[0].colour"),
    ({"routes": [{"device": "a"}]}, "routes[0].destination"),
    ({"routes": [{"destination": "10.0.0.1/8", "device": "a"}]}, "routes[0].destination"),
    ({"routes": [{"destination": "10.0.0.0/8"}]}, "routes[0].device"),
    ({"routes": [{"destination": "default", "device": "a"}]}, "routes[0]"),
    ({"routes": [{"destination": "10.0.0.0/8", "device": "a", "via": "fd00::1"}]}, "routes[0].via"),
    ({"routes": [{"destination": "fd00::/8", "device": "a", "source": "10.0.0.1"}]}, "routes[0].source"),
    ({"routes": [{"destination": "10.0.0.0/8", "device": "a", "onlink": True}]}, "routes[0].onlink"),
    ({"routes": [{"destination": "10.0.0.0/8", "device": device} for device in "ab"]}, "routes[1]"),
    ({"neighbours": [{"address": "10.0.0.1", "device": "a"}]}, "neighbours[0].mac"),
    ({"neighbours": [{"address": "10.0.0.0/8", "device": "a", "mac": "0a:00:00:00:00:01"}]}, "neighbours[0].address"),
    ({"nftables": {"sluice": "} table inet other {"}}, "nftables.sluice"),
    ({"nftables": {"sluice": "chain a { "}}, "nftables.sluice"),
    ({"nftables": {"sluice": 'chain a { log prefix "}" }', "a b c": ""}}, "nftables.a b c"),
    ({"nftables": {"sluice": "chain sluice_made_x { }"}}, "nftables.sluice"),
    ({"files": {"etc/x": {"content": ""}}}, "files.etc/x"),
    ({"files": {"/etc/../x": {"content": ""}}}, "files./etc/../x"),
    ({"files": {"/etc/x": {}}}, "files./etc/x.content"),
    ({"files": {"/etc/x": {"content": "", "mode": 420}}}, "files./etc/x.mode"),
    ({"files": {"/etc/sysctl.d/90-sluice.conf": {"content": ""}}}, "files./etc/sysctl.d/90-sluice.conf"),
    ({"units": {"sluice": {"enabled": True}}}, "units.sluice"),
    ({"units": {"--now.service": {"enabled": "true"}}}, "units.--now.service.enabled"),
]


@pytest.mark.parametrize(("config", "path"), WRONG, ids=[path for _, path in WRONG])
def test_one_mistake_is_one_problem_at_its_path(config: dict[str, Any], path: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(config)
    assert [problem.path for problem in refused.value.problems] == [path]
    assert refused.value.problems[0].expected


def test_all_mistakes_are_reported_at_once() -> None:
    together: dict[str, Any] = {
        "sysctl": {"x": 1}, "links": [{"name": ""}], "routes": [{}], "neighbours": 1, "nftables": {"": ""}, "units": []}
    with pytest.raises(InputError) as refused:
        parse(together)
    assert {problem.path for problem in refused.value.problems} >= {
        "sysctl.x", "links[0].name", "routes[0].destination", "routes[0].device", "neighbours", "nftables.", "units"}


def test_what_is_right_is_read_in_canonical_form() -> None:
    host, sections = parse({
        "sysctl": {"net.ipv4.ip_forward": 1, "net.ipv4.ip_local_port_range": "1024\t 65000"},
        "links": [{"name": "a", "mac": "0A:00:00:00:00:01", "mtu": "1450", "addresses": ["fd00:0::1/64", "10.0.0.1/24"]},
                  {"name": "b", "addresses": []}, {"name": "c"}],
        "routes": [{"destination": "default", "via": "fd00:0:0::1", "device": "a"}, {"destination": "10.0.0.0/8", "device": "a"}],
        "nftables": {"sluice": "", "netdev sluice": ""},
    })
    assert sections == {"sysctl", "links", "routes", "nftables"}
    assert host.sysctl == {"net.ipv4.ip_forward": "1", "net.ipv4.ip_local_port_range": "1024 65000"}
    assert host.links == {"a": Link("0a:00:00:00:00:01", 1450, ("10.0.0.1/24", "fd00::1/64"), True), "b": Link(addresses=()), "c": Link()}
    assert host.stripped == {"b"}
    assert host.routes == (Route("10.0.0.0/8", "a"), Route("::/0", "a", via="fd00::1", metric=1024))
    assert host.neighbours is None
    assert set(host.nftables) == {"inet sluice", "netdev sluice"}


def test_the_sysctl_file_is_sorted() -> None:
    assert sysctl_file({"b.b": "2", "a.a": "1"}).content.splitlines()[1:] == ["a.a = 1", "b.b = 2"]
