# SPDX-License-Identifier: Apache-2.0
"""ClusterState to NodePrograms: pure, and the same on any machine."""
from __future__ import annotations

from functools import lru_cache
from operator import attrgetter

from ..connectivity.contribute import common_connectivity_flows, connectivity_flows
from ..conntrack.contribute import common_conntrack_flows, conntrack_flows
from ..encryption.ipsec import node_files
from ..host.contribute import host_program
from ..intent.state import Cluster
from ..pipeline.block import FlowBlock, blocks
from ..policy.contribute import policy_flows, rule_index
from .cni import cni_program, pods_program
from .fabric import Fabric
from .program import NodeProgram
from .switch import switch_program


def compile_node(fabric: Fabric, name: str) -> NodeProgram:
    """The program of one node; of many, with one Fabric, which computes once what they share.

    Raises InputError for a state that cannot be: no common underlay, an MTU that does not fit.
    """
    node = fabric.state.nodes[name]
    services = fabric.services.of_node(node)
    policies = policy_flows(fabric, node)
    common = _common(fabric.state.cluster, node.datapath, node.encryption == "wireguard", fabric.takes_tunnelled(node))
    own = [*connectivity_flows(fabric, node), *conntrack_flows(fabric, node), *policies.own, *services.flows]
    return NodeProgram(
        node=name,
        switch=switch_program(fabric, node),
        blocks=tuple(sorted([*blocks(own), *policies.blocks, *common], key=attrgetter("order"))),
        groups=tuple(services.groups),
        rules=rule_index(fabric, node),
        peer_group=fabric.peer_group(node),
        host=host_program(fabric, node),
        cni=cni_program(fabric, node),
        pods=pods_program(fabric, node),
        files=node_files(fabric, node))


@lru_cache(maxsize=4)
def _common(cluster: Cluster, datapath: str, has_routes: bool, takes_tunnelled: bool) -> tuple[FlowBlock, ...]:
    """What all nodes with a datapath have."""
    return tuple(blocks([*common_connectivity_flows(cluster, has_routes, takes_tunnelled), *common_conntrack_flows(cluster, datapath)]))
