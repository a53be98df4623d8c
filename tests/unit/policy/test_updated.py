# SPDX-License-Identifier: Apache-2.0
"""A model of a changed state is the one that would be made anew, and says on which nodes something differs."""
from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from policy_states import policy_state
from sluice.compile.fabric import Fabric
from sluice.intent.state import ClusterState
from sluice.policy.contribute import policy_flows, rule_index
from sluice.policy.model import PolicyModel

NODES: dict[str, dict[str, str]] = {f"node{number}": {} for number in range(1, 5)}
PODS: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{app}-{number}", "namespace": "shop", "labels": {"app": app}},
         "spec": {"nodeName": node, "containers": [{}]}}
        for app, nodes in (("web", ("node1", "node2")), ("db", ("node3",)), ("cache", ("node3", "node4"))) for number, node in enumerate(nodes)]


def network_policy(name: str, app: str, *peers: str) -> dict[str, Any]:
    """Lets ``peers`` reach ``app``."""
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"podSelector": {"matchLabels": {"app": app}},
                     "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": peer}}}], "ports": [{"port": 80}]} for peer in peers]}}


def antrea_policy(name: str, priority: float, app: str) -> dict[str, Any]:
    """Drops all to ``app``, which is a group of that name."""
    return {"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": {"name": name},
            "spec": {"priority": priority, "appliedTo": [{"group": app}], "ingress": [{"name": "drop", "action": "Drop"}]}}


def group(name: str, app: str) -> dict[str, Any]:
    """The pods of ``app``."""
    return {"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterGroup", "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": {"app": app}}}}


FIRST = [network_policy("web", "web", "cache"), network_policy("db", "db", "web"), network_policy("cache", "cache", "web", "db"),
         antrea_policy("drop", 5, "some"), group("some", "web")]


def flows(model: PolicyModel) -> dict[str, list[Any]]:
    """What each node gets."""
    fabric = Fabric(model.state)
    fabric.__dict__["policies"] = model
    return {name: [sorted(policy_flows(fabric, node).all), rule_index(fabric, node)] for name, node in model.state.nodes.items()}


@pytest.mark.parametrize(("objects", "expected"), [
    (FIRST, set()),
    ([network_policy("web", "web", "db"), *FIRST[1:]], {"node1", "node2"}),
    ([network_policy("web", "web", "cache", "db"), *FIRST[1:]], {"node1", "node2"}),
    ([network_policy("web", "db", "cache"), *FIRST[1:]], {"node1", "node2", "node3"}),
    (FIRST[:1] + FIRST[2:], {"node3"}),
    ([*FIRST, network_policy("more", "cache")], {"node3", "node4"}),
    ([*FIRST[:4], group("some", "db")], {"node1", "node2", "node3"}),
    ([*FIRST, group("another", "db")], set()),
    ([*FIRST, antrea_policy("drop-more", 4, "some")], {"node1", "node2"}),
], ids=("nothing", "peer", "rule", "subject", "removed", "added", "group", "unused-group", "antrea"))
def test_only_the_nodes_of_changed_policies_are_touched(objects: list[Any], expected: set[str]) -> None:
    before = PolicyModel(policy_state([*PODS, *FIRST], NODES))
    state = policy_state([*PODS, *objects], NODES)
    model, touched = before.updated(state)
    anew, was, now = flows(PolicyModel(state)), flows(before), flows(model)
    assert now == anew
    assert {node for node in NODES if was[node] != now[node]} <= touched
    assert touched == expected


def test_another_pod_touches_its_node_and_its_peers() -> None:
    before = PolicyModel(policy_state([*PODS, *FIRST], NODES))
    state: ClusterState = policy_state([pod for pod in PODS if pod["metadata"]["name"] != "db-0"] + FIRST, NODES)
    model, touched = before.updated(state)
    assert flows(model) == flows(PolicyModel(state))
    # db was on node3, and a peer of cache, which is on node3 and node4; the nodes of web are left alone.
    assert touched == {"node3", "node4"}


def test_readiness_is_nothing_to_policies() -> None:
    before = PolicyModel(policy_state([*PODS, *FIRST], NODES))
    pods = {key: dataclasses.replace(pod, ready=False) for key, pod in before.state.pods.items()}
    model, touched = before.updated(dataclasses.replace(before.state, pods=pods))
    assert not touched
    assert model.selection is before.selection
