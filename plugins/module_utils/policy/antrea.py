# SPDX-License-Identifier: Apache-2.0
"""Antrea's ClusterNetworkPolicies and NetworkPolicies (crd.antrea.io/v1beta1) as rules."""
from __future__ import annotations

from typing import Optional, Sequence

from ..intent.kinds import LabelSelector
from ..intent.kinds.antrea import STATIC_TIERS, TIER_BASELINE, AntreaAppliedTo, AntreaPeer, AntreaPolicy, AntreaRule
from ..intent.state import ClusterState
from .address_set import AddressSet
from .named_ports import split_by_named_ports
from .rules import ADMIN, BASELINE, EGRESS, INGRESS, Part, Position, Rule
from .selection import Selection
from .traffic import ICMP, Ports, ToService, Traffic


def antrea_policy_rules(policy: AntreaPolicy, state: ClusterState, selection: Selection) -> list[Rule]:
    """The rules of a policy."""
    stage = BASELINE if policy.tier == TIER_BASELINE else ADMIN
    tier = state.tiers[policy.tier].priority if policy.tier in state.tiers else STATIC_TIERS[policy.tier]
    name = f"{policy.kind} {policy.key}"
    rules = []
    for direction, given in ((INGRESS, policy.ingress), (EGRESS, policy.egress)):
        for index, rule in enumerate(given):
            rule_name = f"{name} {direction}[{index}]"
            subjects = _subjects(rule.applied_to or policy.applied_to, policy.namespace, state, selection)
            traffic = _traffic(rule, state)
            parts = [part for suffix, some, peers in _by_namespace(rule, subjects, policy.namespace, state, selection)
                     for part in split_by_named_ports(Part(rule_name + suffix, some, peers, traffic), direction, selection)]
            rules.append(Rule(rule_name, name, rule.name, direction, stage, rule.action, Position(tier, policy.priority, name, index),
                              tuple(parts), rule.enable_logging, rule.log_label))
    return rules


def _members(key: str, state: ClusterState, selection: Selection) -> AddressSet:
    """Who is in a group: nobody, if there is none of that key (as in Antrea; loading warns). Children have no children of their own."""
    group = state.groups.get(key)
    if group is None:
        return selection.nothing()
    if group.child_groups:
        return selection.union([_members(child, state, selection) for child in group.child_groups])
    if group.ip_blocks:
        return selection.union([selection.block(block) for block in group.ip_blocks])
    if group.node_selector is not None:
        return selection.nodes(group.node_selector)
    if group.service:
        # As in Antrea, the pods of a Service are those that it selects, ready or not; endpoints that were written by hand are none.
        service = state.services.get(group.service)
        return selection.pods((service.namespace,), LabelSelector(service.selector)) if service and service.selector else selection.nothing()
    return _select(group.pod_selector, group.namespace_selector, group.namespace, selection)


def _select(pods: Optional[LabelSelector], namespaces: Optional[LabelSelector], own: str, selection: Selection) -> AddressSet:
    """Pods by selectors. Without one for namespaces: of ``own``, or of all for what has no namespace."""
    if namespaces is not None:
        return selection.pods(selection.namespaces(namespaces), pods)
    return selection.pods((own,) if own else selection.namespaces(), pods)


def _subjects(applied_to: Sequence[AntreaAppliedTo], own: str, state: ClusterState, selection: Selection) -> AddressSet:
    """The pods that a rule applies to: those of its policy's namespace, if that has one. Blocks in groups select no pod."""
    found = selection.union([_applied(one, own, state, selection) for one in applied_to])
    pods = [pod for pod in found.pods if own in ("", pod.namespace)]
    return found if not found.blocks and len(pods) == len(found.pods) else selection.subset(pods)


def _applied(applied: AntreaAppliedTo, own: str, state: ClusterState, selection: Selection) -> AddressSet:
    if applied.group:
        return _members(applied.group, state, selection)
    if applied.service_account:
        return selection.service_account(applied.service_account)
    return _select(applied.pod_selector, applied.namespace_selector, own, selection)


def _by_namespace(rule: AntreaRule, subjects: AddressSet, own: str, state: ClusterState,
                  selection: Selection) -> list[tuple[str, AddressSet, Optional[AddressSet]]]:
    """Subjects and their peers, apart where peers depend on the subject's namespace; with what tells the parts' names apart."""
    if not rule.peers:
        return [("", subjects, None)]
    relative = [peer for peer in rule.peers if peer.namespaces_self or peer.namespaces_same_labels]
    if not relative:
        return [("", subjects, selection.union([_peer(peer, own, state, selection) for peer in rule.peers]))]
    found: list[tuple[str, AddressSet, Optional[AddressSet]]] = []
    for namespace in dict.fromkeys(pod.namespace for pod in subjects.pods):
        some = selection.subset(pod for pod in subjects.pods if pod.namespace == namespace)
        peers = selection.union([_relative_peer(peer, namespace, selection) if peer in relative else _peer(peer, own, state, selection)
                                 for peer in rule.peers])
        found.append((f" {namespace}", some, peers))
    return found


def _relative_peer(peer: AntreaPeer, namespace: str, selection: Selection) -> AddressSet:
    """Pods of the subject's namespace, or of those with the same labels: a namespace that lacks one of them has none alike."""
    if peer.namespaces_self:
        return selection.pods((namespace,), peer.pod_selector)
    wanted = selection.namespace_labels(namespace)
    if not all(key in wanted for key in peer.namespaces_same_labels):
        return selection.nothing()
    alike = LabelSelector(tuple((key, wanted[key]) for key in sorted(peer.namespaces_same_labels)))
    return selection.pods(selection.namespaces(alike), peer.pod_selector)


def _peer(peer: AntreaPeer, own: str, state: ClusterState, selection: Selection) -> AddressSet:
    if peer.group:
        return _members(peer.group, state, selection)
    if peer.ip_block is not None:
        return selection.block(peer.ip_block)
    if peer.service_account:
        return selection.service_account(peer.service_account)
    if peer.node_selector is not None:
        return selection.nodes(peer.node_selector)
    return _select(peer.pod_selector, peer.namespace_selector, own, selection)


def _traffic(rule: AntreaRule, state: ClusterState) -> Optional[tuple[Traffic, ...]]:
    """What a rule says of traffic; None: any. A Service that is not there has none."""
    if rule.to_services:
        return tuple(ToService(key, state.services[key].selector) for key in rule.to_services if key in state.services)
    ports = (Ports(port.protocol, port.port, port.end_port, port.source_port, port.source_end_port) for port in rule.ports)
    return (*ports, *(ICMP(one.type, one.code) for one in rule.icmp)) or None
