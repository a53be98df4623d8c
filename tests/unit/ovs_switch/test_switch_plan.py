# SPDX-License-Identifier: Apache-2.0
"""What is planned from a state to a config: who owns what decides what goes, and names that are taken are refused."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import InputError
from sluice.ovs.switch.config import parse
from sluice.ovs.switch.plan import Plan, plan
from sluice.ovs.switch.record import OWNER_KEY, Record, Row, Switch
from sluice.ovs.switch.target import Intent
from sluice.ovs.switch.values import EMPTY_VALUES


def marked(owner: str | None, **more: str) -> dict[str, str]:
    return {**({OWNER_KEY: owner} if owner else {}), **more}


def record(at: str, row_name: str, uuid: str, owner: str | None, children: dict[str, dict[Any, Record]] | None = None, **values: Any) -> Record:
    ids = marked(owner, **values.pop("ids", {}))
    return Record(Row(at, row_name, uuid), {**EMPTY_VALUES[at], **values, "external_ids": ids}, children or {})


def port(name: str, owner: str | None, tag: int | None = None, kind: str = "", **ids: str) -> Record:
    interface = record("Interface", name, f"i-{name}", owner, type=kind)
    return record("Port", name, f"p-{name}", owner, {"interfaces": {name: interface}}, tag=tag, ids=ids)


def table(number: int, owner: str | None, name: str) -> Record:
    return record("Flow_Table", f"br0 flow_tables {number}", f"t-{number}", owner, name=name)


def bridge(name: str, owner: str | None, *ports: Record, tables: dict[int, Record] | None = None, **ids: str) -> Record:
    children: dict[str, dict[Any, Record]] = {"ports": {item.row.name: item for item in (port(name, owner, kind="internal"), *ports)}}
    return record("Bridge", name, f"b-{name}", owner, {**children, **({"flow_tables": tables} if tables else {})}, ids=ids)


def switch(*bridges: Record, **ids: str) -> Switch:
    return Switch(record("Open_vSwitch", ".", "root", None, {"bridges": {item.row.name: item for item in bridges}}, ids=ids))


def planned(have: Switch, config: dict[str, Any], state: str = "merged", adopt: bool = False) -> Plan:
    return plan(Intent(parse(config).root, state, "sluice", adopt), have)


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


KEYS = {"sluice-keys-sluice": '["external_ids:a","external_ids:b"]'}


def test_deleted_removes_own_host_keys_that_still_have_the_value() -> None:
    have = switch(a="1", b="2", c="3", **KEYS)
    assert commands(have, {"external_ids": {"a": "1", "b": "other", "c": "3", "x": "y"}}, "deleted") == [
        "remove Open_vSwitch . external_ids a -- set Open_vSwitch . 'external_ids:sluice-keys-sluice=\"[\\\"external_ids:b\\\"]\"'"]


def test_deleted_with_adopt_removes_named_things_that_nobody_owns() -> None:
    have = switch(bridge("br0", None, port("p1", None), port("p2", "cni"), port("p3", None)), a="1", b="2")
    config = {"external_ids": {"a": "1"}, "bridges": [{"name": "br0", "ports": [{"name": "p1"}, {"name": "p2"}]}]}
    assert [change.command() for change in planned(have, config, "deleted", adopt=True).changes] == [
        "del-port br0 p1", "remove Open_vSwitch . external_ids a"]


def test_adopting_takes_what_is_named_and_nothing_below_what_another_made() -> None:
    have = switch(bridge("br0", "cni", port("p1", None), port("p2", "sluice")))
    assert [change.command() for change in planned(have, bridges("br0"), "deleted", adopt=True).changes] == ["del-port br0 p2"]


def test_overridden_removes_own_host_keys_that_are_not_given() -> None:
    assert commands(switch(a="1", b="2", c="3", **KEYS), {"external_ids": {"b": "2"}, "bridges": []}, "overridden") == [
        "remove Open_vSwitch . external_ids a -- set Open_vSwitch . 'external_ids:sluice-keys-sluice=\"[\\\"external_ids:b\\\"]\"'"]


def test_replaced_makes_own_things_exact_and_leaves_what_is_not_named() -> None:
    have = switch(bridge("br0", "sluice", port("p1", "sluice", tag=5), port("p2", "sluice", tag=6)), bridge("br1", "sluice"))
    assert commands(have, {"bridges": [{"name": "br0", "fail_mode": "secure", "ports": [{"name": "p1", "vlan_mode": "access"}]}]}, "replaced") == [
        "set Bridge br0 fail_mode=secure", "clear Port p1 tag", "set Port p1 vlan_mode=access"]


def test_replaced_leaves_the_columns_of_what_others_made() -> None:
    have = switch(bridge("br0", None, port("p1", None, tag=5)))
    config = {"bridges": [{"name": "br0", "ports": [{"name": "p1", "vlan_mode": "access"}]}]}
    assert commands(have, config, "replaced") == ["set Port p1 vlan_mode=access"]
    assert [change.command() for change in planned(have, config, "replaced", adopt=True).changes] == [
        "set Bridge br0 external_ids:sluice-owner=sluice", "set Port br0 external_ids:sluice-owner=sluice",
        "set Interface br0 external_ids:sluice-owner=sluice", "clear Port p1 tag", "set Port p1 vlan_mode=access",
        "set Port p1 external_ids:sluice-owner=sluice", "set Interface p1 external_ids:sluice-owner=sluice"]


def test_existing_things_are_configured_but_not_taken_over() -> None:
    have = switch(bridge("br1", None, port("eth0", None)))
    config = {"bridges": [{"name": "br1", "fail_mode": "secure", "ports": [{"name": "eth0", "tag": 5}]}]}
    assert commands(have, config) == ["set Bridge br1 fail_mode=secure", "set Port eth0 tag=5"]


@pytest.mark.parametrize(("state", "gone"), [("merged", "drop"), ("replaced", "drop own")])
def test_maps(state: str, gone: str) -> None:
    """Only what is exact loses keys that nobody gives."""
    have = switch(bridge("br0", "sluice", theirs="1", old="2", same="3"))
    row = have.bridges["br0"]
    have = have._replace(root=have.root.with_children("bridges", {"br0": row._replace(values={**row.values, "other_config": {"own": "1", "drop": "2"}})}))
    config = {"bridges": [{"name": "br0", "other_config": {"new": "a,b", "drop": None}, "external_ids": {"old": None, "same": "3", "ours": "4"}}]}
    other_config, external_ids = commands(have, config, state)[:2]
    assert other_config == f"remove Bridge br0 other_config {gone} -- set Bridge br0 'other_config:new=\"a,b\"'"
    assert external_ids.startswith("remove Bridge br0 external_ids old -- set Bridge br0 external_ids:ours=4 'external_ids:sluice-keys-sluice=")


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
    tables = {1: table(1, "sluice", "one"), 2: table(2, None, "two"), 3: table(3, None, "")._replace(values=EMPTY_VALUES["Flow_Table"])}
    have = switch(bridge("br0", "sluice", tables=tables))
    assert commands(have, {"bridges": [{"name": "br0", "flow_tables": {3: "three", 4: "four"}}]}, "replaced") == [
        "remove Bridge br0 flow_tables 1", "set Flow_Table t-3 name=three",
        "--id=@flow_table1 create Flow_Table name=four external_ids:sluice-owner=sluice -- add Bridge br0 flow_tables 4=@flow_table1"]


@pytest.mark.parametrize("config", [{}, bridges("br0")])
def test_deleted_takes_own_table_names_off_a_foreign_bridge(config: dict[str, Any]) -> None:
    tables = {1: table(1, "sluice", "one"), 2: table(2, None, "two")}
    result = planned(switch(bridge("br0", None, tables=tables)), config, "deleted")
    assert [change.command() for change in result.changes] == ["remove Bridge br0 flow_tables 1"]
    assert result.before == {"bridges": [{"name": "br0", "flow_tables": {"1": "one"}}]}


def test_types_that_this_switch_cannot_make_are_refused_at_their_place() -> None:
    have = Switch(interface_types=("internal", "geneve"), datapath_types=("netdev",))
    config = {"bridges": [{"name": "br0", "datapath_type": "system", "ports": [
        {"name": "t", "interfaces": [{"name": name, "type": kind, "options": {"remote_ip": "flow"}} for name, kind in (("t", "stt"), ("u", "geneve"))]}]}]}
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
