# SPDX-License-Identifier: Apache-2.0
"""The flows of connection tracking on one node."""
from __future__ import annotations

from ..compile.fabric import Fabric
from ..intent.state import Node
from ..ovs.flow import Flow
from .sctp import sctp_flows
from .snat import commit_flows, pod_hairpin_flows, snat_flows
from .state import lookup_flows, state_flows


def conntrack_flows(fabric: Fabric, node: Node) -> list[Flow]:
    """Lookup, state, translation and commit of connections, for what the node's pods and its host send and get."""
    cluster = fabric.state.cluster
    flows = lookup_flows() + state_flows(cluster.pod_cidrs, cluster.established) + snat_flows(node.pod_cidrs) + commit_flows()
    if node.datapath == "netdev":
        flows += sctp_flows(cluster.established)
    for pod in fabric.pods_by_node[node.name]:
        flows += pod_hairpin_flows(pod.namespace, pod.name, pod.ips, node.pod_cidrs)
    return flows
