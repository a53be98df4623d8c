# SPDX-License-Identifier: Apache-2.0
"""All policies of a state, resolved and put in order once for all nodes."""
from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Optional, Sequence, TypeVar, Union

from ..intent.kinds import NetworkPolicy
from ..intent.kinds.admin_policy import AdminPolicy
from ..intent.kinds.antrea import AntreaPolicy
from ..intent.state import ClusterState
from ..ovs.flow import Flow
from ..pipeline.stable_id import stable_ids
from .admin import admin_policy_rules
from .antrea import antrea_policy_rules
from .kubernetes import network_policy_rules
from .placed import PlacedPart
from .priorities import priorities
from .rules import ADMIN, BASELINE, POLICY, Isolated, Rule
from .selection import Selection
from .verdicts import PRIORITY_RULES, PRIORITY_UNCONDITIONAL

_T = TypeVar("_T")

Policy = Union[NetworkPolicy, AntreaPolicy, AdminPolicy]


class _Resolved(NamedTuple):
    """What one policy comes to, as long as pods, namespaces and what else it refers to are the same."""

    policy: Policy
    rules: Sequence[Rule]
    isolated: Sequence[Isolated]

    def isolated_nodes(self) -> set[str]:
        return {one.pod.node for one in self.isolated}


class PolicyModel:
    """The rules of a state by node."""

    def __init__(self, state: ClusterState, previous: Optional[PolicyModel] = None) -> None:
        """``previous`` is a model of the same pods, namespaces and nodes, to take over what is the same; see `updated`."""
        self.state = state
        self.selection: Selection = previous.selection if previous else Selection(state)
        self._resolved = self._resolve(previous)
        self._placed = self._place(previous)
        self._by_node: dict[str, dict[str, list[PlacedPart]]] = {}
        for placed in self._placed.values():
            for node in placed.part.subjects.by_node:
                self._by_node.setdefault(node, {}).setdefault(placed.rule.table, []).append(placed)
        self._isolated: dict[str, dict[tuple[str, str], Isolated]] = {}
        for resolved in self._resolved.values():
            for isolated in resolved.isolated:
                of_node = self._isolated.setdefault(isolated.pod.node, {})
                key = isolated.direction, isolated.pod.key
                if key not in of_node or isolated.log:
                    of_node[key] = isolated
        self.shared_flows: dict[tuple[object, ...], Flow] = {}
        """Clause flows that were made for a node already: neighbours in a fabric have many in common."""

    def parts(self, node: str, table: str) -> Sequence[PlacedPart]:
        """The parts of rules with a subject on ``node`` whose flows are in ``table``, in the order of evaluation."""
        return self._by_node.get(node, {}).get(table, ())

    def isolated(self, node: str) -> Iterable[Isolated]:
        """The pods on ``node`` that are isolated, once for each direction; logged if a policy that isolates them is."""
        return self._isolated.get(node, {}).values()

    def updated(self, state: ClusterState) -> tuple[PolicyModel, set[str]]:
        """The model of another state, and the nodes whose flows may differ from this one's.

        Only what a changed policy says is resolved again, unless pods, namespaces or nodes differ: then everything is, for all nodes.
        """
        before = self.state
        if (before.pods, before.namespaces, before.nodes) != (state.pods, state.namespaces, state.nodes):
            return PolicyModel(state), {*before.nodes, *state.nodes}
        model = PolicyModel(state, self)
        touched: set[str] = set()
        for old, new in _differences(self._placed, model._placed):
            touched.update(*(placed.part.subjects.by_node for placed in (old, new) if placed))
        for was, now in _differences(self._resolved, model._resolved):
            touched.update(*(resolved.isolated_nodes() for resolved in (was, now) if resolved))
        return model, touched

    def _resolve(self, previous: Optional[PolicyModel]) -> dict[str, _Resolved]:
        state = self.state
        given: dict[str, Policy] = {f"NetworkPolicy {key}": policy for key, policy in state.network_policies.items()}
        given.update((f"{policy.kind} {policy.key}", policy) for policy in state.antrea_policies.values())
        given.update((f"{policy.kind} {policy.key}", policy) for policy in state.admin_policies.values())
        before = previous._resolved if previous else {}
        same_references = previous is not None and (
            (previous.state.groups, previous.state.services, previous.state.tiers) == (state.groups, state.services, state.tiers))
        resolved = {}
        for name, policy in given.items():
            old = before.get(name)
            if old and old.policy == policy and (same_references or not isinstance(policy, AntreaPolicy)):
                resolved[name] = old
            else:
                resolved[name] = self._resolve_one(policy)
        return resolved

    def _resolve_one(self, policy: Policy) -> _Resolved:
        if isinstance(policy, NetworkPolicy):
            return _Resolved(policy, *network_policy_rules(policy, self.selection))
        if isinstance(policy, AntreaPolicy):
            return _Resolved(policy, antrea_policy_rules(policy, self.state, self.selection), ())
        return _Resolved(policy, admin_policy_rules(policy, self.selection), ())

    def _place(self, previous: Optional[PolicyModel]) -> dict[str, PlacedPart]:
        """Each part of a rule that can be about a packet with its priority and id, in the order of evaluation."""
        rules = sorted((rule for resolved in self._resolved.values() for rule in resolved.rules), key=lambda rule: rule.position)
        given: dict[Rule, int] = {}
        for stage in (ADMIN, BASELINE):
            for direction_rules in _by_direction(rules, stage).values():
                by_position = priorities((rule.position for rule in direction_rules), stage)
                given.update((rule, by_position[rule.position]) for rule in direction_rules)
        parts = [(rule, part) for rule in rules for part in rule.parts if part.versions and part.subjects.pods]
        numbers = stable_ids(part.name for _rule, part in parts)
        before = previous._placed if previous else {}
        placed = {}
        for rule, part in parts:
            priority = given[rule] if rule.stage != POLICY else PRIORITY_RULES if part.peers or part.traffic else PRIORITY_UNCONDITIONAL
            old = before.get(part.name)
            same = old is not None and old.part is part and (old.priority, old.number) == (priority, numbers[part.name])
            placed[part.name] = old if old is not None and same else PlacedPart(rule, part, priority, numbers[part.name])
        return placed


def _by_direction(rules: Iterable[Rule], stage: str) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.stage == stage:
            found.setdefault(rule.direction, []).append(rule)
    return found


def _differences(before: Mapping[str, _T], after: Mapping[str, _T]) -> Iterable[tuple[Optional[_T], Optional[_T]]]:
    """The values that are not the same object in both."""
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old is not new:
            yield old, new
