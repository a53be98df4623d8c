# SPDX-License-Identifier: Apache-2.0
"""The matrix of all pairs, and how it is printed."""
from __future__ import annotations

import time
from dataclasses import replace

import pytest
from small_cluster import labels, small_cluster

from sluice.audit.matrix import Port, matrix, render
from sluice.audit.reachability import Reachability
from sluice.errors import SluiceError
from sluice.intent.kinds import LabelSelector, Namespace, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule
from states import cluster_state

TABLE = """\
Rows: from. Columns: to, by number. ✓ allowed  ✗ dropped  ! refused  ~ depends on the endpoint  — itself

        1   2   3   4
a/one   —  ✓✓  ✓✓  ✓✓
a/two  ✓✗   —  ✓✓  ✓✓
b/one  ✗✗  ✓✓   —  ✓✓
b/two  ✗✗  ✓✓  ✓✓   —

   1 a/one: TCP/80, UDP/53
   2 a/two: TCP/80, UDP/53
   3 b/one: TCP/80, UDP/53
   4 b/two: TCP/80, UDP/53
"""
PODS = ["a/one", "a/two", "b/one", "b/two"]
RULE = NetworkPolicyRule((NetworkPolicyPeer(pod_selector=LabelSelector()),), (NetworkPolicyPort("TCP", 80),))


def test_table() -> None:
    state = small_cluster(network_policies=[NetworkPolicy("a", "np", pod_selector=labels(app="one"), ingress=(RULE,))])
    assert render(matrix(state, PODS, PODS)) == TABLE


def test_columns_that_do_not_fit_stand_below() -> None:
    lines = render(matrix(small_cluster(), PODS, PODS, [Port("TCP", 80)]), width=12).splitlines()
    assert lines[2:4] == ["       1  2", "a/one  —  ✓"]
    assert lines[8:10] == ["       3  4", "a/one  ✓  ✓"]


def test_chosen_ports() -> None:
    found = matrix(small_cluster(), ["node:node1"], ["a/one", "ip:203.0.113.7"], [Port("ICMP", 0)])
    assert {key: verdict.action for key, verdict in found.verdicts.items()} == {
        ("node:node1", "a/one", Port("ICMP", 0)): "allow", ("node:node1", "ip:203.0.113.7", Port("ICMP", 0)): "allow"}
    with pytest.raises(SluiceError, match="no destination with a port"):
        render(matrix(small_cluster(), PODS, ["ip:203.0.113.7"]))


def test_thirty_thousand_questions_take_seconds() -> None:
    state = cluster_state(10, 10, families=(4,))
    pods = {key: replace(pod, labels={"app": f"app{number % 10}"}) for number, (key, pod) in enumerate(state.pods.items())}
    rules = tuple(NetworkPolicyRule((NetworkPolicyPeer(pod_selector=labels(app=f"app{number}")),), (NetworkPolicyPort("TCP", 8080),)) for number in range(5))
    policies = {f"default/np{number}": NetworkPolicy("default", f"np{number}", pod_selector=labels(app=f"app{number % 10}"), ingress=rules)
                for number in range(20)}
    engine = Reachability(replace(state, namespaces={"default": Namespace.named("default")}, pods=pods, network_policies=policies))
    began = time.process_time()
    allowed = sum(engine.verdict(source, destination, port, "TCP").action == "allow" for source in pods for destination in pods for port in (80, 8080, 81))
    assert time.process_time() - began < 10
    of_rules, to_itself, to_itself_by_a_rule = 100 * 50, 100 * 3, 50
    assert allowed == of_rules + to_itself - to_itself_by_a_rule
