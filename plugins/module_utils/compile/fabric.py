# SPDX-License-Identifier: Apache-2.0
"""What all nodes of one ClusterState share, computed once."""
from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Optional

from ..connectivity.peers import peer_flows
from ..encryption.pairs import encryption_between, tunnel_ids
from ..intent.changes import changes
from ..intent.state import ClusterState, Node, Pod
from ..ovs.flow import Flow
from ..plan.underlay import endpoint_address, pod_mtu, transport_subnet, underlay_family
from ..policy.model import PolicyModel
from ..service.plan import ServicePlan


class Fabric:
    """A ClusterState with answers to the questions that concern all of its nodes."""

    def __init__(self, state: ClusterState) -> None:
        self.state = state

    def updated(self, state: ClusterState) -> tuple[Fabric, set[str]]:
        """The Fabric of another state, and the nodes whose programs may differ from those of this one. Of the files that nodes share,
        those of Services may differ, too.

        What is the same is taken over: a changed policy or endpoint costs a small part of a new Fabric. Changed nodes cost all of it.
        """
        before, fabric = self.state, Fabric(state)
        if (before.cluster, before.nodes) != (state.cluster, state.nodes):
            return fabric, set(state.nodes)
        fabric.underlay, fabric.mtu, fabric.peer_flows = self.underlay, self.mtu, self.peer_flows
        fabric.policies, by_policies = self.policies.updated(state)
        fabric.services, by_services = self.services.updated(state)
        by_pods = {pod.node for _key, old, new in changes(before.pods, state.pods) if not _same_but_ready(old, new) for pod in (old, new) if pod}
        return fabric, by_policies | by_services | by_pods

    @cached_property
    def underlay(self) -> int:
        """4 or 6: the IP version between nodes."""
        return underlay_family(self.state.nodes.values())

    @cached_property
    def mtu(self) -> int:
        """The MTU of the pods' interfaces, in bytes."""
        return pod_mtu(self.state, self.underlay)

    @cached_property
    def has_tunnels(self) -> bool:
        return self.state.cluster.traffic_mode != "no_encap"

    @cached_property
    def tunnel_ids(self) -> dict[str, int]:
        """By node: what names the ports for tunnels to it that are encrypted."""
        return tunnel_ids(name for name, node in self.state.nodes.items() if node.encryption == "ipsec")

    @cached_property
    def pods_by_node(self) -> dict[str, list[Pod]]:
        pods: dict[str, list[Pod]] = {name: [] for name in self.state.nodes}
        for pod in self.state.pods.values():
            pods[pod.node].append(pod)
        return pods

    @cached_property
    def policies(self) -> PolicyModel:
        """The rules of all policies, resolved and in order."""
        return PolicyModel(self.state)

    def peer_group(self, node: Node) -> str:
        """The name under which all nodes that reach the same peers through tunnels share the flows to them; empty without tunnels."""
        mode = self.state.cluster.traffic_mode
        if mode == "hybrid":
            subnet = transport_subnet(node, self.underlay).replace("/", "_").replace(":", "-")
            return f"{subnet}-ipsec" if node.encryption == "ipsec" else subnet
        if mode == "encap":
            return "wireguard" if node.encryption == "wireguard" else "all"
        return ""

    @cached_property
    def peer_flows(self) -> dict[str, tuple[Flow, ...]]:
        """Peer group to the flows that lead to its peers.

        Shared, because a copy in each node's program would make a fabric of n nodes n² flows to compile, keep and review. A node's
        own CIDR may be among them: the flows for its own pods, and the one that drops the rest of its addresses, come first.
        """
        members = {self.peer_group(node): node for node in self.state.nodes.values()}
        return {group: tuple(flow for peer in self.state.nodes.values() if self._tunnelled(member, peer) for flow in peer_flows(
            peer.name, peer.pod_cidrs, endpoint_address(peer, self.underlay))) for group, member in members.items() if group}

    @cached_property
    def services(self) -> ServicePlan:
        """The Services, with their endpoints."""
        return ServicePlan(self.state)

    @cached_property
    def service_flows(self) -> tuple[Flow, ...]:
        """Flows of Services that are the same on every node."""
        return tuple(self.services.shared.flows)

    @cached_property
    def service_groups(self) -> tuple[str, ...]:
        """Their groups, in the syntax of ovs-ofctl."""
        return tuple(self.services.shared.groups)

    def routed_peers(self, node: Node) -> list[Node]:
        """The other nodes to whose pods packets travel without a tunnel and as they are, so that the host has to know the way."""
        if self.state.cluster.traffic_mode == "encap":
            return []
        return [peer for peer in self.state.nodes.values() if peer is not node and not self._tunnelled(node, peer)]

    def encrypted_peers(self, node: Node) -> list[Node]:
        """The other nodes from and to which nothing travels in clear."""
        if node.encryption == "none":
            return []
        return [peer for peer in self.state.nodes.values() if peer is not node and encryption_between(node, peer) != "none"]

    def clear_tunnel_peers(self, node: Node) -> list[Node]:
        """The other nodes whose tunnel packets are not encrypted."""
        return [peer for peer in self.state.nodes.values()
                if peer is not node and self._tunnelled(node, peer) and encryption_between(node, peer) == "none"]

    def takes_tunnelled(self, node: Node) -> bool:
        """Whether packets may come out of a tunnel: not where all that other nodes send comes through WireGuard."""
        only_wireguard = node.encryption == "wireguard" and len(self.encrypted_peers(node)) == len(self.state.nodes) - 1
        return self.has_tunnels and not only_wireguard

    def _tunnelled(self, node: Node, peer: Node) -> bool:
        """What IPsec encrypts are tunnels, so it needs one even where packets could be routed; WireGuard takes the tunnel's place."""
        mode, encryption = self.state.cluster.traffic_mode, encryption_between(node, peer)
        if mode == "encap":
            return encryption != "wireguard"
        if mode != "hybrid":
            return False
        return encryption == "ipsec" or transport_subnet(node, self.underlay) != transport_subnet(peer, self.underlay)


def _same_but_ready(old: Optional[Pod], new: Optional[Pod]) -> bool:
    """Whether only endpoints of Services tell two states of a pod apart."""
    return bool(old and new and replace(old, ready=new.ready, terminating=new.terminating) == new)
