# SPDX-License-Identifier: Apache-2.0
"""Where pods go, and what they are called."""
from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any

import pytest
from plan_inventories import deployment, intent, pod

from sluice.errors import InputError
from sluice.intent.load import Intent
from sluice.intent.state import ClusterState
from sluice.plan.allocations_file import Allocations
from sluice.plan.planner import plan

THREE: dict[str, dict[str, str]] = {"node1": {}, "node2": {"disk": "ssd"}, "node10": {"disk": "ssd"}}


NOTHING = Allocations()
BOTH: dict[str, Any] = {"pod_cidrs": ("10.10.0.0/16", "fd10::/48"), "prefix_lengths": (24, 64)}


def planned(
    *pods: dict[str, Any], nodes: Any = THREE, before: Allocations = NOTHING, **cidrs: Any
) -> tuple[ClusterState, Allocations]:
    state, after, _warnings = plan(intent(nodes, pods, **cidrs), before)
    return state, after


def nodes_of(state: ClusterState, owner: str) -> list[str]:
    return [pod.node for pod in state.pods.values() if pod.owner == owner]


def test_replicas_are_spread_over_the_nodes_with_fewest_of_them_then_fewest_pods_then_by_name() -> None:
    state, _ = planned(deployment("a", 4), deployment("b", 2), deployment("c", 3))
    assert Counter(nodes_of(state, "Deployment/a")) == {"node1": 2, "node2": 1, "node10": 1}
    assert Counter(nodes_of(state, "Deployment/b")) == {"node2": 1, "node10": 1}
    assert Counter(nodes_of(state, "Deployment/c")) == {"node1": 1, "node2": 1, "node10": 1}


def test_bare_pods_fill_the_emptiest_node() -> None:
    state, _ = planned(*[pod(f"p{number}") for number in range(7)])
    assert Counter(one.node for one in state.pods.values()) == {"node1": 3, "node2": 2, "node10": 2}


def test_names_by_kind() -> None:
    state, _ = planned(
        pod("bare"), deployment("web", 1), deployment("db", 2, "StatefulSet"), deployment("agent", 0, "DaemonSet"), deployment("none", 0)
    )
    names = {name: one.owner for name, one in state.pods.items()}
    assert names["default/bare"] == ""
    assert {name for name, owner in names.items() if owner == "StatefulSet/db"} == {"default/db-0", "default/db-1"}
    hashed = [name for name, owner in names.items() if owner in ("Deployment/web", "DaemonSet/agent")]
    assert len(hashed) == 4
    assert all(re.fullmatch(r"default/(web|agent)-[a-z2-7]{5}", name) for name in hashed)
    assert sorted(nodes_of(state, "DaemonSet/agent")) == ["node1", "node10", "node2"]
    assert "Deployment/none" not in names.values()


def test_a_name_that_is_as_long_as_can_be_still_has_its_hash() -> None:
    state, _ = planned(deployment("x" * 253, 1))
    (key,) = state.pods
    assert len(key.partition("/")[2]) == 253


def test_ordinals_may_start_elsewhere() -> None:
    spec = {"replicas": 2, "ordinals": {"start": 5}, "template": {}}
    state, _ = planned({"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec})
    assert list(state.pods) == ["default/db-5", "default/db-6"]


def test_labels_that_controllers_put_on_pods() -> None:
    state, _ = planned(deployment("db", 1, "StatefulSet"), {"kind": "Job", "metadata": {"name": "once"}, "spec": {"template": {}}})
    assert state.pods["default/db-0"].labels == {"apps.kubernetes.io/pod-index": "0", "statefulset.kubernetes.io/pod-name": "db-0"}
    (job,) = [one for one in state.pods.values() if one.owner == "Job/once"]
    assert job.labels == {"batch.kubernetes.io/job-name": "once", "job-name": "once"}


def test_node_names_and_selectors() -> None:
    state, _ = planned(
        pod("fixed", nodeName="node10"),
        deployment("fast", 4, nodeSelector={"disk": "ssd"}),
        deployment("there", 2, nodeSelector={"kubernetes.io/hostname": "node1"}),
        deployment("agent", 1, "DaemonSet", nodeSelector={"disk": "ssd"}),
    )
    assert state.pods["default/fixed"].node == "node10"
    assert Counter(nodes_of(state, "Deployment/fast")) == {"node2": 2, "node10": 2}
    assert nodes_of(state, "Deployment/there") == ["node1", "node1"]
    assert sorted(nodes_of(state, "DaemonSet/agent")) == ["node10", "node2"]


def test_a_replica_stays_where_it_is_until_its_node_goes() -> None:
    nodes: dict[str, Any] = {"node1": {}}
    state, before = planned(deployment("a", 4), nodes=nodes)
    assert set(nodes_of(state, "Deployment/a")) == {"node1"}
    state, before = planned(deployment("a", 5), nodes={"node1": {}, "node2": {}}, before=before)
    assert Counter(nodes_of(state, "Deployment/a")) == {"node1": 4, "node2": 1}
    state, _ = planned(deployment("a", 5), nodes={"node2": {}}, before=before)
    assert set(nodes_of(state, "Deployment/a")) == {"node2"}


def test_a_new_replica_shuns_the_nodes_of_the_old_ones_even_where_others_are_fuller() -> None:
    nodes: dict[str, dict[str, str]] = {"node1": {}, "node2": {}}
    busy = [pod(f"busy{number}", nodeName="node2") for number in range(5)]
    _, before = planned(deployment("a", 1), nodes={"node1": {}})
    state, _ = planned(deployment("a", 2), *busy, nodes=nodes, before=before)
    assert sorted(nodes_of(state, "Deployment/a")) == ["node1", "node2"]


def test_a_pod_that_moves_keeps_its_name_and_mac_and_has_an_address_of_its_new_node() -> None:
    _, before = planned(pod("a"), nodes={"node1": {}, "node2": {}})
    state, after = planned(pod("a", nodeName="node2"), nodes={"node1": {}, "node2": {}}, before=before)
    assert state.pods["default/a"].ips == ("10.10.1.2",)
    assert after.pods["default/a"].mac == before.pods["default/a"].mac


def test_a_label_that_goes_takes_the_pod_with_it() -> None:
    _, before = planned(pod("a", nodeSelector={"disk": "ssd"}))
    assert before.pods["default/a"].node == "node2"
    state, _ = planned(pod("a", nodeSelector={"disk": "ssd"}), nodes={**THREE, "node2": {}}, before=before)
    assert state.pods["default/a"].node == "node10"


def test_what_is_free_again_is_given_to_the_next() -> None:
    nodes: dict[str, Any] = {"node1": {}}
    _, before = planned(pod("a"), pod("b"), pod("c"), nodes=nodes)
    _, after = planned(pod("a"), pod("c"), pod("d"), nodes=nodes, before=before)
    assert after.pods["default/d"].ips == before.pods["default/b"].ips
    assert after.pods["default/d"].ofport == before.pods["default/b"].ofport


def test_nodes_that_are_full_are_passed_over() -> None:
    # A /29 has 5 addresses besides the gateway, 4 of them for planned pods.
    state, _ = planned(
        *[pod(f"p{number}", nodeName="node1") for number in range(4)],
        deployment("a", 8),
        deployment("host", 3, hostNetwork=True),
        prefix_lengths=(29,),
        pod_cidrs=("10.10.0.0/24",),
    )
    assert Counter(nodes_of(state, "Deployment/a")) == {"node2": 4, "node10": 4}
    assert Counter(nodes_of(state, "Deployment/host")) == {"node1": 1, "node2": 1, "node10": 1}
    assert all(one.ips == () for one in state.pods.values() if one.host_network)


def test_a_wish_for_addresses_decides_the_node_and_goes_before_others() -> None:
    state, after = planned(pod("a"), pod("z", "10.10.2.2"), pod("y", "fd10:0:0:1::9"), **BOTH)
    assert (state.pods["default/z"].node, state.pods["default/z"].ips) == ("node10", ("10.10.2.2", "fd10:0:0:2::2"))
    assert (state.pods["default/y"].node, state.pods["default/y"].ips) == ("node2", ("10.10.1.9", "fd10:0:0:1::9"))
    again = planned(pod("z", "10.10.2.7"), pod("a"), **BOTH, before=after)[0]
    assert again.pods["default/z"].ips == ("10.10.2.7", "fd10:0:0:2::7")
    assert again.pods["default/a"].ips == state.pods["default/a"].ips


def test_a_wish_that_the_nodes_labels_forbid_is_refused() -> None:
    with pytest.raises(InputError, match="node node1, whose addresses it asks for, has not disk=ssd"):
        planned(pod("a", "10.10.0.9", nodeSelector={"disk": "ssd"}))


def test_what_the_placement_does_not_do_is_said() -> None:
    template: dict[str, Any] = {"spec": {"affinity": {"podAntiAffinity": {}}}}
    objects = [
        {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": template}},
        {"kind": "CronJob", "metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {}}}}},
    ]
    found: Intent = intent(THREE, objects)
    state, _after, warnings = plan(found, Allocations())
    assert len(state.pods) == 1
    assert warnings == (
        "CronJob default/c makes its pods at times that no plan knows: they get addresses when they start",
        "Deployment default/a asks for affinity or topology spreading, which the placement does not follow; "
        "nodeName and nodeSelector it does",
    )


def test_thirty_thousand_pods_take_seconds() -> None:
    """A guard against quadratic placement (which takes minutes), not a measurement."""
    nodes: dict[str, dict[str, str]] = {f"node{number}": {} for number in range(1000)}
    objects = [*(pod(f"p{number}") for number in range(15000)), *(deployment(f"d{number}", 30) for number in range(500))]
    found = intent(nodes, objects, ("10.0.0.0/12",))
    start = time.process_time()
    state, after, _warnings = plan(found, Allocations())
    plan(found, after)
    assert time.process_time() - start < 30
    assert set(Counter(one.node for one in state.pods.values()).values()) == {30}
