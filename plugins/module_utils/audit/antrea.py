# SPDX-License-Identifier: Apache-2.0
"""crd.antrea.io/v1beta1 ClusterNetworkPolicy, NetworkPolicy and groups (https://antrea.io/docs/main/docs/antrea-network-policy/)."""
from __future__ import annotations

from functools import partial
from typing import Iterator, Optional

from ..intent.kinds import LabelSelector
from ..intent.kinds.antrea import AntreaAppliedTo, AntreaGroup, AntreaICMP, AntreaPeer, AntreaPolicy, AntreaPort, AntreaRule
from ..intent.state import ClusterState, Pod
from .packet import Packet, Party
from .parties import Parties
from .rule import INGRESS, Rule, in_block, in_range, is_named_port


def rules(policy: AntreaPolicy, direction: str, state: ClusterState, parties: Parties) -> list[Rule]:
    """The policy's rules of one direction, in their order: "rules are enforced in the order in which they are set"."""
    meaning = _Meaning(policy, state, parties)
    return [
        Rule(f"{policy.kind} {policy.key} {direction}[{index}]", rule.action,
             partial(meaning.applies_to, rule), partial(meaning.matches, rule), bool(rule.to_services))
        for index, rule in enumerate(policy.ingress if direction == INGRESS else policy.egress)
    ]


class _Meaning:
    """What the words of one policy mean in one state."""

    def __init__(self, policy: AntreaPolicy, state: ClusterState, parties: Parties) -> None:
        self._policy = policy
        self._state = state
        self._parties = parties

    def applies_to(self, rule: AntreaRule, pod: Pod) -> bool:
        """ "appliedTo": of the policy or of each rule. A NetworkPolicy applies to pods of its own namespace only."""
        if self._policy.namespace not in ("", pod.namespace):
            return False
        return any(self._is_applied_to(one, pod) for one in rule.applied_to or self._policy.applied_to)

    def _is_applied_to(self, selection: AntreaAppliedTo, pod: Pod) -> bool:
        if selection.group:
            return any(self._has_pod(group, pod) for group in self._leaves(selection.group))
        if selection.service_account:
            return _has_service_account(pod, selection.service_account)
        return self._is_selected(selection.pod_selector, selection.namespace_selector, self._policy.namespace, pod)

    def matches(self, rule: AntreaRule, packet: Packet, subject: Pod, peer: Party) -> bool:
        """ "from / to" omitted: everyone. "toServices" stands alone: connections that one of these Services has given to an endpoint."""
        if rule.to_services:
            return packet.service in rule.to_services
        if rule.peers and not any(self._is_peer(one, subject, peer) for one in rule.peers):
            return False
        anything = not rule.ports and not rule.icmp
        return anything or any(_is_port(port, packet) for port in rule.ports) or any(_is_icmp(icmp, packet) for icmp in rule.icmp)

    def _is_peer(self, selection: AntreaPeer, subject: Pod, peer: Party) -> bool:
        if selection.ip_block:
            return in_block(selection.ip_block, peer.address)
        if selection.group:
            return any(self._has(group, peer) for group in self._leaves(selection.group))
        if selection.node_selector is not None:
            return self._is_node(selection.node_selector, peer)
        pod = peer.pod
        if pod is None:
            return False
        if selection.service_account:
            return _has_service_account(pod, selection.service_account)
        if selection.namespaces_self or selection.namespaces_same_labels:
            return self._is_of_namespaces(selection, subject, pod) and (selection.pod_selector is None or selection.pod_selector.matches(pod.labels))
        return self._is_selected(selection.pod_selector, selection.namespace_selector, self._policy.namespace, pod)

    def _is_of_namespaces(self, selection: AntreaPeer, subject: Pod, pod: Pod) -> bool:
        """ "Selecting Namespaces by Self", "sameLabels". A namespace without one of the labels belongs with none, not even with itself."""
        if selection.namespaces_self:
            return pod.namespace == subject.namespace
        own, other = self._parties.namespace_labels(subject.namespace), self._parties.namespace_labels(pod.namespace)
        return all(key in own and own[key] == other.get(key) for key in selection.namespaces_same_labels)

    def _is_selected(self, pods: Optional[LabelSelector], namespaces: Optional[LabelSelector], home: str, pod: Pod) -> bool:
        """podSelector and namespaceSelector together or alone; without the latter, the namespace of what says it, or all where it has none."""
        if pods is None and namespaces is None:
            return False
        if pods is not None and not pods.matches(pod.labels):
            return False
        if namespaces is not None:
            return namespaces.matches(self._parties.namespace_labels(pod.namespace))
        return home in ("", pod.namespace)

    def _is_node(self, selector: LabelSelector, peer: Party) -> bool:
        """ "Node Selector": the addresses of the selected nodes, that of their gateway included, from which they reach pods."""
        return bool(peer.node) and selector.matches(self._state.nodes[peer.node].labels)

    def _leaves(self, key: str) -> Iterator[AntreaGroup]:
        """ "ClusterGroup", "Group": the group itself, or those that it has for children. One that is not there has no members."""
        group = self._state.groups.get(key)
        if group is not None and not group.child_groups:
            yield group
        for child in group.child_groups if group else ():
            yield from self._leaves(child)

    def _has(self, group: AntreaGroup, party: Party) -> bool:
        """The members of a group as a peer: addresses, nodes or pods."""
        if group.ip_blocks:
            return any(in_block(block, party.address) for block in group.ip_blocks)
        if group.node_selector is not None:
            return self._is_node(group.node_selector, party)
        return party.pod is not None and self._has_pod(group, party.pod)

    def _has_pod(self, group: AntreaGroup, pod: Pod) -> bool:
        """Pods by selectors or serviceReference: the pods that the Service selects, ready or not."""
        service = self._state.services.get(group.service)
        if service is not None:
            labels = pod.labels
            return bool(service.selector) and service.namespace == pod.namespace and all(labels.get(key) == value for key, value in service.selector)
        return self._is_selected(group.pod_selector, group.namespace_selector, group.namespace, pod)


def _has_service_account(pod: Pod, key: str) -> bool:
    return f"{pod.namespace}/{pod.service_account}" == key


def _is_port(port: AntreaPort, packet: Packet) -> bool:
    """ports: protocol, port (number or name) to endPort, sourcePort to sourceEndPort."""
    if port.protocol != packet.protocol or not in_range(port.source_port, port.source_end_port, packet.source_port):
        return False
    return is_named_port(port.port, port.protocol, packet) if isinstance(port.port, str) else in_range(port.port, port.end_port, packet.port)


def _is_icmp(icmp: AntreaICMP, packet: Packet) -> bool:
    """protocols: icmpType and icmpCode, each any where it is missing; the numbers are those of the packet's own version of ICMP."""
    return packet.protocol == "ICMP" and icmp.type in (None, packet.icmp_type) and icmp.code in (None, packet.icmp_code)
