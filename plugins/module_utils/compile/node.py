# SPDX-License-Identifier: Apache-2.0
"""ClusterState to NodePrograms: pure, and the same on any machine."""
from __future__ import annotations

from ..connectivity.contribute import connectivity_flows
from ..host.contribute import host_program
from ..ovs.flow import Flow, render_flow
from ..pipeline.tables import FLOW_TABLES
from .cni import cni_program, pods_program
from .fabric import Fabric
from .program import NodeProgram
from .switch import switch_program

CONTRIBUTORS = (connectivity_flows,)
"""What gives flows to a NodeProgram: functions of the fabric and the node."""

_TABLE_NUMBER = {name: number for number, name in FLOW_TABLES.items()}


def compile_node(fabric: Fabric, name: str) -> NodeProgram:
    """The program of one node; of many, with one Fabric, which computes once what they share.

    Raises InputError for a state that cannot be: no common underlay, an MTU that does not fit.
    """
    node = fabric.state.nodes[name]
    flows = [flow for contribute in CONTRIBUTORS for flow in contribute(fabric, node)]
    return NodeProgram(
        node=name,
        switch=switch_program(fabric, node),
        flows=tuple(sorted(flows, key=_order)),
        peer_group=fabric.peer_group(node),
        host=host_program(fabric, node),
        cni=cni_program(fabric, node),
        pods=pods_program(fabric, node))


def _order(flow: Flow) -> tuple[int, int, str]:
    return _TABLE_NUMBER[flow.table], -flow.priority, render_flow(flow)
