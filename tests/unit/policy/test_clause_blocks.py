# SPDX-License-Identifier: Apache-2.0
"""A node's flows of policies, and their order, depend on the rules of its own pods only."""
from __future__ import annotations

from typing import Any

from policy_states import policy_state
from sluice.compile.artifacts import artifact_files
from sluice.intent.state import ClusterState


def state(*policies: dict[str, Any]) -> ClusterState:
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node, "namespace": "shop", "labels": {"on": node}},
             "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}} for node in ("node1", "node2")]
    return policy_state([*pods, *policies], {"node1": {}, "node2": {}}, families=(4,))


def policy(name: str, node: str, *networks: list[str]) -> dict[str, Any]:
    """Allows the pod on ``node`` to be reached from each list of networks by a rule of its own."""
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"podSelector": {"matchLabels": {"on": node}},
                     "ingress": [{"from": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]} for cidrs in networks]}}


def test_a_rule_elsewhere_that_shares_addresses_changes_nothing_here() -> None:
    here = policy("here", "node1", ["192.0.2.1/32", "192.0.2.3/32"], ["192.0.2.2/32"])
    elsewhere = policy("elsewhere", "node2", ["192.0.2.1/32", "192.0.2.2/32"])
    alone = {path: text for path, text in artifact_files(state(here)) if path.startswith("node1/")}
    both = {path: text for path, text in artifact_files(state(here, elsewhere)) if path.startswith("node1/")}
    assert alone == both
