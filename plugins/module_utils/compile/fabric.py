# SPDX-License-Identifier: Apache-2.0
"""What all nodes of one ClusterState share, computed once."""
from __future__ import annotations

from functools import cached_property

from ..connectivity.peers import peer_flows
from ..intent.state import ClusterState, Node, Pod
from ..ovs.flow import Flow
from ..plan.underlay import endpoint_address, pod_mtu, tunnels_to, underlay_family


class Fabric:
    """A ClusterState with answers to the questions that concern all of its nodes."""

    def __init__(self, state: ClusterState) -> None:
        self.state = state

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
    def pods_by_node(self) -> dict[str, list[Pod]]:
        pods: dict[str, list[Pod]] = {name: [] for name in self.state.nodes}
        for pod in self.state.pods.values():
            pods[pod.node].append(pod)
        return pods

    @cached_property
    def flows_to_peer(self) -> dict[str, list[Flow]]:
        """Node name to the flows that lead to it through a tunnel."""
        return {node.name: peer_flows(node.name, node.pod_cidrs, endpoint_address(node, self.underlay))
                for node in self.state.nodes.values()}

    def peers(self, node: Node, *, tunnelled: bool) -> list[Node]:
        """The other nodes to whose pods a tunnel leads from ``node``, or those to which none does."""
        mode = self.state.cluster.traffic_mode
        if mode != "hybrid":
            return [peer for peer in self.state.nodes.values() if peer is not node] if tunnelled == (mode == "encap") else []
        return [peer for peer in self.state.nodes.values()
                if peer is not node and tunnels_to(self.state, node, peer, self.underlay) == tunnelled]
