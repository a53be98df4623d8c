# SPDX-License-Identifier: Apache-2.0
"""ClusterState to NodePrograms: pure, and the same on any machine."""
from __future__ import annotations

from operator import attrgetter
from typing import Iterable

from ..connectivity.contribute import connectivity_flows
from ..conntrack.contribute import conntrack_flows
from ..host.contribute import host_program
from ..ovs.flow import Flow
from ..pipeline.tables import FLOW_TABLES
from ..policy.contribute import policy_flows, rule_index
from .cni import cni_program, pods_program
from .fabric import Fabric
from .program import NodeProgram
from .switch import switch_program

CONTRIBUTORS = (connectivity_flows, conntrack_flows, policy_flows)
"""What gives flows to a NodeProgram: functions of the fabric and the node."""

_TABLE_NUMBER = {name: number for number, name in FLOW_TABLES.items()}


def compile_node(fabric: Fabric, name: str) -> NodeProgram:
    """The program of one node; of many, with one Fabric, which computes once what they share.

    Raises InputError for a state that cannot be: no common underlay, an MTU that does not fit.
    """
    node = fabric.state.nodes[name]
    services = fabric.services.of_node(node)
    flows = [*(flow for contribute in CONTRIBUTORS for flow in contribute(fabric, node)), *services.flows]
    return NodeProgram(
        node=name,
        switch=switch_program(fabric, node),
        flows=in_order(flows),
        groups=tuple(services.groups),
        rules=rule_index(fabric, node),
        peer_group=fabric.peer_group(node),
        host=host_program(fabric, node),
        cni=cni_program(fabric, node),
        pods=pods_program(fabric, node))


def in_order(flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """As a packet meets them: by table number, then falling priority; those that are tried at once by match."""
    tried: dict[tuple[str, int], list[Flow]] = {}
    for flow in flows:
        tried.setdefault((flow.table, flow.priority), []).append(flow)
    ordered: list[Flow] = []
    for table, priority in sorted(tried, key=lambda at: (_TABLE_NUMBER[at[0]], -at[1])):
        ordered += sorted(tried[table, priority], key=attrgetter("match"))
    return tuple(ordered)

