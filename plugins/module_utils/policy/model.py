# SPDX-License-Identifier: Apache-2.0
"""All policies of a state, resolved and put in order once for all nodes."""
from __future__ import annotations

from functools import cached_property
from typing import Iterable, Mapping, NamedTuple, Optional, Sequence, TypeVar, Union

from ..intent.kinds import NetworkPolicy
from ..intent.kinds.admin_policy import AdminPolicy
from ..intent.kinds.antrea import AntreaPolicy
from ..intent.state import ClusterState, Pod
from ..pipeline.stable_id import stable_ids
from .admin import admin_policy_rules
from .antrea import antrea_policy_rules
from .clauses import ClauseFlows
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


class PolicyModel:
    """The rules of a state by node."""

    def __init__(self, state: ClusterState, previous: Optional[PolicyModel] = None) -> None:
        """``previous`` is a model of another state, to take over what is the same; see `updated`."""
        self.state = state
        self.selection: Selection = previous.selection if previous and _same_selection(previous.state, state) else Selection(state)
        self._resolved = self._resolve(previous)
        self._placed = self._place(previous)
        self._touched = self._find_touched(previous)
        self._by_node = self._sort_by_node(previous)
        self._isolated = self._sort_isolated(previous)

    @cached_property
    def clauses(self) -> ClauseFlows:
        """Makes the flows for the clauses of rules."""
        return ClauseFlows(self._placed.values())

    def parts(self, node: str, table: str) -> Sequence[PlacedPart]:
        """The parts of rules with a subject on ``node`` whose flows are in ``table``, in the order of evaluation."""
        return self._by_node.get(node, {}).get(table, ())

    def isolated(self, node: str) -> Iterable[Isolated]:
        """The pods on ``node`` that are isolated, once for each direction; logged if a policy that isolates them is."""
        return self._isolated.get(node, {}).values()

    def updated(self, state: ClusterState) -> tuple[PolicyModel, set[str]]:
        """The model of another state, and the nodes whose flows may differ from this one's, as far as policies go.

        Only changed policies are resolved again, unless something differs that selectors look at.
        """
        model = PolicyModel(state, self)
        return model, model._touched

    def _resolve(self, previous: Optional[PolicyModel]) -> dict[str, _Resolved]:
        state = self.state
        given: dict[str, Policy] = {f"NetworkPolicy {key}": policy for key, policy in state.network_policies.items()}
        given.update((f"{policy.kind} {policy.key}", policy) for policy in state.antrea_policies.values())
        given.update((f"{policy.kind} {policy.key}", policy) for policy in state.admin_policies.values())
        if previous is None:
            return {name: self._resolve_one(policy) for name, policy in given.items()}
        selected_alike = self.selection is previous.selection
        referred_alike = (previous.state.groups, previous.state.services, previous.state.tiers) == (state.groups, state.services, state.tiers)
        resolved = {}
        for name, policy in given.items():
            old = previous._resolved.get(name)
            same = old is not None and selected_alike and (referred_alike or not isinstance(policy, AntreaPolicy)) and (
                old.policy is policy or old.policy == policy)
            new = old if old is not None and same else self._resolve_one(policy)
            resolved[name] = old if old is not None and old == new else new
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
        given: dict[str, int] = {}
        for stage in (ADMIN, BASELINE):
            for direction_rules in _by_direction(rules, stage).values():
                by_position = priorities((rule.position for rule in direction_rules), stage)
                given.update((rule.name, by_position[rule.position]) for rule in direction_rules)
        parts = [(rule, part) for rule in rules for part in rule.parts if part.versions and part.subjects.pods]
        before = previous._placed if previous else {}
        names = {part.name for _rule, part in parts}
        numbers = {name: old.number for name, old in before.items()} if names == before.keys() else stable_ids(names)
        placed = {}
        for rule, part in parts:
            priority = given[rule.name] if rule.stage != POLICY else PRIORITY_RULES if part.peers or part.traffic else PRIORITY_UNCONDITIONAL
            old = before.get(part.name)
            same = old is not None and old.rule is rule and (old.priority, old.number) == (priority, numbers[part.name])
            placed[part.name] = old if old is not None and same else PlacedPart(rule, part, priority, numbers[part.name])
        return placed

    def _find_touched(self, previous: Optional[PolicyModel]) -> set[str]:
        """The nodes on which something differs from the previous model."""
        touched = set(self.state.nodes) if previous is None else set()
        if previous is not None:
            for placed in _differences(previous._placed, self._placed):
                touched.update(placed.subjects)
            for resolved in _differences(previous._resolved, self._resolved):
                touched.update(isolated.pod.node for isolated in resolved.isolated)
        return touched

    def _sort_by_node(self, previous: Optional[PolicyModel]) -> dict[str, dict[str, list[PlacedPart]]]:
        found = {node: tables for node, tables in previous._by_node.items() if node not in self._touched} if previous else {}
        for placed in self._placed.values():
            for node in self._touched.intersection(placed.subjects) if previous else placed.subjects:
                found.setdefault(node, {}).setdefault(placed.rule.table, []).append(placed)
        return found

    def _sort_isolated(self, previous: Optional[PolicyModel]) -> dict[str, dict[tuple[str, str], Isolated]]:
        found = {node: isolated for node, isolated in previous._isolated.items() if node not in self._touched} if previous else {}
        for resolved in self._resolved.values():
            for isolated in resolved.isolated:
                if isolated.pod.node in self._touched:
                    of_node = found.setdefault(isolated.pod.node, {})
                    key = isolated.direction, isolated.pod.key
                    if key not in of_node or isolated.log:
                        of_node[key] = isolated
        return found


def _same_selection(before: ClusterState, after: ClusterState) -> bool:
    """Whether all selectors select the same: readiness, for instance, is nothing to policies."""
    return (before.namespaces == after.namespaces and before.nodes == after.nodes and before.pods.keys() == after.pods.keys()
            and all(pod is after.pods[key] or _selected(pod) == _selected(after.pods[key]) for key, pod in before.pods.items()))


def _selected(pod: Pod) -> tuple[object, ...]:
    return pod.node, pod.labels, pod.ports, pod.host_network, pod.service_account, pod.ips


def _by_direction(rules: Iterable[Rule], stage: str) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.stage == stage:
            found.setdefault(rule.direction, []).append(rule)
    return found


def _differences(before: Mapping[str, _T], after: Mapping[str, _T]) -> Iterable[_T]:
    """The values that are not the same object in both, old and new."""
    for values, others in ((before, after), (after, before)):
        yield from (value for key, value in values.items() if others.get(key) is not value)
