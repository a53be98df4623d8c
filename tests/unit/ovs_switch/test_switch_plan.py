# SPDX-License-Identifier: Apache-2.0
"""What is planned from a state to a config: who owns what decides what goes, and names that are taken are refused."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import InputError
from sluice.ovs.switch.columns import OWNER_KEY
from sluice.ovs.switch.config import parse
from sluice.ovs.switch.database import Bridge, FlowTable, Interface, Port, Row, Switch
from sluice.ovs.switch.plan import Plan, plan


def marked(owner: str | None, **more: str) -> dict[str, str]:
    return {**({OWNER_KEY: owner} if owner else {}), **more}


def port(name: str, owner: str | None, tag: int | None = None, **ids: str) -> Port:
    columns: dict[str, Any] = {"type": "", "options": {}, "mac": None, "ofport_request": None, "mtu_request": None, "other_config": {}}
    interface = Interface(Row("Interface", name, f"i-{name}"), {**columns, "external_ids": marked(owner)})
    values: dict[str, Any] = {"tag": tag, "trunks": (), "vlan_mode": None, "other_config": {}, "external_ids": marked(owner, **ids)}
    return Port(Row("Port", name, f"p-{name}"), values, {name: interface})


def bridge(name: str, owner: str | None, *ports: Port, tables: dict[int, FlowTable] | None = None, **ids: str) -> Bridge:
    values: dict[str, Any] = {"datapath_type": "", "fail_mode": None, "protocols": (), "other_config": {"own": "1"},
                              "external_ids": marked(owner, **ids)}
    return Bridge(Row("Bridge", name, f"b-{name}"), values, tables or {}, {item.row.name: item for item in (port(name, owner), *ports)})


def switch(*bridges: Bridge, **ids: str) -> Switch:
    return Switch(Row("Open_vSwitch", ".", "root"), {"external_ids": ids, "other_config": {}}, {item.row.name: item for item in bridges})


def planned(have: Switch, config: dict[str, Any], state: str = "merged") -> Plan:
    return plan(parse(config), have, state, "sluice")


def commands(have: Switch, config: dict[str, Any], state: str = "merged") -> list[str]:
    return [change.command() for change in planned(have, config, state).changes]


def bridges(*names: str) -> dict[str, Any]:
    return {"bridges": [{"name": name} for name in names]}


def ports(at: str, *names: str) -> dict[str, Any]:
    return {"bridges": [{"name": at, "ports": [{"name": name} for name in names]}]}


MIXED = switch(
    bridge("br0", "sluice", port("p1", "sluice"), port("p2", "sluice")),
    bridge("br1", None, port("p3", "sluice"), port("eth0", None)),
    bridge("br2", "sluice"), bridge("br3", "cni", port("pod", "cni")), seen="yes")


def test_merged_adds_and_removes_nothing() -> None:
    assert commands(MIXED, ports("br0", "p1", "p9")) == [
        "add-port br0 p9 -- set Port p9 external_ids:sluice-owner=sluice -- set Interface p9 external_ids:sluice-owner=sluice"]


def test_overridden_removes_the_owners_own_alone() -> None:
    assert commands(MIXED, {"bridges": [{"name": "br0", "ports": [{"name": "p1"}]}, {"name": "br1"}]}, "overridden") == [
        "del-port br0 p2", "del-port br1 p3", "del-br br2"]


def test_deleted_removes_what_is_named_and_owned() -> None:
    assert commands(MIXED, {"bridges": [{"name": "br1", "ports": [{"name": "p3"}, {"name": "eth0"}]}, {"name": "br2"}, {"name": "br3"},
                                        {"name": "none"}]}, "deleted") == ["del-port br1 p3", "del-br br2"]


def test_deleted_without_config_removes_all_that_is_owned() -> None:
    assert commands(MIXED, {}, "deleted") == ["del-port br1 p3", "del-br br0", "del-br br2"]


def test_deleted_removes_host_keys_that_still_have_the_value() -> None:
    have = switch(a="1", b="2", c="3")
    assert commands(have, {"external_ids": {"a": "1", "b": "other", "x": "y"}}, "deleted") == ["remove Open_vSwitch . external_ids a"]


@pytest.mark.parametrize(("config", "state"), [(bridges("br0"), "deleted"), ({"bridges": []}, "overridden"), ({}, "deleted")])
def test_a_bridge_with_foreign_ports_is_not_removed(config: dict[str, Any], state: str) -> None:
    with pytest.raises(InputError, match="bridge br0: is to be removed, but has ports that 'sluice' did not create: pod1, pod2"):
        planned(switch(bridge("br0", "sluice", port("pod2", None), port("pod1", "cni"))), config, state)


def test_existing_things_are_configured_but_not_taken_over() -> None:
    have = switch(bridge("br1", None, port("eth0", None)))
    config = {"bridges": [{"name": "br1", "fail_mode": "secure", "ports": [{"name": "eth0", "tag": 5}]}]}
    assert commands(have, config) == ["set Bridge br1 fail_mode=secure", "set Port eth0 tag=5"]


def test_maps() -> None:
    have = switch(bridge("br0", "sluice", theirs="1", old="2", same="3"))
    config = {"bridges": [{"name": "br0", "other_config": {"new": "a,b"}, "external_ids": {"old": None, "same": "3", "ours": "4"}}]}
    assert commands(have, config) == [
        "remove Bridge br0 other_config own -- set Bridge br0 'other_config:new=\"a,b\"'",
        "remove Bridge br0 external_ids old -- set Bridge br0 external_ids:ours=4"]


def test_null_empties_a_column() -> None:
    assert commands(switch(bridge("br0", "sluice", port("p1", "sluice", tag=5))),
                    {"bridges": [{"name": "br0", "ports": [{"name": "p1", "tag": None}]}]}) == ["clear Port p1 tag"]


def test_an_own_port_moves_as_it_is() -> None:
    assert commands(MIXED, ports("br0", "p3")) == ["remove Bridge br1 ports p-p3 -- add Bridge br0 ports p-p3"]


def test_a_port_of_a_removed_bridge_is_made_again_elsewhere() -> None:
    have = switch(bridge("br0", "sluice", port("p1", "sluice")))
    result = commands(have, ports("br9", "p1"), "overridden")
    assert [line.split(" -- ")[0] for line in result] == ["del-br br0", "add-br br9", "add-port br9 p1"]


@pytest.mark.parametrize(("config", "message"), [
    (ports("br0", "eth0"), "'eth0' is a port of bridge br1, and 'sluice' did not create it"),
    (ports("br0", "br1"), "'br1' is a bridge, whose own port has that name"),
    (bridges("eth0"), "'eth0' is a port of bridge br1"),
    ({"bridges": [{"name": "br0", "ports": [{"name": "bond", "interfaces": [{"name": "eth0"}]}]}]}, "interface 'eth0' is in port eth0"),
])
def test_names_that_are_taken(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(MIXED, config)
    assert [problem.message for problem in caught.value.problems] == [message]


def test_flow_tables() -> None:
    tables = {1: FlowTable(Row("Flow_Table", "t1", "t1"), "one", "sluice"), 2: FlowTable(Row("Flow_Table", "t2", "t2"), "two", None),
              3: FlowTable(Row("Flow_Table", "t3", "t3"), None, None)}
    have = switch(bridge("br0", "sluice", tables=tables))
    assert commands(have, {"bridges": [{"name": "br0", "flow_tables": {3: "three", 4: "four"}}]}) == [
        "remove Bridge br0 flow_tables 1", "set Flow_Table t3 name=three",
        "--id=@t create Flow_Table name=four external_ids:sluice-owner=sluice -- set Bridge br0 flow_tables:4=@t"]


@pytest.mark.parametrize("config", [{}, bridges("br0")])
def test_deleted_takes_own_table_names_off_a_foreign_bridge(config: dict[str, Any]) -> None:
    tables = {1: FlowTable(Row("Flow_Table", "t1", "t1"), "one", "sluice"), 2: FlowTable(Row("Flow_Table", "t2", "t2"), "two", None)}
    result = planned(switch(bridge("br0", None, tables=tables)), config, "deleted")
    assert [change.command() for change in result.changes] == ["remove Bridge br0 flow_tables 1"]
    assert result.before == {"bridges": [{"name": "br0", "flow_tables": {"1": "one", "2": "two"}}]}


def test_types_that_this_switch_cannot_make_are_refused_at_their_place() -> None:
    have = Switch(interface_types=("internal", "geneve"), datapath_types=("netdev",))
    config = {"bridges": [{"name": "br0", "datapath_type": "system", "ports": [
        {"name": "t", "interfaces": [{"name": "t", "type": "stt"}, {"name": "u", "type": "geneve"}]}]}]}
    with pytest.raises(InputError) as caught:
        planned(have, config)
    assert [problem.path for problem in caught.value.problems] == ["bridges[0].datapath_type", "bridges[0].ports[0].interfaces[0].type"]


def test_before_and_after_show_what_is_managed_and_no_more() -> None:
    have = switch(bridge("br0", "sluice", port("p1", "sluice", tag=5, theirs="x"), port("p2", "sluice")), bridge("br1", None), foreign="1")
    config = {"external_ids": {"mine": "1"}, "bridges": [{"name": "br0", "fail_mode": "secure", "ports": [
        {"name": "p1", "tag": 6, "external_ids": {"ours": "y"}}]}]}
    result = planned(have, config, "overridden")
    assert result.before == {"bridges": [{"name": "br0", "ports": [
        {"name": "p1", "tag": 5}, {"name": "p2", "interfaces": [{"name": "p2"}]}]}]}
    assert result.after == {"external_ids": {"mine": "1"}, "bridges": [{"name": "br0", "fail_mode": "secure", "ports": [
        {"name": "p1", "tag": 6, "external_ids": {"ours": "y"}}]}]}
