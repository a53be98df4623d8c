# SPDX-License-Identifier: Apache-2.0
"""What sluice.fabric.switch refuses as config, and where it says that it is wrong."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import InputError
from sluice.ovs.switch.apply import rendered
from sluice.ovs.switch.config import Wanted, parse

COMPILED = sorted((Path(__file__).parents[1] / "compile" / "cases").glob("*/expected/*/switch.json"))


def one_port(**port: Any) -> dict[str, Any]:
    return {"bridges": [{"name": "br0", "ports": [{"name": "p0", **port}]}]}


def one_interface(**interface: Any) -> dict[str, Any]:
    return one_port(interfaces=[{"name": "p0", **interface}])


def two_ports(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {"bridges": [{"name": "br0", "ports": [first]}, {"name": "br1", "ports": [second]}]}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key of the host": ({"bridge": []}, "bridge"),
    "unknown key of a bridge": ({"bridges": [{"name": "br0", "failmode": "secure"}]}, "bridges[0].failmode"),
    "unknown key of a port": (one_port(vlan=5), "bridges[0].ports[0].vlan"),
    "unknown key of an interface": (one_interface(mtu=1400), "bridges[0].ports[0].interfaces[0].mtu"),
    "bridges is no list": ({"bridges": {"br0": {}}}, "bridges"),
    "bridge is a string": ({"bridges": ["br0"]}, "bridges[0]"),
    "no name": ({"bridges": [{}]}, "bridges[0].name"),
    "name is a number": ({"bridges": [{"name": 5}]}, "bridges[0].name"),
    "empty name": ({"bridges": [{"name": ""}]}, "bridges[0].name"),
    "slash in a bridge's name": ({"bridges": [{"name": "br/0"}]}, "bridges[0].name"),
    "bridge name of 16 bytes": ({"bridges": [{"name": "b" * 16}]}, "bridges[0].name"),
    "device name of 16 bytes": (one_port(interfaces=[{"name": "i" * 16}]), "bridges[0].ports[0].interfaces[0].name"),
    "device name of 16 bytes by default": ({"bridges": [{"name": "b", "ports": [{"name": "p" * 16}]}]}, "bridges[0].ports[0].name"),
    "two bridges of a name": ({"bridges": [{"name": "br0"}, {"name": "br0"}]}, "bridges[1].name"),
    "a port on two bridges": (two_ports({"name": "p0"}, {"name": "p0"}), "bridges[1].ports[0].name"),
    "an interface in two ports": (two_ports({"name": "p0"}, {"name": "p1", "interfaces": [{"name": "p0"}]}),
                                  "bridges[1].ports[0].interfaces[0].name"),
    "a port named as another bridge": (two_ports({"name": "br1"}, {"name": "p1"}), "bridges[0].ports[0].name"),
    "a foreign interface in the local port": ({"bridges": [{"name": "b", "ports": [{"name": "b", "interfaces": [{"name": "i"}]}]}]},
                                              "bridges[0].ports[0].interfaces[0].name"),
    "a local port that is not internal": (
        {"bridges": [{"name": "b", "ports": [{"name": "b", "interfaces": [{"name": "b", "type": "tap"}]}]}]},
        "bridges[0].ports[0].interfaces[0].type"),
    "no interfaces": (one_port(interfaces=[]), "bridges[0].ports[0].interfaces"),
    "tag too high": (one_port(tag=4096), "bridges[0].ports[0].tag"),
    "tag negative": (one_port(tag=-1), "bridges[0].ports[0].tag"),
    "tag in words": (one_port(tag="five"), "bridges[0].ports[0].tag"),
    "tag a bool": (one_port(tag=True), "bridges[0].ports[0].tag"),
    "trunk too high": (one_port(trunks=[1, 5000]), "bridges[0].ports[0].trunks[1]"),
    "trunk twice": (one_port(trunks=[1, 1]), "bridges[0].ports[0].trunks"),
    "trunks no list": (one_port(trunks=7), "bridges[0].ports[0].trunks"),
    "vlan_mode": (one_port(vlan_mode="native"), "bridges[0].ports[0].vlan_mode"),
    "fail_mode": ({"bridges": [{"name": "b", "fail_mode": "open"}]}, "bridges[0].fail_mode"),
    "protocol": ({"bridges": [{"name": "b", "protocols": ["OpenFlow16"]}]}, "bridges[0].protocols[0]"),
    "a flag that is a number": ({"bridges": [{"name": "b", "stp_enable": 1}]}, "bridges[0].stp_enable"),
    "a controller without a method": ({"bridges": [{"name": "b", "controllers": [{"target": "192.0.2.1"}]}]}, "bridges[0].controllers[0].target"),
    "a mirror twice": ({"bridges": [{"name": "b", "mirrors": [{"name": "m"}, {"name": "m"}]}]}, "bridges[0].mirrors[1].name"),
    "a sample collector set of no number": ({"bridges": [{"name": "b", "sample_collector_sets": [{"id": "x"}]}]},
                                            "bridges[0].sample_collector_sets[0].id"),
    "queues as a list": (one_port(qos={"type": "linux-htb", "queues": [{"dscp": 1}]}), "bridges[0].ports[0].qos.queues"),
    "a queue that is no number": (one_port(qos={"type": "linux-htb", "queues": {"a": {}}}), "bridges[0].ports[0].qos.queues.a"),
    "a service too high": ({"bridges": [{"name": "b", "auto_attach": {"mappings": {"16777216": 5}}}]}, "bridges[0].auto_attach.mappings.16777216"),
    "a zone too high": ({"datapaths": {"netdev": {"ct_zones": {"65536": {}}}}}, "datapaths.netdev.ct_zones.65536"),
    "an unknown timeout": ({"datapaths": {"netdev": {"ct_zones": {1: {"timeout_policy": {"timeouts": {"tcp": 5}}}}}}},
                           "datapaths.netdev.ct_zones.1.timeout_policy.timeouts.tcp"),
    "a timeout in words": ({"datapaths": {"netdev": {"ct_zones": {1: {"timeout_policy": {"timeouts": {"udp_first": "long"}}}}}}},
                           "datapaths.netdev.ct_zones.1.timeout_policy.timeouts.udp_first"),
    "netflow a list": ({"bridges": [{"name": "b", "netflow": []}]}, "bridges[0].netflow"),
    "ssl a path": ({"ssl": "/etc/cert.pem"}, "ssl"),
    "an unknown key of bfd": (one_interface(bfd={"enabled": "true"}), "bridges[0].ports[0].interfaces[0].bfd.enabled"),
    "table number": ({"bridges": [{"name": "b", "flow_tables": {"255": "x"}}]}, "bridges[0].flow_tables.255"),
    "table number in words": ({"bridges": [{"name": "b", "flow_tables": {"one": "x"}}]}, "bridges[0].flow_tables.one"),
    "table name with a space": ({"bridges": [{"name": "b", "flow_tables": {"1": "a b"}}]}, "bridges[0].flow_tables.1"),
    "table name too long": ({"bridges": [{"name": "b", "flow_tables": {"1": "t" * 32}}]}, "bridges[0].flow_tables.1"),
    "table name twice": ({"bridges": [{"name": "b", "flow_tables": {"1": "x", "2": "x"}}]}, "bridges[0].flow_tables.2"),
    "table twice": ({"bridges": [{"name": "b", "flow_tables": {"1": "x", 1: "y"}}]}, "bridges[0].flow_tables.1"),
    "mac": (one_interface(mac="0a:00:00:00:00"), "bridges[0].ports[0].interfaces[0].mac"),
    "ofport 0": (one_interface(ofport_request=0), "bridges[0].ports[0].interfaces[0].ofport_request"),
    "ofport reserved": (one_interface(ofport_request=65280), "bridges[0].ports[0].interfaces[0].ofport_request"),
    "ofport twice": (
        {"bridges": [{"name": "b", "ports": [{"name": n, "interfaces": [{"name": n, "ofport_request": 7}]} for n in ("p", "q")]}]},
        "bridges[0].ports[1].interfaces[0].ofport_request"),
    "options no map": (one_interface(options=["a"]), "bridges[0].ports[0].interfaces[0].options"),
    "option a list": (one_interface(options={"k": [1]}), "bridges[0].ports[0].interfaces[0].options.k"),
    "option a float": (one_interface(options={"k": 1.5}), "bridges[0].ports[0].interfaces[0].options.k"),
    "key of the account of keys": ({"external_ids": {"sluice-keys-me": "[]"}}, "external_ids.sluice-keys-me"),
    "owner key": (one_port(external_ids={"sluice-owner": "x"}), "bridges[0].ports[0].external_ids.sluice-owner"),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong_config_is_refused_at_its_place(case: str) -> None:
    config, path = WRONG[case]
    with pytest.raises(InputError) as caught:
        rendered(config, "sluice")
    assert [problem.path for problem in caught.value.problems] == [path]


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse({"x": 1, "bridges": [{"name": "br0", "fail_mode": "no", "ports": [{"name": "p", "tag": 9999, "interfaces": [{}]}]}]})
    assert [problem.path for problem in caught.value.problems] == [
        "bridges[0].fail_mode", "bridges[0].ports[0].interfaces[0].name", "bridges[0].ports[0].tag", "x"]


def test_overridden_needs_bridges() -> None:
    with pytest.raises(InputError, match="bridges: is missing"):
        parse({}, complete=True)


def test_right_config_is_typed() -> None:
    config = {
        "external_ids": {"gone": None, "n": 5},
        "bridges": [{
            "name": "br0", "protocols": ["OpenFlow15", "OpenFlow13"], "flow_tables": {10: "b", "2": "a"}, "other_config": {"x": True},
            "ports": [{"name": "long-port-name-of-a-bond", "tag": None, "trunks": [9, 3], "interfaces": [
                {"name": "patch-with-a-very-long-name", "type": "patch", "options": {"peer": "other"}}]}]}]}
    root, warnings, doubts = parse(config)
    assert not doubts
    assert root.values == {"external_ids": {"gone": None, "n": "5"}} and not warnings
    bridge = root.of("bridges")["br0"]
    assert bridge.values == {"protocols": ("OpenFlow13", "OpenFlow15"), "other_config": {"x": "true"}}
    assert {number: table.values for number, table in bridge.of("flow_tables").items()} == {2: {"name": "a"}, 10: {"name": "b"}}
    assert bridge.of("ports")["long-port-name-of-a-bond"].values == {"tag": None, "trunks": (3, 9)}
    assert bridge.of("ports")["long-port-name-of-a-bond"].of("interfaces") == {"patch-with-a-very-long-name": Wanted(
        "patch-with-a-very-long-name", {"type": "patch", "options": {"peer": "other"}}, {}, "bridges[0].ports[0].interfaces[0]")}


def test_numbers_and_flags_may_be_written_as_words() -> None:
    """As variables of INI inventories and of the command line are."""
    bridge = parse({"bridges": [{"name": "br0", "stp_enable": "true", "ports": [{"name": "p0", "tag": "20", "trunks": ["7"]}]}]}).root.of("bridges")["br0"]
    assert bridge.values == {"stp_enable": True}
    assert bridge.of("ports")["p0"].values == {"tag": 20, "trunks": (7,)}


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: f"{path.parts[-4]}-{path.parts[-2]}")
def test_what_the_compiler_writes_is_accepted(path: Path) -> None:
    assert parse(json.loads(path.read_text()), complete=True).root.of("bridges")
