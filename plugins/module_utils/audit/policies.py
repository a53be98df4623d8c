# SPDX-License-Identifier: Apache-2.0
"""All policies of a state in the order in which they are evaluated, and what they decide about a packet."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Optional

from ..intent.kinds.admin_policy import BASELINE as BASELINE_TIER
from ..intent.kinds.antrea import STATIC_TIERS
from ..intent.state import ClusterState, Pod
from . import admin, antrea, kubernetes
from .packet import Packet, Party
from .parties import Parties
from .rule import EGRESS, INGRESS, Rule
from .verdict import ADMIN, ALLOW, BASELINE, DEFAULT, DROP, EXEMPTED, PASS, POLICY, Decision

ADMIN_TIER_PRIORITY = 220
"""Of AdminNetworkPolicies and of ClusterNetworkPolicies of the tier Admin among Antrea's tiers (Antrea: "Kubernetes ClusterNetworkPolicy", tier ordering)."""
BASELINE_TIER_PRIORITY = 254
"""Of the tier Baseline and of the BaselineAdminNetworkPolicy: after Antrea's own baseline tier, 253."""


@dataclass(frozen=True)
class _Applicable:
    """The rules of one direction that apply to one pod, by stage, in order."""

    admin: tuple[Rule, ...]
    isolated: bool
    policy: tuple[Rule, ...]
    baseline: tuple[Rule, ...]


class Policies:
    def __init__(self, state: ClusterState, parties: Parties) -> None:
        self._state = state
        self._parties = parties
        self._admin = {direction: tuple(self._tiered(direction, baseline=False)) for direction in (EGRESS, INGRESS)}
        self._baseline = {direction: tuple(self._tiered(direction, baseline=True)) for direction in (EGRESS, INGRESS)}
        self._by_pod: dict[tuple[str, str], _Applicable] = {}

    def _tiered(self, direction: str, baseline: bool) -> Iterable[Rule]:
        """Antrea: "Tier priority, then policy priority, then rule order"; network-policy-api: by priority. Lower numbers first.

        What both leave open is made certain: policies of one tier and priority go by kind and name.
        """
        ordered = []
        for policy in self._state.antrea_policies.values():
            tier = self._state.tiers[policy.tier].priority if policy.tier in self._state.tiers else STATIC_TIERS[policy.tier]
            if (tier >= STATIC_TIERS["baseline"]) == baseline:
                ordered.append((tier, policy.priority, policy.kind, policy.key, antrea.rules(policy, direction, self._state, self._parties)))
        for one in self._state.admin_policies.values():
            if (one.tier == BASELINE_TIER) == baseline:
                tier = BASELINE_TIER_PRIORITY if baseline else ADMIN_TIER_PRIORITY
                ordered.append((tier, one.priority, one.kind, one.key, admin.rules(one, direction, self._state, self._parties)))
        for *_order, rules in sorted(ordered, key=lambda item: item[:4]):
            yield from rules

    def decide(self, packet: Packet, direction: str) -> Decision:
        """What the policies of one direction decide; of a packet that comes from, or goes to, no pod of the pod network nothing.

        The order is network-policy-api's and Antrea's: admin tiers, NetworkPolicies of those who are isolated, baseline; what none says is allowed.
        """
        subject, peer = (packet.source, packet.destination) if direction == EGRESS else (packet.destination, packet.source)
        if subject.pod is None:
            return EXEMPTED
        rules = self._applicable(subject.pod, direction)
        if packet.source.pod == packet.destination.pod:
            return _decide_itself(rules, packet, subject.pod, peer)
        passed: tuple[str, ...] = ()
        first = _first(rules.admin, packet, subject.pod, peer)
        if first is not None and first.action != PASS:
            return Decision(first.action, ADMIN, first.name)
        if first is not None:
            passed = (first.name,)
        if rules.isolated:
            allowing = _first(rules.policy, packet, subject.pod, peer)
            if allowing is None:
                return Decision(DROP, POLICY, f"NetworkPolicy isolation {direction} {subject.pod.key}", passed)
            return Decision(ALLOW, POLICY, allowing.name, passed)
        last = _first(rules.baseline, packet, subject.pod, peer)
        if last is None:
            return Decision(ALLOW, DEFAULT, "", passed)
        return Decision(last.action, BASELINE, last.name, passed)

    def _applicable(self, pod: Pod, direction: str) -> _Applicable:
        found = self._by_pod.get((pod.key, direction))
        if found is None:
            isolating = [policy for policy in self._state.network_policies.values() if kubernetes.isolates(policy, direction, pod)]
            found = self._by_pod[pod.key, direction] = _Applicable(
                tuple(rule for rule in self._admin[direction] if rule.applies_to(pod)),
                bool(isolating),
                tuple(rule for policy in sorted(isolating, key=lambda policy: policy.key) for rule in kubernetes.rules(policy, direction, self._parties)),
                tuple(rule for rule in self._baseline[direction] if rule.applies_to(pod)))
        return found


def _decide_itself(rules: _Applicable, packet: Packet, subject: Pod, peer: Party) -> Decision:
    """NetworkPolicy: "a Pod cannot block access to itself". What remains is to forbid it a Service (toServices), also if that leads back to it."""
    for stage, some in ((ADMIN, rules.admin), (BASELINE, rules.baseline)):
        first = _first((rule for rule in some if rule.by_service), packet, subject, peer)
        if first is not None and first.action != PASS:
            return EXEMPTED if first.action == ALLOW else Decision(first.action, stage, first.name)
    return EXEMPTED


def _first(rules: Iterable[Rule], packet: Packet, subject: Pod, peer: Party) -> Optional[Rule]:
    return next((rule for rule in rules if rule.matches(packet, subject, peer)), None)
