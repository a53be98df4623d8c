# SPDX-License-Identifier: Apache-2.0
"""AdminNetworkPolicies, BaselineAdminNetworkPolicies and ClusterNetworkPolicies (policy.networking.k8s.io) as rules."""
from __future__ import annotations

from typing import Optional

from ..intent.kinds.admin_policy import BASELINE as TIER_BASELINE
from ..intent.kinds.admin_policy import AdminPeer, AdminPolicy, AdminRule, AdminSubject
from .address_set import AddressSet
from .named_ports import split_by_named_ports
from .rules import ADMIN, BASELINE, EGRESS, INGRESS, Part, Position, Rule
from .selection import Selection
from .traffic import Ports, Traffic

PRIORITY_ADMIN, PRIORITY_BASELINE = 220, 254
"""Where the two tiers stand among Antrea's."""
_ACTIONS = {"Allow": "Allow", "Deny": "Drop", "Pass": "Pass"}


def admin_policy_rules(policy: AdminPolicy, selection: Selection) -> list[Rule]:
    """The rules of a policy. Host-network pods are no subjects, as the API leaves open what is meant by them."""
    subjects = _pods(policy.subject, selection)
    stage, tier = (BASELINE, PRIORITY_BASELINE) if policy.tier == TIER_BASELINE else (ADMIN, PRIORITY_ADMIN)
    name = f"{policy.kind} {policy.key}"
    rules = []
    for direction, given in ((INGRESS, policy.ingress), (EGRESS, policy.egress)):
        for index, rule in enumerate(given):
            rule_name = f"{name} {direction}[{index}]"
            part = Part(rule_name, subjects, selection.union([_peer(peer, selection) for peer in rule.peers]), _traffic(rule))
            rules.append(Rule(rule_name, name, rule.name, direction, stage, _ACTIONS[rule.action], Position(tier, policy.priority, name, index),
                              tuple(split_by_named_ports(part, direction, selection))))
    return rules


def _pods(subject: AdminSubject, selection: Selection) -> AddressSet:
    return selection.pods(selection.namespaces(subject.namespace_selector), subject.pod_selector)


def _peer(peer: AdminPeer, selection: Selection) -> AddressSet:
    if peer.pods is not None:
        return _pods(peer.pods, selection)
    return selection.cidrs(peer.networks) if peer.nodes is None else selection.nodes(peer.nodes)


def _traffic(rule: AdminRule) -> Optional[tuple[Traffic, ...]]:
    return tuple(Ports(port.protocol, port.port, port.end_port) for port in rule.ports) or None
