# SPDX-License-Identifier: Apache-2.0
"""From any switch to any other, whoever else writes: properties of the engine that hold for random switches over the whole schema.

``SLUICE_SWITCHES`` says how many pairs are tried.
"""
from __future__ import annotations

import itertools
import json
import os
import random
import shlex
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ovs_sandbox import SCHEMA, OvsSandbox
from switch_engine import Config, anyway, counted, everything, run, snapshot
from switch_states import BRIDGES, loosely, rows_of, switches

from sluice.errors import InputError
from sluice.ovs.ovsdb import Connection
from sluice.ovs.switch.apply import Outcome, commit, intent_of, read
from sluice.ovs.switch.describe import gathered
from sluice.ovs.switch.plan import difference, plan, transaction
from sluice.ovs.switch.record import OWNER_KEY, Record, Switch
from sluice.ovs.switch.revert import from_json, reverted, to_json
from sluice.ovs.switch.schema import TABLES

PAIRS = int(os.environ.get("SLUICE_SWITCHES", "60"))
FEWER = max(8, PAIRS // 5)
KNOWN: Mapping[str, Any] = {name: table["columns"] for name, table in json.loads(Path(SCHEMA).read_text())["tables"].items()}
SWITCHES = switches(KNOWN)
Test = TypeVar("Test", bound=Callable[..., None])


def examples(number: int) -> Callable[[Test], Test]:
    """Without shrinking, which takes minutes with live daemons; what fails is small enough to be read."""
    return settings(max_examples=number, deadline=None, database=None, phases=(Phase.generate,),
                    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large], derandomize=PAIRS <= 60)


@pytest.fixture(scope="module")
def live() -> Iterator[OvsSandbox]:
    """One Open vSwitch for all examples: each leads to its switch from that of the one before."""
    with OvsSandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def other() -> Iterator[OvsSandbox]:
    """A database alone."""
    sandbox = OvsSandbox()
    try:
        sandbox.start_ovsdb()
        sandbox.vsctl("--no-wait", "init")
        yield sandbox
    finally:
        sandbox.destroy()


def now(ovs: OvsSandbox) -> Switch:
    with Connection(ovs.database) as connection:
        return read(connection)


def emptied(ovs: OvsSandbox, live: bool = True) -> None:
    """As it was when it was new, whatever an example that failed has left."""
    with Connection(ovs.database) as connection:
        operations: list[dict[str, Any]] = [{"op": "delete", "table": table, "where": []} for table in TABLES if table != "Open_vSwitch"]
        root = {column: [kind, []] for kind, columns in (("set", ("bridges", "manager_options", "ssl")), ("map", ("datapaths", "external_ids", "other_config")))
                for column in columns}
        sequence = commit(connection, [{"op": "update", "table": "Open_vSwitch", "where": [], "row": root}, *operations])
        assert not live or connection.wait_configured(sequence, 20)


def predicted_then_done(ovs: OvsSandbox, config: Config, state: str) -> Outcome:
    """What is done, which is what check mode said."""
    untouched = snapshot(ovs)
    predicted = run(ovs, config, state, check=True)
    assert snapshot(ovs) == untouched
    done = anyway(ovs, config, state)
    assert done == predicted._replace(warnings=done.warnings)
    return done


@examples(PAIRS)
@given(first=SWITCHES, second=SWITCHES, seed=st.integers(0, 999))
def test_from_any_switch_to_any_other(live: OvsSandbox, first: Config, second: Config, seed: int) -> None:
    anyway(live, first, "overridden")
    predicted_then_done(live, loosely(second, random.Random(seed)), "overridden")
    have = now(live)
    assert gathered(have) == second
    assert counted(live) == rows_of(second), "no row is left over"
    reached = snapshot(live)
    found = gathered(have)
    for config, state in ((found, "overridden"), (loosely(second, random.Random(seed)), "overridden"), (found, "merged"), (found, "replaced")):
        again = anyway(live, config, state)
        assert (again.changed, again.commands) == (False, ())
    assert snapshot(live) == reached, "a run without changes writes nothing"


@examples(FEWER)
@given(first=SWITCHES, second=SWITCHES)
def test_the_commands_do_what_the_run_does(live: OvsSandbox, other: OvsSandbox, first: Config, second: Config) -> None:
    emptied(live)
    emptied(other, live=False)
    for config, state in ((first, "overridden"), (second, "overridden"), ({}, "deleted")):
        # References to rows differ between two databases, so each plan is made where it is run.
        for command in run(other, config, state, check=True).commands:
            other.vsctl("--no-wait", *shlex.split(command))
        anyway(live, config, state)
        assert (everything(other), counted(other)) == (everything(live), counted(live))


@examples(FEWER)
@given(config=SWITCHES, state=st.sampled_from(["merged", "replaced", "overridden"]))
def test_what_is_gathered_of_a_hand_made_switch_changes_nothing(other: OvsSandbox, config: Config, state: str) -> None:
    emptied(other, live=False)
    by_hand(other, config)
    found = gathered(now(other))
    assert found == config
    assert run(other, found, state, check=True).commands == ()


def by_hand(ovs: OvsSandbox, config: Config) -> None:
    """Makes what the config says with nothing that tells who made it."""
    for command in run(ovs, config, check=True).commands:
        parts = [[word for word in part if OWNER_KEY not in word and "sluice-keys-" not in word] for part in split(shlex.split(command))]
        empty = [["external_ids={}"] if "create" in part and len(part) == 3 else [] for part in parts]
        words = [word for part, more in zip(parts, empty) if part[0] != "set" or len(part) > 3 for word in ("--", *part, *more)]
        ovs.vsctl("--no-wait", *(words or ["show"]))


def split(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


FOREIGN: Config = {
    "external_ids": {"theirs": "1", "system-id": "x"}, "other_config": {"their-key": "a b"},
    "managers": [{"target": "tcp:127.0.0.1:10"}],
    "bridges": [{
        "name": name, "datapath_type": "dummy", "external_ids": {"theirs": "1"}, "other_config": {"theirs": "1"} if name == "br0" else {},
        "controllers": [{"target": "tcp:127.0.0.1:11", "max_backoff": 2000}],
        "mirrors": [{"name": "their mirror", "select_src_port": [f"x{name[-1]}"], "output_vlan": 9}],
        "sample_collector_sets": [{"id": 77, "ipfix": {"targets": ["127.0.0.1:1"]}}],
        "flow_tables": {"77": "their_table"},
        "ports": [{"name": f"x{name[-1]}", "tag": 7, "qos": {"type": "linux-htb", "queues": {"3": {"dscp": 5}}},
                   "interfaces": [{"name": f"x{name[-1]}", "type": "internal", "external_ids": {"iface-id": "x"}}]}],
    } for name in BRIDGES]}
"""What somebody else has on every bridge; nothing of it has a name that a random switch has."""


def foreign_part(ovs: OvsSandbox) -> Any:
    """What there is of FOREIGN."""
    root = now(ovs).root
    return _selected(root, FOREIGN)


def _selected(record: Record, wanted: Mapping[str, Any]) -> Any:
    values = {name: {key: record.values[name].get(key) for key in value} if isinstance(value, dict) else record.values[name]  # type: ignore[union-attr]
              for name, value in wanted.items() if name in record.values}
    below = {}
    for key in ("managers", "bridges", "controllers", "mirrors", "sample_collector_sets", "ports", "interfaces"):
        for item in wanted.get(key, []):
            name = item.get("name") or item.get("target") or item["id"]
            found = record.of(key).get(name)
            below[key, name] = found and _selected(found, item)
    for key in ("flow_tables", "queues"):
        below.update({(key, number): record.of(key).get(int(number)) and record.of(key)[int(number)].values for number in wanted.get(key, {})})
    for key in ("qos", "ipfix"):
        if key in wanted:
            below[key, ""] = record.of(key).get("") and _selected(record.of(key)[""], wanted[key])
    return values, below


@pytest.mark.parametrize("writer", ["cni", ""])
@examples(FEWER)
@given(first=SWITCHES, second=SWITCHES)
def test_what_others_made_stays(live: OvsSandbox, other: OvsSandbox, writer: str, first: Config, second: Config) -> None:
    emptied(live)
    bridges = {"bridges": [{key: value for key, value in bridge.items() if key in ("name", "datapath_type")} for bridge in FOREIGN["bridges"]]}
    anyway(live, bridges, owner="somebody")
    if writer:
        anyway(live, FOREIGN, owner=writer)
    else:
        by_hand(live, FOREIGN)
    theirs, rows = foreign_part(live), counted(live)
    for config, state in ((first, "overridden"), (second, "overridden"), ({}, "deleted")):
        anyway(live, config, state)
        assert foreign_part(live) == theirs
    # Rows of AutoAttach cannot say whose they are: on somebody else's bridge they stay, as columns do.
    assert counted(live) - Counter({"AutoAttach": 3}) == rows


@examples(FEWER)
@given(hand_made=SWITCHES)
def test_what_is_adopted_can_be_taken_away(live: OvsSandbox, hand_made: Config) -> None:
    emptied(live)
    by_hand(live, hand_made)
    nothing: Config = {"bridges": []}
    for config, state in ((nothing, "overridden"), ({}, "deleted")):
        assert run(live, config, state).commands == (), "it is nobody's yet"
    anyway(live, hand_made, "merged", adopt=True)
    assert gathered(now(live)) == hand_made
    anyway(live, {"bridges": []}, "overridden")
    assert (gathered(now(live)), counted(live)) == ({"bridges": []}, Counter({"Open_vSwitch": 1}))


@examples(FEWER)
@given(first=SWITCHES, second=SWITCHES, meanwhile=st.booleans())
def test_undone_is_as_before_with_what_others_changed(live: OvsSandbox, first: Config, second: Config, meanwhile: bool) -> None:
    emptied(live)
    anyway(live, first, "overridden")
    before = now(live)
    was = everything(live)
    kept: list[Switch] = []
    with Connection(live.database) as connection:
        planned = plan(intent_of(second, "overridden", "sluice")[0], before)
        kept = [from_json(json.loads(json.dumps(to_json(switch)))) for switch in (before, planned.goal)]
        assert (kept[0].root.values, kept[1].root.values) == (before.root.values, planned.goal.root.values)
        if planned.changes:
            commit(connection, planned.transaction().operations())
    if meanwhile:
        live.vsctl("--no-wait", "set", "Open_vSwitch", ".", "external_ids:theirs=2", "--",
                   "add-br", "theirs", "--", "set", "Bridge", "theirs", "datapath_type=dummy")
    there = now(live)
    goal = reverted(there, *kept)
    changes = list(difference(there, goal))
    with Connection(live.database) as connection:
        if changes:
            commit(connection, transaction(changes, there, goal).operations())
    if meanwhile:
        assert now(live).root.values["external_ids"].get("theirs") == "2"  # type: ignore[union-attr]
        live.vsctl("--no-wait", "remove", "Open_vSwitch", ".", "external_ids", "theirs", "--", "del-br", "theirs")
    assert everything(live) == was
    assert counted(live) == rows_of(first)


SHARED = ("--id=@queue", "create", "Queue", "dscp=5", "--", "--id=@other", "create", "QoS", "type=linux-htb", "queues:0=@queue", "--",
          "--id=@qos", "create", "QoS", "type=linux-htb", "queues:0=@queue", "other_config:max-rate=1000", "--",
          "set", "Port", "a", "qos=@qos", "--", "set", "Port", "b", "qos=@qos", "--", "set", "Port", "c", "qos=@other")


def three_ports(**first: Any) -> Config:
    return {"bridges": [{"name": "shared", "datapath_type": "dummy", "ports": [
        {"name": name, **(first if name == "a" else {}), "interfaces": [{"name": name, "type": "internal"}]} for name in "abc"]}]}


@pytest.mark.parametrize("state", ["merged", "replaced", "overridden"])
def test_rows_that_several_use_are_changed_for_one_alone(live: OvsSandbox, state: str) -> None:
    emptied(live)
    run(live, three_ports(), "overridden")
    live.vsctl(*SHARED)
    before = gathered(now(live))
    assert run(live, before, state).commands == ()
    config = json.loads(json.dumps(before))
    config["bridges"][0]["ports"][0]["qos"]["queues"]["0"]["dscp"] = 9
    run(live, config, state)
    assert gathered(now(live)) == config
    assert run(live, config, state).commands == ()
    # What the run made in its place goes with the port; what somebody else made stays, as always.
    run(live, {"bridges": []}, "overridden")
    assert counted(live) == Counter({"Open_vSwitch": 1, "QoS": 2, "Queue": 1})


def test_adopted_rows_that_several_used_go_with_the_last(live: OvsSandbox) -> None:
    emptied(live)
    run(live, three_ports(), "overridden")
    live.vsctl(*SHARED)
    anyway(live, gathered(now(live)), "merged", adopt=True)
    assert counted(live)["QoS"] == 3, "each has its own now"
    run(live, {"bridges": [{"name": "shared", "ports": [{"name": "b"}]}]}, "deleted")
    assert counted(live)["QoS"] == 2
    run(live, {"bridges": []}, "overridden")
    assert counted(live) == Counter({"Open_vSwitch": 1})


class Writer(threading.Thread):
    """Changes the switch without a pause, and looks whether what it wrote is still there."""

    def __init__(self, ovs: OvsSandbox) -> None:
        super().__init__(daemon=True)
        self._ovs = ovs
        self.done = threading.Event()
        self.rounds = 0
        self.lost: list[str] = []

    def run(self) -> None:
        while not self.done.is_set():
            self.rounds += 1
            value = str(self.rounds)
            self.vsctl("set", "Open_vSwitch", ".", f"external_ids:theirs={value}", "--", "set", "Bridge", "br0", f"external_ids:theirs={value}", "--",
                       "set", "Bridge", "br0", f"other_config:theirs={value}", "--", "--may-exist", "add-port", "br0", f"x{self.rounds % 3}", "--",
                       "set", "Port", f"x{self.rounds % 3}", f"external_ids:theirs={value}", "--", "set", "Interface", f"x{self.rounds % 3}", "type=internal")
            found = self.vsctl("get", "Open_vSwitch", ".", "external_ids:theirs", "--", "get", "Bridge", "br0", "external_ids:theirs", "--",
                               "get", "Bridge", "br0", "other_config:theirs", "--", "get", "Port", f"x{self.rounds % 3}", "external_ids:theirs")
            if found.replace('"', "").split() != [value] * 4:
                self.lost.append(f"wrote {value}, and found {found!r}")
            self.vsctl("del-port", "br0", f"x{self.rounds % 3}")

    def vsctl(self, *arguments: str) -> str:
        done = subprocess.run(["ovs-vsctl", f"--db={self._ovs.database}", "--no-wait", "--timeout=10", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            self.lost.append(done.stderr)
        return done.stdout


def test_a_writer_that_never_pauses_loses_nothing_and_keeps_nobody_from_ending_right(live: OvsSandbox) -> None:
    emptied(live)
    live.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
    writer = Writer(live)
    writer.start()
    choice = random.Random(1)
    try:
        # Until both have had their turns, however the machine shares itself out between them.
        for turn in itertools.takewhile(lambda turn: turn < max(20, PAIRS // 3) or (writer.is_alive() and writer.rounds <= 5), itertools.count()):
            ours = {f"k{number}": str(turn) for number in range(choice.randrange(1, 4))}
            ports = [{"name": f"p{number}", "tag": turn % 9 + 1, "interfaces": [{"name": f"p{number}", "type": "internal"}]}
                     for number in choice.sample(range(6), choice.randrange(6))]
            config = {"external_ids": ours, "bridges": [{"name": "br0", "external_ids": ours, "ports": ports}]}
            run(live, config, "overridden")
            bridge = now(live).bridges["br0"]
            names = {name for name in bridge.of("ports") if name.startswith("p")}
            assert names == {port["name"] for port in ports}
            ids = bridge.values["external_ids"]
            assert isinstance(ids, dict)
            assert {key: value for key, value in ids.items() if key.startswith("k")} == ours
    finally:
        writer.done.set()
        writer.join(30)
    assert (writer.lost, writer.rounds > 5) == ([], True)


def test_bridges_of_others_that_would_go_are_refused(live: OvsSandbox) -> None:
    emptied(live)
    run(live, {"bridges": [{"name": "br0", "datapath_type": "dummy"}]})
    anyway(live, FOREIGN, owner="cni")
    before = everything(live)
    with pytest.raises(InputError, match=r"has ports that 'sluice' did not create: x0"):
        run(live, {}, "deleted")
    assert everything(live) == before
    emptied(live)
