# SPDX-License-Identifier: Apache-2.0
"""policy.networking.k8s.io: AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy (https://network-policy-api.sigs.k8s.io/api-overview/)."""
from __future__ import annotations

from functools import partial

from ..intent.kinds.admin_policy import AdminPeer, AdminPolicy, AdminPort, AdminRule, AdminSubject
from ..intent.state import ClusterState, Pod
from ..plan.addresses import network
from .packet import Packet, Party
from .parties import Parties
from .rule import INGRESS, Rule, in_range, is_named_port
from .verdict import DROP


def rules(policy: AdminPolicy, direction: str, state: ClusterState, parties: Parties) -> list[Rule]:
    """The policy's rules of one direction, in their order: the first that matches decides. Deny is a silent drop."""
    return [
        Rule(f"{policy.kind} {policy.key} {direction}[{index}]", DROP if rule.action == "Deny" else rule.action,
             partial(_is_subject, policy.subject, parties), partial(_matches, rule, state, parties))
        for index, rule in enumerate(policy.ingress if direction == INGRESS else policy.egress)
    ]


def _matches(rule: AdminRule, state: ClusterState, parties: Parties, packet: Packet, subject: Pod, peer: Party) -> bool:
    """AdminNetworkPolicyIngressRule: one of from (there is at least one) and, if there are ports, one of ports."""
    return (not rule.ports or any(_is_port(port, packet) for port in rule.ports)) and any(_is_peer(one, state, parties, peer) for one in rule.peers)


def _is_subject(subject: AdminSubject, parties: Parties, pod: Pod) -> bool:
    """AdminNetworkPolicySubject; also of NamespacedPod in peers. Pods with host networking are not selected."""
    return subject.namespace_selector.matches(parties.namespace_labels(pod.namespace)) and subject.pod_selector.matches(pod.labels)


def _is_peer(selection: AdminPeer, state: ClusterState, parties: Parties, peer: Party) -> bool:
    """AdminNetworkPolicyEgressPeer: pods; the nodes' own addresses (and so their host-network pods); or networks.

    networks: "cluster-internal traffic will be checked against the rule as well", so a pod's address may be in one.
    """
    if selection.pods is not None:
        return peer.pod is not None and _is_subject(selection.pods, parties, peer.pod)
    if selection.nodes is not None:
        return bool(peer.node) and selection.nodes.matches(state.nodes[peer.node].labels)
    return any(peer.address in network(cidr) for cidr in selection.networks)


def _is_port(port: AdminPort, packet: Packet) -> bool:
    """AdminNetworkPolicyPort: portNumber, portRange or namedPort (whose protocol is that of the container port)."""
    if isinstance(port.port, str):
        return is_named_port(port.port, port.protocol, packet)
    return port.protocol == packet.protocol and in_range(port.port, port.end_port, packet.port)
