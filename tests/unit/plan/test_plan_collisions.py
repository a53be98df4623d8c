# SPDX-License-Identifier: Apache-2.0
"""Hashes that collide: these names were searched for, so that they do."""
from __future__ import annotations

import pytest
from plan_inventories import deployment, intent, pod

from sluice.plan.allocations_file import Allocations
from sluice.plan.planner import plan

INTERFACES = ("collide-683", "collide-5321")
MACS = ("p1133734", "p1607211")
DAEMON_NODES = ("node3698", "node9886")


def test_interfaces_of_one_node_differ_and_stay() -> None:
    first, second = INTERFACES
    _, both, _ = plan(intent({"node1": {}}, [pod(name) for name in INTERFACES]), Allocations())
    names = [both.pods[f"default/{name}"].interface for name in INTERFACES]
    assert len(set(names)) == 2
    assert "collide--a1ba2d" in names
    for kept in (first, second):
        _, after, _ = plan(intent({"node1": {}}, [pod(kept)]), both)
        assert after.pods[f"default/{kept}"] == both.pods[f"default/{kept}"]


def test_interfaces_of_two_nodes_may_be_the_same() -> None:
    pods = [pod(name, nodeName=node) for name, node in zip(INTERFACES, ("node1", "node2"))]
    _, both, _ = plan(intent({"node1": {}, "node2": {}}, pods), Allocations())
    assert {given.interface for given in both.pods.values()} == {"collide--a1ba2d"}


def test_macs_differ_in_the_whole_cluster() -> None:
    pods = [pod(name, nodeName=node) for name, node in zip(MACS, ("node1", "node2"))]
    _, both, _ = plan(intent({"node1": {}, "node2": {}}, pods), Allocations())
    macs = {given.mac for given in both.pods.values()}
    assert len(macs) == 2
    assert "0a:ef:be:dd:d2:81" in macs


@pytest.mark.parametrize("kept", DAEMON_NODES)
def test_names_of_replicas_differ_and_outlive_each_other(kept: str) -> None:
    agent = deployment("agent", 0, "DaemonSet")
    _, both, _ = plan(intent({name: {} for name in DAEMON_NODES}, [agent]), Allocations())
    assert len(both.pods) == 2
    assert "default/agent-grdvs" in both.pods
    _, after, _ = plan(intent({kept: {}}, [agent]), both)
    assert after.pods == {key: given for key, given in both.pods.items() if given.node == kept}
