# SPDX-License-Identifier: Apache-2.0
"""Other writers, and daemons and runs that die in the middle: nothing is lost, nothing is half done, the next run completes."""
from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ovs_sandbox import OvsSandbox
from switch_engine import contents, dump, ports_of, run

from sluice.errors import SluiceError
from sluice.ovs.ovsdb import Connection
from sluice.ovs.switch import apply as engine
from sluice.ovs.switch.apply import ATTEMPTS, NotRealised

MANY = [f"p{number}" for number in range(300)]


def between(monkeypatch: pytest.MonkeyPatch, before: Callable[[], object], after: Callable[[], object] = lambda: None) -> None:
    """Have something happen right before, and right after, a run commits: between its reading and its transaction."""

    class Watched(Connection):
        def transact(self, operations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            if operations[-1]["op"] != "select" or operations[-1]["columns"] != ["next_cfg"]:
                return super().transact(operations)
            before()
            results = super().transact(operations)
            after()
            return results

    monkeypatch.setattr(engine, "Connection", Watched)


def once(*commands: Callable[[], object]) -> Callable[[], object]:
    """The first call does the first, and so on; then nothing."""
    left = list(commands)
    return lambda: left.pop(0)() if left else None


def test_another_writers_keys_are_not_lost(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ovs, {"bridges": [{"name": "br0", "datapath_type": "dummy", "external_ids": {"ours": "1", "shared": "1"}}]})
    between(monkeypatch, once(lambda: ovs.vsctl("set", "Bridge", "br0", "external_ids:theirs=2", "external_ids:shared=2"),
                              lambda: ovs.vsctl("set", "Bridge", "br0", "external_ids:later=3")))
    done = run(ovs, {"bridges": [{"name": "br0", "external_ids": {"ours": "9", "shared": "9"}}]})
    assert contents(ovs)[0]["bridges"][0]["external_ids"] == {"ours": "9", "shared": "9", "theirs": "2", "later": "3"}
    assert done.before["bridges"][0]["external_ids"] == {"ours": "1", "shared": "2"}, "planned anew on what the other wrote"


def test_another_writers_port_is_not_lost(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ovs, ports_of("br0"))
    between(monkeypatch, once(lambda: ovs.vsctl("add-port", "br0", "theirs", "--", "set", "Interface", "theirs", "type=internal")))
    assert len(run(ovs, ports_of("br0", "ours")).commands) == 1
    assert ovs.vsctl("list-ports", "br0").split() == ["ours", "theirs"]


def test_the_same_port_made_meanwhile_is_configured_not_taken_over(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ovs, ports_of("br0"))
    between(monkeypatch, once(lambda: ovs.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=internal")))
    assert run(ovs, ports_of("br0", "p1", tag=5)).commands == ("set Port p1 tag=5",)
    assert contents(ovs)[1]["p1"]["owner"] is None


def test_a_bridge_that_goes_meanwhile_is_made_again(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ovs, ports_of("br0"))
    between(monkeypatch, once(lambda: ovs.vsctl("del-br", "br0")))
    run(ovs, ports_of("br0", "p1"))
    assert ovs.vsctl("list-ports", "br0").split() == ["p1"]


def test_a_foreign_port_that_comes_meanwhile_saves_the_bridge(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ovs, ports_of("br0"))
    between(monkeypatch, once(lambda: ovs.vsctl("--no-wait", "add-port", "br0", "theirs")))
    with pytest.raises(SluiceError, match="theirs"):
        run(ovs, {}, "deleted")
    assert ovs.vsctl("list-ports", "br0").split() == ["theirs"]


def test_a_port_that_changes_its_owner_meanwhile_is_not_removed(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ovs, ports_of("br0", "p1"))
    between(monkeypatch, once(lambda: ovs.vsctl("set", "Port", "p1", "external_ids:sluice-owner=cni")))
    assert not run(ovs, ports_of("br0"), "overridden").changed
    assert ovs.vsctl("list-ports", "br0").split() == ["p1"]


def test_a_writer_that_never_stops_ends_the_run_with_nothing_changed(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ovs, ports_of("br0"))
    turn = iter(range(1000))
    between(monkeypatch, lambda: ovs.vsctl("set", "Bridge", "br0", f"other_config:n={next(turn)}"))
    with pytest.raises(SluiceError, match=r"nothing was changed: .*timed out"):
        run(ovs, {"bridges": [{"name": "br0", "fail_mode": "secure", "other_config": {"ours": "1"}}]})
    assert next(turn) == ATTEMPTS
    assert "fail_mode" not in contents(ovs)[0]["bridges"][0]


def test_stopped_vswitchd_is_reported_and_the_next_run_completes(ovs: OvsSandbox) -> None:
    run(ovs, ports_of("br0"))
    ovs.pause("ovs-vswitchd")
    for changed in (True, False):
        with pytest.raises(NotRealised, match=r"ovs-vswitchd did not take it within 0\.5 s") as caught:
            run(ovs, ports_of("br0", "p1"), seconds=0.5)
        assert caught.value.outcome.changed is changed, "the database keeps what was committed"
    ovs.resume("ovs-vswitchd")
    assert not run(ovs, ports_of("br0", "p1")).changed
    assert ovs.vsctl("get", "Interface", "p1", "ofport").strip() == "1"


def test_killed_vswitchd_takes_the_configuration_when_it_is_back(ovs: OvsSandbox) -> None:
    ovs.kill("ovs-vswitchd")
    with pytest.raises(NotRealised):
        run(ovs, ports_of("br0", "p1"), seconds=0.2)
    ovs.start_vswitchd()
    assert not run(ovs, ports_of("br0", "p1")).changed


@pytest.mark.parametrize("moment", ["before", "after"])
def test_ovsdb_server_killed_around_the_commit(ovs: OvsSandbox, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    untouched = dump(ovs)
    between(monkeypatch, **{"before": lambda: None, moment: lambda: ovs.kill("ovsdb-server")})
    with pytest.raises(SluiceError, match=r"lost the connection to ovsdb-server|cannot connect"):
        run(ovs, ports_of("br0", "p1"))
    monkeypatch.undo()
    ovs.start_ovsdb()
    if moment == "before":
        assert dump(ovs) == untouched
    assert run(ovs, ports_of("br0", "p1")).changed is (moment == "before")


RUN = """
import json, sys
from sluice.ovs.switch.apply import apply
apply(sys.argv[1], json.load(sys.stdin), "overridden", "sluice", 20)
"""


def start(ovs: OvsSandbox, config: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", RUN, ovs.database], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={"PYTHONPATH": str(Path(__file__).parents[3] / "src")})
    assert process.stdin
    process.stdin.write(config)
    process.stdin.close()
    return process


@pytest.mark.parametrize("victim", ["run", "ovsdb-server"])
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_moment_all_or_nothing_is_there(ovs: OvsSandbox, victim: str, seed: int) -> None:
    run(ovs, ports_of("br0", "old"))
    process = start(ovs, json.dumps(ports_of("br0", *MANY)))
    time.sleep(random.Random(seed).uniform(0.05, 0.4))
    if victim == "run":
        process.kill()
    else:
        ovs.kill("ovsdb-server")
    process.wait(30)
    if victim == "ovsdb-server":
        ovs.start_ovsdb()
    assert sorted(ovs.vsctl("list-ports", "br0").split()) in (["old"], sorted(MANY))
    run(ovs, ports_of("br0", *MANY), "overridden", seconds=60)
    assert sorted(ovs.vsctl("list-ports", "br0").split()) == sorted(MANY)


def test_a_thousand_ports_are_linear(ovs: OvsSandbox) -> None:
    """CPU time of the run itself, for ten times the ports; bound generously, so that only a worse order fails."""
    spent = {}
    for count in (100, 1000):
        config = ports_of(f"b{count}", *(f"{count}-{number}" for number in range(count)))
        run(ovs, config, seconds=60)
        start_time = time.process_time()
        for _ in range(3):
            assert not run(ovs, config).changed
        spent[count] = time.process_time() - start_time
        run(ovs, {}, "deleted", seconds=60)
    assert spent[1000] < 25 * spent[100]
