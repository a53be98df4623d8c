# SPDX-License-Identifier: Apache-2.0
"""What is undone of a change, and what others changed since stays; and the states that this takes, kept as JSON."""
from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.ovs.switch.config import parse
from sluice.ovs.switch.describe import gathered
from sluice.ovs.switch.plan import difference, transaction
from sluice.ovs.switch.record import Record, Switch
from sluice.ovs.switch.revert import from_json, reverted, to_json
from sluice.ovs.switch.target import Intent, target

Config = dict[str, Any]


def changed(have: Switch, config: Config, state: str = "overridden", owner: str = "sluice") -> Switch:
    """The switch after a run, as it is read: its rows have UUIDs."""
    goal = target(Intent(parse(config).root, state, owner), have)
    return goal._replace(root=committed(goal.root))


def committed(record: Record) -> Record:
    children = {key: {name: committed(item) for name, item in records.items()} for key, records in record.children.items()}
    return record._replace(row=record.row._replace(uuid=record.row.uuid or f"uuid-{record.row.table}-{record.row.name}"), children=children)


def undone(have: Switch, config: Config, meanwhile: Config, state: str = "overridden") -> Switch:
    """The switch after a change, another writer's, and the undoing of the first."""
    goal = target(Intent(parse(config).root, state, "sluice"), have)
    now = changed(goal._replace(root=committed(goal.root)), meanwhile, "merged", "other")
    return reverted(now, have, goal)


def bridge(name: str = "br0", **columns: Any) -> Config:
    return {"bridges": [{"name": name, **columns}]}


FULL = bridge(
    fail_mode="secure", other_config={"a": "1", "b": "2"}, flow_tables={"0": "classify"}, controllers=[{"target": "tcp:192.0.2.1:6653"}],
    auto_attach={"mappings": {"5": 6}}, mirrors=[{"name": "m", "select_src_port": ["p1", "p2"], "output_port": "p2"}],
    ports=[{"name": "p1", "tag": 5, "trunks": [1, 2], "qos": {"type": "linux-htb", "queues": {"3": {"dscp": 4}}}}, {"name": "p2"}])
CHANGES: dict[str, Config] = {
    "columns": bridge(fail_mode="standalone", other_config={"a": "9", "c": "3"}, ports=[{"name": "p1", "tag": 6}, {"name": "p2"}]),
    "a port less, which a mirror names": bridge(mirrors=[{"name": "m", "select_src_port": ["p1"]}], ports=[{"name": "p1"}]),
    "a port more": bridge(ports=[{"name": "p1"}, {"name": "p2"}, {"name": "p3", "qos": {"type": "linux-htb"}}]),
    "no bridge": {"bridges": []},
    "another bridge": bridge("br9", ports=[{"name": "p7"}]),
    "a port that moved": {"bridges": [{"name": "br0", "ports": [{"name": "p2"}]}, {"name": "br1", "ports": [{"name": "p1", "tag": 7}]}]},
    "nothing": FULL,
}


@pytest.mark.parametrize("config", CHANGES.values(), ids=CHANGES)
def test_undone_is_as_before(config: Config) -> None:
    before = changed(Switch(), FULL)
    assert gathered(undone(before, config, {})) == gathered(before)


@pytest.mark.parametrize("config", CHANGES.values(), ids=CHANGES)
def test_what_others_changed_since_stays(config: Config) -> None:
    before = changed(Switch(), FULL)
    theirs: Config = {"external_ids": {"theirs": "1"}, "bridges": [{"name": "theirs", "ports": [{"name": "x"}]}]}
    result = gathered(undone(before, config, theirs))
    assert result["external_ids"] == {"theirs": "1"}
    assert [item["name"] for item in result["bridges"]] == ["br0", "theirs"]
    assert [item for item in result["bridges"] if item["name"] == "br0"] == gathered(before)["bridges"]


def test_of_a_map_only_the_keys_that_were_changed_go_back() -> None:
    before = changed(Switch(), bridge(other_config={"kept": "1", "ours": "1", "gone": "1"}))
    result = undone(before, bridge(other_config={"kept": "1", "ours": "2", "new": "2"}), bridge(other_config={"kept": "theirs", "late": "theirs"}))
    assert result.bridges["br0"].values["other_config"] == {"kept": "theirs", "late": "theirs", "ours": "1", "gone": "1"}


def test_a_moved_port_returns_as_the_row_that_it_is() -> None:
    """Also from a bridge that the change made, which goes: the port has to leave it before."""
    before = changed(Switch(), FULL)
    goal = target(Intent(parse(CHANGES["a port that moved"]).root, "overridden", "sluice"), before)
    now = goal._replace(root=committed(goal.root))
    back = reverted(now, before, goal)
    assert back.bridges["br0"].of("ports")["p1"].row == before.bridges["br0"].of("ports")["p1"].row
    changes = list(difference(now, back))
    commands = [change.command().split(" -- ")[0] for change in changes]
    assert commands.index("remove Bridge br1 ports uuid-Port-p1") < commands.index("del-br br1")
    guards = [operation for operation in transaction(changes, now, back).operations() if operation["op"] == "wait" and "ports" in operation["columns"]]
    assert [sorted(uuid for _kind, uuid in guard["rows"][0]["ports"][1]) for guard in guards] == [["uuid-Port-br1", "uuid-Port-p1"]]


def test_what_somebody_removed_meanwhile_is_not_missed() -> None:
    before = changed(Switch(), bridge(ports=[{"name": "p1", "tag": 5}]))
    goal = target(Intent(parse(bridge(ports=[{"name": "p1", "tag": 6}, {"name": "p2"}])).root, "overridden", "sluice"), before)
    now = changed(goal._replace(root=committed(goal.root)), bridge(ports=[{"name": "p1"}, {"name": "p2"}]), "deleted")
    assert list(reverted(now, before, goal).bridges["br0"].of("ports")) == ["br0"]


@pytest.mark.parametrize("config", CHANGES.values(), ids=CHANGES)
def test_states_survive_json(config: Config) -> None:
    switch = changed(Switch(), config)
    back = from_json(json.loads(json.dumps(to_json(switch))))
    assert (back.root.row, gathered(back)) == (switch.root.row, gathered(switch))
    assert list(difference(switch, back)) == []
