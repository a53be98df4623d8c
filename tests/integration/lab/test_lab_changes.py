# SPDX-License-Identifier: Apache-2.0
"""A lab follows its description: only what has to be done is done, from whatever state it is found in."""
from __future__ import annotations

import subprocess
import time

import pytest
from lab.lab_host import DIRECTORY, LabHost, run_module, start_module


def test_check_mode_foretells_the_run_and_does_nothing(lab: LabHost) -> None:
    foretold = lab.up(1, check=True)
    assert foretold["changed"] and lab.traces() == set()
    done = lab.up(1)
    assert (foretold["steps"], foretold["diff"]) == (done["steps"], done["diff"])
    removal = lab.down(check=True)
    assert removal["changed"] and not lab.up(1)["changed"]
    assert removal["steps"] == lab.down()["steps"]


def test_down_leaves_nothing(lab: LabHost) -> None:
    lab.up(1, 2)
    assert {trace.split()[0] for trace in lab.traces()} == {"netns", "mount", "cgroup", "folder", "process"}
    assert lab.down()["changed"]
    assert lab.traces() == set()
    assert lab.down() == {**lab.down(), "changed": False, "steps": []}


def test_adding_and_removing_a_node_leaves_the_others_alone(lab: LabHost) -> None:
    lab.up(1, 2)
    boots = [lab.boot_id(1), lab.boot_id(2)]
    assert lab.up(1, 2, 3, check=True)["steps"] == lab.up(1, 2, 3)["steps"] == ["create n3", "start n3", "write access"]
    lab.ssh(3, "ping -c 1 -W 2 192.168.77.11 && ping -c 1 -W 2 fd77::12")
    assert lab.up(1, 2, check=True)["steps"] == lab.up(1, 2)["steps"] == ["remove n3", "write access"]
    assert [lab.boot_id(1), lab.boot_id(2)] == boots
    assert not [trace for trace in lab.traces() if f"{lab.name}-n3" in trace or "nodes/n3" in trace]


def test_a_changed_node_keeps_its_files_and_the_others_their_boot(lab: LabHost) -> None:
    lab.up(1, 2)
    boot = lab.boot_id(2)
    lab.ssh(1, "echo kept > /root/kept")
    nodes = lab.arguments([1, 2])["nodes"]
    nodes[0]["underlay"] = ["192.168.77.99"]
    assert lab.up(nodes=nodes)["steps"] == ["stop n1", "configure n1", "start n1"]
    assert lab.ssh(1, "cat /root/kept") == "kept"
    lab.ssh(2, "ping -c 1 -W 2 192.168.77.99")
    assert lab.boot_id(2) == boot


def test_a_changed_underlay_is_rebuilt_and_the_nodes_come_back(lab: LabHost) -> None:
    lab.up(1)
    lab.up(1, underlay={"ipv4": "192.168.77.0/24", "ipv6": "fd77::/64", "mtu": 9000})
    lab.ssh(1, "ping -c 1 -W 2 -M do -s 8972 203.0.113.10")


@pytest.mark.parametrize(("damage", "steps"), [
    ("ssh -F {home}/ssh_config n1 systemctl poweroff; sleep 5", ["start n1"]),
    ("ip -n {namespace} link delete n1.u", ["stop n1", "start n1"]),
    ("ip netns pids {namespace}-outside | xargs kill -9; sleep 0.2", ["start outside"]),
    ("ip netns delete {namespace}-outside", ["stop n1", "build network", "start outside", "start n1"]),
    ("ip netns delete {namespace}; sleep 1", ["stop n1", "build network", "start outside", "start n1"]),
    ("cat /sys/fs/cgroup/*/{namespace}/nodes/n1/supervisor/cgroup.procs | xargs kill -9; sleep 0.2", ["start n1"]),
    # What a reboot of the host leaves: the folders, and where /run is on a disk, the files of namespaces that are no more.
    ("find /sys/fs/cgroup/*/{namespace} -name cgroup.procs | xargs cat | xargs kill -9; "
     "umount /run/netns/{namespace} /run/netns/{namespace}-outside /run/netns/{namespace}-n1; sleep 1",
     ["build network", "start outside", "start n1"]),
    ("rm {home}/ssh_config", ["write access"]),
    ("rm -r {home}/ssh", ["stop n1", "configure n1", "start n1", "write access"]),
])
def test_damage_is_repaired(single: LabHost, damage: str, steps: list[str]) -> None:
    subprocess.run(damage.format(namespace=f"sluice-{single.name}", home=DIRECTORY / single.name), shell=True)
    assert single.up(1)["steps"] == steps
    single.ssh(1, "ping -c 1 -W 2 203.0.113.10 && ping -c 1 -W 2 2001:db8:113::10")
    assert not single.up(1)["changed"]


def test_two_labs_with_the_same_addresses(lab: LabHost, other_lab: LabHost) -> None:
    lab.up(1, 2)
    other_lab.up(1, 2)
    for each in (lab, other_lab):
        each.ssh(1, f"echo {each.name} > /root/name; ping -c 1 -W 2 192.168.77.12")
    other_lab.down()
    assert lab.ssh(1, "cat /root/name; ping -c 1 -W 2 192.168.77.12 > /dev/null && echo pong") == f"{lab.name}\npong"
    assert not lab.up(1, 2)["changed"]


def test_killed_while_it_comes_up_it_completes_when_run_again(lab: LabHost) -> None:
    # One lab, killed again and again, each time a little later, until a run gets through.
    delay, killed = 0.2, 0
    while True:
        module = start_module(lab.arguments([1, 2]))
        try:
            module.communicate(timeout=delay)
            break
        except subprocess.TimeoutExpired:
            module.kill()
            module.communicate()
        killed, delay = killed + 1, delay + 0.1
    assert killed >= 5
    lab.ssh(1, "ping -c 1 -W 2 192.168.77.12")
    assert not lab.up(1, 2)["changed"]
    assert not list((DIRECTORY / lab.name / "nodes").glob(".*"))


def test_killed_while_it_goes_down_it_completes_when_run_again(lab: LabHost) -> None:
    lab.up(1, 2)
    for delay in (0.25, 0.3, 0.35, 0.4, 0.5):
        module = start_module({"name": lab.name, "state": "absent"})
        time.sleep(delay)
        module.kill()
        module.communicate()
    lab.down()
    # What a killed run was about to start must not come up afterwards.
    time.sleep(1)
    assert lab.traces() == set()


def test_killed_while_it_comes_up_it_can_be_removed(lab: LabHost) -> None:
    for delay in (0.5, 0.7, 0.9, 1.1, 1.3):
        module = start_module(lab.arguments([1, 2]))
        time.sleep(delay)
        module.kill()
        module.communicate()
        lab.down()
        time.sleep(0.3)
        assert lab.traces() == set()


def test_wrong_input_is_refused_as_a_whole(lab: LabHost) -> None:
    nodes = lab.arguments([1, 2])["nodes"]
    nodes[0]["underlay"] = ["10.0.0.1"]
    nodes[1]["management"] = nodes[0]["management"]
    nodes.append({"name": "Wrong_Name", "management": ["nonsense"], "underlay": ["192.168.77.1", "192.168.77.30"]})
    result = run_module(lab.arguments([], nodes=nodes, underlay={"ipv4": "192.168.77.0/24", "ipv6": "10.0.0.0/8", "mtu": 100}))
    assert result["failed"]
    for part in ("10.0.0.1 is not in the lab's underlay network", "192.168.76.11 is n1's too",
                 "'Wrong_Name' cannot be a node's name", "nonsense",
                 "192.168.77.1 is the lab's own", "several addresses of one family", "10.0.0.0/8 is IPv4", "100 is out of range"):
        assert part in result["msg"]
    assert lab.traces() == set()


def test_a_node_that_cannot_start_is_named_at_once(lab: LabHost) -> None:
    lab.up(1)
    (DIRECTORY / lab.name / "nodes/n1/work").rename(DIRECTORY / lab.name / "nodes/n1/gone")
    subprocess.run(["ip", "-n", f"sluice-{lab.name}", "link", "delete", "n1.u"], check=True)
    started = time.monotonic()
    result = run_module(lab.arguments([1]))
    assert result["failed"] and "n1" in result["msg"] and "console.log" in result["msg"]
    assert time.monotonic() - started < 20
