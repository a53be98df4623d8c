# SPDX-License-Identifier: Apache-2.0
"""What an inventory says of SmartNICs: read, refused, and compiled into the node's switch."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.errors import Problem
from sluice.intent.fields import Source
from sluice.intent.offload import read_offload, read_vf_pools, vfs_of_pools
from sluice.intent.state import Cluster, ClusterState, Node, Offload, Pod, Transport, Vf
from sluice.intent.variables import read_host

NICS = [{"interface": "ens1f0", "vfs": 4, "mode": "switchdev"}]
FACTS = {"ens1f0": {"interface": "ens1f0", "address": "0000:03:00.0", "vendor": "15b3", "vf_device": "1018", "vf_driver": "mlx5_core"}}


def offload(value: object) -> tuple[Offload, list[Problem]]:
    problems: list[Problem] = []
    return read_offload(value, Source("inventory", "host node1", problems)), problems


def pools(value: object, nics: Any = NICS, facts: Any = FACTS) -> tuple[dict[str, list[int]], list[str]]:
    """Resource to the numbers of its VFs, and what is wrong."""
    problems: list[Problem] = []
    read = read_vf_pools(value, Source("inventory", "host node1", problems))
    found = vfs_of_pools("node1", offload({"nics": nics})[0], read, facts, problems)
    return {resource: [vf.number for vf in vfs] for resource, vfs in found.items()}, [str(problem) for problem in problems]


def test_offload_becomes_the_switch_s_other_config() -> None:
    found, problems = offload({"hw_offload": True, "tc_policy": "skip_sw", "max_idle": 30000, "nics": NICS})
    assert problems == []
    node = Node("node1", Transport("eth1", ("192.0.2.1/24",), 1500), ("10.10.0.0/24",), offload=found)
    pod = Pod("shop", "cart", "node1", ips=("10.10.0.2",), mac="0a:00:00:00:00:02", ofport=16, interface="sp-cart", vf=Vf("sluice.io/vf", "ens1f0", 3))
    program = compile_node(Fabric(ClusterState(Cluster("test", ("10.10.0.0/16",)), {"node1": node}, {}, {pod.key: pod}, {}, {}, {}, {})), "node1")
    assert program.switch["other_config"] == {"hw-offload": "true", "tc-policy": "skip_sw", "max-idle": "30000"}
    assert program.pods["pods"][0]["vf"] == {"interface": "ens1f0", "number": 3}


def test_without_the_variable_nothing_is_said() -> None:
    node = Node("node1", Transport("eth1", ("192.0.2.1/24",), 1500), ("10.10.0.0/24",))
    program = compile_node(Fabric(ClusterState(Cluster("test", ("10.10.0.0/16",)), {"node1": node}, {}, {}, {}, {}, {}, {})), "node1")
    assert "other_config" not in program.switch


@pytest.mark.parametrize(("value", "words"), [
    ([], "sluice_offload: is a list; expected a mapping"),
    ({"hw_ofload": True}, "sluice_offload.hw_ofload: is not a known field; expected hw_offload"),
    ({"tc_policy": "skip_sw"}, "without hw_offload is without effect"),
    ({"hw_offload": True, "tc_policy": "hw"}, "sluice_offload.tc_policy: is 'hw'; expected one of none, skip_sw, skip_hw"),
    ({"hw_offload": True, "max_idle": 100}, "sluice_offload.max_idle: is 100; expected a number from 500"),
    ({"nics": [{"interface": "ens1f0", "vfs": "4"}]}, "host node1: sluice_offload.nics[0].vfs: is '4'"),
    ({"hw_offload": True, "nics": [{**NICS[0], "tc_offload": False}]}, "sluice_offload.nics[0].tc_offload: is false"),
])
def test_what_is_wrong_of_offload_is_refused(value: object, words: str) -> None:
    assert words in "\n".join(map(str, offload(value)[1]))


def test_the_userspace_datapath_offloads_nothing() -> None:
    problems: list[Problem] = []
    read_host("node1", {"sluice_datapath": "netdev", "sluice_offload": {"hw_offload": True}}, problems)
    assert "sluice_offload.hw_offload: is true, but sluice_datapath is netdev" in "\n".join(map(str, problems))


def test_pools_are_selected_as_the_device_plugin_s() -> None:
    by_number = {"resourceName": "cx5", "resourcePrefix": "mellanox.com", "selectors": {"vendors": ["15b3"], "devices": ["1018"], "pfNames": ["ens1f0#0,2-3"]}}
    rest = {"resourceName": "rest", "deviceType": "netDevice", "selectors": {"drivers": ["mlx5_core"], "isRdma": True}}
    assert pools([by_number, rest]) == ({"mellanox.com/cx5": [0, 2, 3], "sluice.io/rest": [1]}, [])
    assert pools([{"resourceName": "other", "selectors": {"vendors": ["8086"]}}]) == ({}, [])
    assert pools([{"resourceName": "vf", "selectors": {"rootDevices": ["0000:03:00.0"]}}]) == ({"sluice.io/vf": [0, 1, 2, 3]}, [])


def test_a_nic_that_is_named_by_its_address_is_found_by_its_interface() -> None:
    nics = [{"interface": "0000:03:00.0", "vfs": 1}]
    assert pools([{"resourceName": "vf", "selectors": {"pfNames": ["ens1f0"]}}], nics) == ({"sluice.io/vf": [0]}, [])


@pytest.mark.parametrize(("value", "words"), [
    ([{"selectors": {}}], "sluice_vf_pools[0].resourceName: is missing"),
    ([{"resourceName": "a b"}], "sluice_vf_pools[0].resourceName: is 'a b'"),
    ([{"resourceName": "a", "selectors": {"pfNames": ["ens1f0#3-1"]}}], "sluice_vf_pools[0].selectors.pfNames[0]: is 'ens1f0#3-1'"),
    ([{"resourceName": "a", "selectors": {"vendor": ["15b3"]}}], "sluice_vf_pools[0].selectors.vendor: is not a known field; expected vendors"),
    ({}, "sluice_vf_pools: is a mapping; expected a list"),
])
def test_what_is_wrong_of_pools_is_refused(value: object, words: str) -> None:
    assert words in "\n".join(pools(value)[1])


def test_a_node_of_which_nothing_is_known_is_told() -> None:
    assert "nothing is known of the NIC ens1f0" in pools([{"resourceName": "a", "selectors": {"vendors": ["15b3"]}}], facts={})[1][0]
