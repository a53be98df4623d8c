# SPDX-License-Identifier: Apache-2.0
"""ClusterState to NodePrograms: pure, and the same on any machine."""
from __future__ import annotations

from functools import lru_cache
from typing import Iterable, Iterator

from ..connectivity.contribute import connectivity_flows
from .fabric import Fabric
from ..host.contribute import host_program
from ..intent.state import ClusterState
from .cni import cni_program, pods_program
from ..ovs.flow import Flow, render_flow
from ..pipeline.tables import FLOW_TABLES
from .program import NodeProgram
from .switch import switch_program

CONTRIBUTORS = (connectivity_flows,)
"""What gives flows to a NodeProgram: functions of the fabric and the node."""

_TABLE_NUMBER = {name: number for number, name in FLOW_TABLES.items()}


def compile_node(state: ClusterState, node: str) -> NodeProgram:
    """The program of one node. Raises InputError for a state that cannot be (no common underlay, an MTU that does not fit)."""
    return _program(Fabric(state), node)


def compile_nodes(state: ClusterState, nodes: Iterable[str] | None = None) -> Iterator[NodeProgram]:
    """The programs of many nodes (all by default), with what they share computed once."""
    fabric = Fabric(state)
    for node in sorted(state.nodes if nodes is None else nodes):
        yield _program(fabric, node)


def _program(fabric: Fabric, name: str) -> NodeProgram:
    node = fabric.state.nodes[name]
    flows = [flow for contribute in CONTRIBUTORS for flow in contribute(fabric, node)]
    return NodeProgram(
        node=name,
        switch=switch_program(fabric, node),
        flows=tuple(sorted(flows, key=_order)),
        host=host_program(fabric, node),
        cni=cni_program(fabric, node),
        pods=pods_program(fabric, node))


@lru_cache(maxsize=1 << 17)
def _order(flow: Flow) -> tuple[int, int, str]:
    return _TABLE_NUMBER[flow.table], -flow.priority, render_flow(flow)
