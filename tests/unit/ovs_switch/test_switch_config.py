# SPDX-License-Identifier: Apache-2.0
"""What sluice.fabric.switch refuses as config, and where it says that it is wrong."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import InputError
from sluice.ovs.switch.config import WantedBridge, WantedInterface, WantedPort, WantedSwitch, parse

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
    "tag a string": (one_port(tag="5"), "bridges[0].ports[0].tag"),
    "tag a bool": (one_port(tag=True), "bridges[0].ports[0].tag"),
    "trunk too high": (one_port(trunks=[1, 5000]), "bridges[0].ports[0].trunks[1]"),
    "trunk twice": (one_port(trunks=[1, 1]), "bridges[0].ports[0].trunks"),
    "trunks no list": (one_port(trunks=7), "bridges[0].ports[0].trunks"),
    "vlan_mode": (one_port(vlan_mode="native"), "bridges[0].ports[0].vlan_mode"),
    "fail_mode": ({"bridges": [{"name": "b", "fail_mode": "open"}]}, "bridges[0].fail_mode"),
    "protocol": ({"bridges": [{"name": "b", "protocols": ["OpenFlow16"]}]}, "bridges[0].protocols[0]"),
    "datapath_type null": ({"bridges": [{"name": "b", "datapath_type": None}]}, "bridges[0].datapath_type"),
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
    "option null": (one_interface(options={"k": None}), "bridges[0].ports[0].interfaces[0].options.k"),
    "owner key": (one_port(external_ids={"sluice-owner": "x"}), "bridges[0].ports[0].external_ids.sluice-owner"),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong_config_is_refused_at_its_place(case: str) -> None:
    config, path = WRONG[case]
    with pytest.raises(InputError) as caught:
        parse(config)
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
    assert parse(config) == WantedSwitch(
        {"external_ids": {"gone": None, "n": "5"}},
        (WantedBridge("br0", {"protocols": ("OpenFlow13", "OpenFlow15"), "other_config": {"x": "true"}}, {2: "a", 10: "b"}, (
            WantedPort("long-port-name-of-a-bond", {"tag": None, "trunks": (3, 9)}, (
                WantedInterface("patch-with-a-very-long-name", {"type": "patch", "options": {"peer": "other"}},
                                "bridges[0].ports[0].interfaces[0]"),), "bridges[0].ports[0]"),), "bridges[0]"),))


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: f"{path.parts[-4]}-{path.parts[-2]}")
def test_what_the_compiler_writes_is_accepted(path: Path) -> None:
    assert parse(json.loads(path.read_text()), complete=True).bridges
