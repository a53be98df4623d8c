# SPDX-License-Identifier: Apache-2.0
"""networking.k8s.io/v1 NetworkPolicy (https://kubernetes.io/docs/concepts/services-networking/network-policies/, API reference NetworkPolicySpec)."""
from __future__ import annotations

from functools import partial

from ..intent.kinds import NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule
from ..intent.state import Pod
from .packet import Packet, Party
from .parties import Parties
from .rule import INGRESS, Rule, in_block, in_range, is_named_port
from .verdict import ALLOW


def isolates(policy: NetworkPolicy, direction: str, pod: Pod) -> bool:
    """ "The two sorts of pod isolation": a pod is isolated for a direction by any policy that selects it and has the direction among its policyTypes."""
    return pod.namespace == policy.namespace and policy.pod_selector.matches(pod.labels) and direction.capitalize() in policy.policy_types


def rules(policy: NetworkPolicy, direction: str, parties: Parties) -> list[Rule]:
    """The policy's rules of one direction; they allow. Those of a direction that is not in policyTypes have no effect."""
    own = policy.ingress if direction == INGRESS else policy.egress
    return [
        Rule(f"NetworkPolicy {policy.key} {direction}[{index}]", ALLOW, partial(isolates, policy, direction), partial(_matches, rule, policy, parties))
        for index, rule in enumerate(own)
    ]


def _matches(rule: NetworkPolicyRule, policy: NetworkPolicy, parties: Parties, packet: Packet, subject: Pod, peer: Party) -> bool:
    """NetworkPolicyIngressRule: traffic must match both one of ports and one of from; an empty or missing list matches all (also protocols without ports)."""
    return (not rule.ports or any(_is_port(port, packet) for port in rule.ports)) and (
        not rule.peers or any(_is_peer(one, policy, parties, peer) for one in rule.peers))


def _is_peer(selection: NetworkPolicyPeer, policy: NetworkPolicy, parties: Parties, peer: Party) -> bool:
    """NetworkPolicyPeer. podSelector alone: pods of the policy's namespace; with namespaceSelector: of the namespaces that it selects.

    Pods on a node's network are none of them ("Pod with hostNetwork", Network Policies): their address is the node's.
    """
    if selection.ip_block:
        return in_block(selection.ip_block, peer.address)
    pod = peer.pod
    if pod is None or (selection.pod_selector is not None and not selection.pod_selector.matches(pod.labels)):
        return False
    if selection.namespace_selector is None:
        return selection.pod_selector is not None and pod.namespace == policy.namespace
    return selection.namespace_selector.matches(parties.namespace_labels(pod.namespace))


def _is_port(port: NetworkPolicyPort, packet: Packet) -> bool:
    """NetworkPolicyPort: of that protocol, at that port or name, or up to endPort; without port all ports."""
    if port.protocol != packet.protocol:
        return False
    return is_named_port(port.port, port.protocol, packet) if isinstance(port.port, str) else in_range(port.port, port.end_port, packet.port)
