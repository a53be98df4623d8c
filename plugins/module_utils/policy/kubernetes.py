# SPDX-License-Identifier: Apache-2.0
"""Kubernetes NetworkPolicies (networking.k8s.io/v1) as rules; the meaning is that of the API's reference documentation."""
from __future__ import annotations

from typing import Optional

from ..intent.kinds import NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule
from .address_set import AddressSet
from .named_ports import split_by_named_ports
from .rules import EGRESS, INGRESS, POLICY, Isolated, Part, Position, Rule
from .selection import Selection
from .traffic import Ports, Traffic

KIND = "NetworkPolicy"
LOG_ANNOTATION = "networkpolicy.antrea.io/enable-logging"
"""On a namespace: "true" logs the verdicts of its NetworkPolicies."""


def network_policy_rules(policy: NetworkPolicy, selection: Selection) -> tuple[list[Rule], list[Isolated]]:
    """The rules of a policy, and the pods that it isolates. Rules of a direction that is not among its policyTypes have no effect."""
    subjects = selection.pods((policy.namespace,), policy.pod_selector)
    namespace = selection.state.namespaces.get(policy.namespace)
    log = namespace is not None and namespace.annotations.get(LOG_ANNOTATION) == "true"
    name = f"{KIND} {policy.key}"
    rules = []
    isolated = []
    for policy_type, direction, given in (("Ingress", INGRESS, policy.ingress), ("Egress", EGRESS, policy.egress)):
        if policy_type in policy.policy_types:
            isolated += [Isolated(pod, direction, log) for pod in subjects.pods]
            for index, rule in enumerate(given):
                rule_name = f"{name} {direction}[{index}]"
                part = Part(rule_name, subjects, _peers(rule, policy.namespace, selection), _traffic(rule))
                rules.append(Rule(rule_name, name, "", direction, POLICY, "Allow", Position(0, 0, name, index),
                                  tuple(split_by_named_ports(part, direction, selection)), log))
    return rules, isolated


def _peers(rule: NetworkPolicyRule, own: str, selection: Selection) -> Optional[AddressSet]:
    if not rule.peers:
        return None
    return selection.union([_peer(peer, own, selection) for peer in rule.peers])


def _peer(peer: NetworkPolicyPeer, own: str, selection: Selection) -> AddressSet:
    if peer.ip_block is not None:
        return selection.block(peer.ip_block)
    namespaces = (own,) if peer.namespace_selector is None else selection.namespaces(peer.namespace_selector)
    return selection.pods(namespaces, peer.pod_selector)


def _traffic(rule: NetworkPolicyRule) -> Optional[tuple[Traffic, ...]]:
    return tuple(Ports(port.protocol, port.port, port.end_port) for port in rule.ports) or None
