# SPDX-License-Identifier: Apache-2.0
"""Among 1 000 policies one changes: what a node's switch is sent. A real switch, without packets."""
from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from flows.flow_bridge import FlowBridge
from ovs_sandbox import OvsSandbox

sys.path.insert(0, str(Path(__file__).parents[2]))
from scale_model import Size, scale_state
from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.intent.kinds import NetworkPolicy, NetworkPolicyPort
from sluice.intent.state import ClusterState
from sluice.ovs.flow import render_flow
from sluice.ovs.flow_apply import Plan, plan_lines
from sluice.pipeline.tables import FLOW_TABLES

SIZE = Size(nodes=2, pods_per_node=100, policies=1000, services=10)
NODE = "node1"
POLICY = "default/policy501"
"""app1's, as policy1, policy21, …; it has pods on the node."""

_CONJUNCTION = re.compile(r"conjunction\((\d+),|conj_id=(\d+)")


class Node:
    """One node's bridge, which has what the last of its states says."""

    def __init__(self, ovs: OvsSandbox, state: ClusterState) -> None:
        self._bridge = FlowBridge(ovs)
        self.state, self._fabric = state, Fabric(state)
        self.plan = self._apply()

    @property
    def policy(self) -> NetworkPolicy:
        return self.state.network_policies[POLICY]

    def change(self, policy: NetworkPolicy | None) -> Plan:
        """Another policy instead of POLICY, or none."""
        policies = {key: one for key, one in self.state.network_policies.items() if key != POLICY}
        self.state = replace(self.state, network_policies=dict(sorted({**policies, **({POLICY: policy} if policy else {})}.items())))
        self._fabric, _nodes = self._fabric.updated(self.state)
        return self._apply()

    def rules(self) -> set[str]:
        """The conjunction ids of the policy's rules."""
        program = compile_node(self._fabric, NODE)
        own = {cookie for cookie, rule in program.rules.items() if rule["policy"] == f"NetworkPolicy {POLICY}"}
        return set().union(*(identifiers(line) for line in map(render_flow, program.flows) if any(f"cookie={cookie}," in line for cookie in own)))

    def _apply(self) -> Plan:
        program = compile_node(self._fabric, NODE)
        flows = [render_flow(flow) for flow in (*program.flows, *self._fabric.service_flows)]
        return self._bridge.apply(flows, [*program.groups, *self._fabric.service_groups], tables=FLOW_TABLES)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with OvsSandbox() as ovs:
        yield Node(ovs, scale_state(SIZE))


def identifiers(line: str) -> set[str]:
    return {one or other for one, other in _CONJUNCTION.findall(line)}


def counts(plan: Plan) -> tuple[int, int, int]:
    return plan.count("added"), plan.count("removed"), plan.count("modified")


def concerned(lines: Sequence[str]) -> set[str]:
    """The rules that the lines change: conjunctions that a flow has before or after, and not in both."""
    sides: dict[str, dict[str, set[str]]] = {"-": {}, "+": {}}
    for line in lines:
        flow, _actions, rest = line[2:].partition(" actions=")
        # A verdict's flow is one rule's alone; its id is in its match.
        sides[line[0]][flow] = identifiers(flow) or identifiers(rest)
    return set().union(*(sides["-"].get(flow, set()) ^ sides["+"].get(flow, set()) for flow in sides["-"].keys() | sides["+"].keys()))


def test_a_changed_port_is_two_flows_changed_and_two_added(node: Node) -> None:
    assert node.plan.count("added") > 9_000
    policy, rules = node.policy, node.rules()
    first = replace(policy.ingress[0], ports=(NetworkPolicyPort("TCP", 9999),))
    there = node.change(replace(policy, ingress=(first, *policy.ingress[1:])))
    back = node.change(policy)
    # For packets and for their replies: no rule has the port 9999, and the other port's flow has other rules', too.
    assert (counts(there), counts(back)) == ((2, 0, 2), (0, 2, 2))
    for plan in (there, back):
        changed = concerned(plan_lines(plan, FLOW_TABLES))
        assert len(changed) == 1
        assert changed < rules


def test_a_policy_that_goes_or_comes_takes_or_brings_only_its_own(node: Node) -> None:
    policy, rules = node.policy, node.rules()
    gone, back = node.change(None), node.change(policy)
    assert len(rules) == 4
    assert concerned(plan_lines(gone, FLOW_TABLES)) == concerned(plan_lines(back, FLOW_TABLES)) == rules
    # The verdicts of four rules, for first and for later packets; the rest are clauses that it has like others.
    assert counts(gone)[:2] == (0, 8)
    assert counts(back)[:2] == (8, 0)
    pods = sum(pod.labels["app"] == "app1" and pod.node == NODE for pod in node.state.pods.values())
    assert counts(gone)[2] == counts(back)[2] == 2 * pods + 4 * 10 + 4 * 2


def test_no_change_sends_nothing(node: Node) -> None:
    assert not node.change(replace(node.policy)).changed
