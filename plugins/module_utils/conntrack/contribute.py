# SPDX-License-Identifier: Apache-2.0
"""The flows of connection tracking on one node."""
from __future__ import annotations

from ..compile.fabric import Fabric
from ..intent.state import Cluster, Node
from ..ovs.flow import Flow
from .sctp import sctp_flows
from .snat import commit_flows, pod_hairpin_flows, snat_flows
from .state import lookup_flows, state_flows


def conntrack_flows(fabric: Fabric, node: Node) -> list[Flow]:
    """Translation of the connections of the node's pods and its host."""
    flows = snat_flows(node.pod_cidrs)
    for pod in fabric.pods_by_node[node.name]:
        flows += pod_hairpin_flows(pod.namespace, pod.name, pod.ips, node.pod_cidrs)
    return flows


def common_conntrack_flows(cluster: Cluster, datapath: str) -> list[Flow]:
    """Lookup, state and commit of connections: what all nodes with a datapath (system | netdev) have."""
    flows = lookup_flows(cluster.service_cidrs) + state_flows(cluster.pod_cidrs, cluster.established) + commit_flows()
    if datapath == "netdev":
        flows += sctp_flows(cluster.established)
    return flows
