# SPDX-License-Identifier: Apache-2.0
"""How a config reads as ovs-vsctl commands (tests/integration/switch runs them)."""
from __future__ import annotations

import shlex
from typing import Any

import pytest

from sluice.errors import InputError
from sluice.ovs.switch.apply import rendered

MARK = "external_ids:sluice-owner=me"
BRIDGE = f"add-br b -- set Bridge b {MARK} -- set Port b {MARK} -- set Interface b {MARK}"


def of(**columns: Any) -> list[str]:
    """The commands after those of the bridge."""
    first, *rest = rendered({"bridges": [{"name": "b", **columns}]}, "me").commands
    assert first == BRIDGE
    return [command.replace(f" {MARK}", "") for command in rest]


def test_nothing() -> None:
    assert rendered({"bridges": []}, "me").commands == ()


@pytest.mark.parametrize(("value", "shown"), [
    ("plain-1.x", "plain-1.x"), ("", '""'), ("a,b", '"a,b"'), ('say "x"', '"say \\"x\\""'), ("-1", '"-1"'), ("ä {}", '"ä {}"'), ("$HOME `x`", '"$HOME `x`"')])
def test_texts_are_quoted_for_ovs_vsctl_and_for_the_shell(value: str, shown: str) -> None:
    first = rendered({"bridges": [{"name": "b", "other_config": {"k": value}}]}, "me").commands[0]
    assert f"other_config:k={shown}" in shlex.split(first)


def test_numbers_are_never_quoted() -> None:
    assert of(netflow={"targets": ["192.0.2.1:1"], "active_timeout": -1}) == [
        "--id=@netflow1 create NetFlow 'targets=\"192.0.2.1:1\"' active_timeout=-1 -- set Bridge b netflow=@netflow1"]


def test_a_port_with_its_quality_of_service_is_one_command() -> None:
    assert of(ports=[{"name": "p", "tag": 5, "qos": {"type": "linux-htb", "queues": {"0": {"dscp": 1}, "7": {}}}}]) == [
        "add-port b p -- set Port p tag=5 -- set Interface p -- --id=@queue1 create Queue dscp=1 -- --id=@queue2 create Queue -- "
        "--id=@qos3 create QoS type=linux-htb queues:0=@queue1 queues:7=@queue2 -- set Port p qos=@qos3"]


def test_a_bond() -> None:
    assert of(ports=[{"name": "bond", "bond_mode": "balance-tcp", "interfaces": [{"name": "e1"}, {"name": "e2", "ofport_request": 3}]}]) == [
        "--id=@interface1 create Interface name=e1 -- --id=@interface2 create Interface name=e2 ofport_request=3 -- "
        "--id=@port3 create Port name=bond bond_mode=balance-tcp interfaces=@interface1,@interface2 -- add Bridge b ports @port3"]


def test_mirrors_come_after_the_ports_that_they_name() -> None:
    ports, mirror = of(mirrors=[{"name": "m", "select_src_port": ["b"], "output_port": "p"}], ports=[{"name": "p"}])
    assert ports.startswith("add-port b p")
    assert mirror == ("--id=@port1 get Port b -- --id=@port2 get Port p -- "
                      "--id=@mirror3 create Mirror name=m select_src_port=@port1 output_port=@port2 -- add Bridge b mirrors @mirror3")


def test_a_row_without_columns_is_created_nevertheless() -> None:
    """ovs-vsctl's create wants at least one; AutoAttach cannot even have the owner's mark."""
    assert of(auto_attach={}) == ["--id=@autoattach1 create AutoAttach 'mappings={}' -- set Bridge b auto_attach=@autoattach1"]


def test_what_refers_to_its_bridge() -> None:
    assert of(sample_collector_sets=[{"id": 5, "ipfix": {"sampling": 6}}]) == [
        "--id=@ipfix1 create IPFIX sampling=6 -- --id=@bridge3 get Bridge b -- "
        "--id=@flow_sample_collector_set2 create Flow_Sample_Collector_Set id=5 ipfix=@ipfix1 bridge=@bridge3"]


def test_the_host() -> None:
    config = {"external_ids": {"system-id": "n1"}, "managers": [{"target": "ptcp:6640:127.0.0.1"}],
              "datapaths": {"netdev": {"ct_zones": {"5": {"timeout_policy": {"timeouts": {"udp_first": 9}}}}}}}
    assert [command.replace(f" {MARK}", "") for command in rendered(config, "me").commands] == [
        "set Open_vSwitch . 'external_ids:sluice-keys-me=\"[\\\"external_ids:system-id\\\"]\"' external_ids:system-id=n1",
        "--id=@manager1 create Manager 'target=\"ptcp:6640:127.0.0.1\"' -- add Open_vSwitch . manager_options @manager1",
        "--id=@ct_timeout_policy1 create CT_Timeout_Policy timeouts:udp_first=9 -- --id=@ct_zone2 create CT_Zone timeout_policy=@ct_timeout_policy1 -- "
        "--id=@datapath3 create Datapath ct_zones:5=@ct_zone2 -- add Open_vSwitch . datapaths netdev=@datapath3"]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"bridges\[0\]\.netflow\.targets: is missing"):
        rendered({"bridges": [{"name": "b", "netflow": {}}]}, "me")
