# SPDX-License-Identifier: Apache-2.0
"""The guardian of a change: what it survives, whom it lets go on, and what it leaves alone."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confirm.confirm_node import ConfirmNode
from confirm.confirm_site import wait_for
from ovs_sandbox import OvsSandbox


def ports(*names: str, **columns: Any) -> dict[str, Any]:
    return {"bridges": [{"name": "br0", "datapath_type": "netdev", "ports": [
        {"name": name, "interfaces": [{"name": name, "type": "internal"}], **columns} for name in names]}]}


@pytest.fixture
def node(ovs: OvsSandbox, tmp_path: Path) -> Iterator[ConfirmNode]:
    """A node with bridge br0 and port old."""
    ovs.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev", "--", "add-port", "br0", "old", "--",
              "set", "Interface", "old", "type=internal")
    with ConfirmNode(ovs, tmp_path) as found:
        yield found


def test_a_change_is_confirmed_by_a_call_that_knows_it_is_made(node: ConfirmNode) -> None:
    assert node.arm("one", ports("new"), confirm_timeout=60) == {"is_armed": True, "warnings": []}
    assert node.confirm("one", is_made=False) == {"stage": "made"}
    assert node.stage("one") == "made", "a connection that may be older than the change has confirmed it"
    answer = node.confirm("one", is_made=True)
    assert (answer["confirmed"], answer["changed"]) == (True, True)
    # The connection may break while the answer is given: asking again gives the same.
    assert node.confirm("one", is_made=True) == answer
    assert node.ports() == ["new", "old"]
    left = sorted(path.name for path in (node.root / "one").iterdir())
    assert left == ["confirm.json", "engine.pyz", "go.json", "lock", "made.json", "status.json"], "what may be secret stays"
    assert (node.root / "one").stat().st_mode & 0o777 == 0o700
    assert (node.root.stat().st_mode & 0o777) == 0o700


def test_an_unconfirmed_change_is_rolled_back_and_the_change_of_another_writer_stays(node: ConfirmNode) -> None:
    node.arm("one", ports("new", tag=7))
    node.await_stage("one", "made")
    assert node.ports() == ["new", "old"]
    node.ovs.vsctl("add-port", "br0", "others", "--", "set", "Interface", "others", "type=internal", "--", "set", "Port", "old", "tag=9")
    answer = node.confirm("one", is_made=False)
    assert answer["stage"] == "made"
    node.await_stage("one", "rolled back")
    assert node.ports() == ["old", "others"]
    assert node.ovs.vsctl("get", "Port", "old", "tag").strip() == "9"
    assert "so it was rolled back" in node.confirm("one", is_made=True)["msg"], "a confirmation that comes too late has won"
    assert node.ports() == ["old", "others"]


def test_only_one_change_waits_and_what_the_dead_leave_blocks_nobody(node: ConfirmNode) -> None:
    node.arm("one", ports("first"), confirm_timeout=60)
    node.await_stage("one", "made")
    assert "another change of this switch waits to be confirmed" in node.arm("two", ports("second"))["error"]
    # The controller's retry of its own first call is not another change.
    assert node.arm("one", ports("first"))["is_armed"]
    for pid in node.guardians():
        os.kill(pid, signal.SIGKILL)
    answer = node.confirm("one", is_made=True)
    assert answer["failed"] and "killed" in answer["msg"]
    armed = node.arm("two", ports("second"), confirm_timeout=60)
    assert armed["is_armed"] and "neither confirmed nor rolled back" in armed["warnings"][0]
    assert node.confirm("two", is_made=False)["stage"] == "made"
    assert node.confirm("two", is_made=True)["confirmed"]
    # One that is decided blocks nobody while its guardian keeps the answer.
    assert node.arm("three", ports("third"))["is_armed"]


def test_no_change_arms_nothing(node: ConfirmNode) -> None:
    assert node.arm("one", ports("old")) == {"is_armed": False, "warnings": []}
    assert not node.guardians()
    assert not (node.root / "one").exists()


@pytest.mark.parametrize(("moment", "happens"), [("request", False), ("go", False), ("after go", True)])
def test_the_module_may_be_killed(node: ConfirmNode, moment: str, happens: bool) -> None:
    """Before the word to go nothing happens; after it all does, and is rolled back, as nobody confirms."""
    before = node.ovs.vsctl("show")
    node.arm("one", ports("new"), die=moment, confirm_timeout=2)
    if happens:
        node.await_stage("one", "made")
        assert node.ports() == ["new", "old"]
        node.await_stage("one", "rolled back")
    else:
        wait_for(lambda: not node.guardians(), 20)
    assert node.ovs.vsctl("show") == before
    assert node.arm("two", ports("new"))["is_armed"]


def test_the_process_that_makes_the_change_may_be_killed(node: ConfirmNode) -> None:
    node.ovs.pause("ovs-vswitchd")
    node.arm("one", ports("new"), confirm_timeout=60, wait_timeout=60)
    maker = b"engine.pyz\0make"
    wait_for(lambda: node.ports() == ["new", "old"], 10)
    os.kill(next(pid for pid in node.guardians() if maker in Path(f"/proc/{pid}/cmdline").read_bytes()), signal.SIGKILL)
    node.ovs.resume("ovs-vswitchd")
    node.await_stage("one", "rolled back")
    assert node.ports() == ["old"]
    assert "ended with -9" in node.confirm("one", is_made=False)["msg"]


def test_a_guardian_that_is_started_again_goes_on(node: ConfirmNode) -> None:
    """As systemd does it, where there is one."""
    node.arm("one", ports("new"), confirm_timeout=4)
    node.await_stage("one", "made")
    (guardian,) = node.guardians()
    os.kill(guardian, signal.SIGKILL)
    wait_for(lambda: not node.guardians(), 5)
    with subprocess.Popen(["ip", "netns", "exec", node.ovs.netns, "/usr/bin/python3", "-I", str(node.root / "one/engine.pyz"),
                           "guard", str(node.root / "one")]) as again:
        node.await_stage("one", "rolled back")
        again.kill()
    assert node.ports() == ["old"]


def test_ovs_vswitchd_may_be_away(node: ConfirmNode) -> None:
    before = node.ovs.vsctl("show")
    node.ovs.kill("ovs-vswitchd")
    node.arm("one", ports("new"), wait_timeout=1, confirm_timeout=30)
    wait_for(lambda: "new" in node.ports(), 10)
    wait_for(lambda: "new" not in node.ports(), 10)
    node.ovs.start_vswitchd()
    node.await_stage("one", "rolled back")
    assert "ovs-vswitchd did not take it within 1 s" in node.confirm("one", is_made=False)["msg"]
    assert node.ovs.vsctl("show") == before


def test_ovsdb_server_may_be_away(node: ConfirmNode) -> None:
    before = node.ovs.vsctl("show")
    node.arm("one", ports("new"), confirm_timeout=3)
    node.await_stage("one", "made")
    node.ovs.kill("ovsdb-server")
    node.await_stage("one", "rolling back")
    wait_for(lambda: "cannot connect" in json.loads((node.root / "one/status.json").read_text())["trouble"], 10)
    node.ovs.start_ovsdb()
    node.await_stage("one", "rolled back")
    assert node.ovs.vsctl("show") == before


def test_addresses_of_a_device_that_the_switch_makes_anew_come_back(node: ConfirmNode) -> None:
    """Open vSwitch makes another device for a port that it is given again; nothing in the database says what was on it."""
    for command in ("link set old up", "addr add 10.9.0.1/24 dev old", "route add 10.10.0.0/16 via 10.9.0.2 dev old"):
        node.ip(command)
    node.ovs.vsctl("set", "Bridge", "br0", "external_ids:sluice-owner=sluice", "--", "set", "Port", "old", "external_ids:sluice-owner=sluice", "--",
                   "set", "Interface", "old", "external_ids:sluice-owner=sluice")
    node.arm("one", {"bridges": []}, state="overridden", confirm_timeout=2)
    node.await_stage("one", "made")
    assert "10.9.0.1" not in node.ip("addr")
    node.await_stage("one", "rolled back")
    assert "10.9.0.1/24" in node.ip("addr show dev old")
    assert node.ip("route show 10.10.0.0/16").split() == ["10.10.0.0/16", "via", "10.9.0.2", "dev", "old"]
