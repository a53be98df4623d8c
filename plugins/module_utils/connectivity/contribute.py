# SPDX-License-Identifier: Apache-2.0
"""The flows of connectivity on one node."""
from __future__ import annotations

from ..compile.fabric import Fabric
from ..intent.state import Cluster, Node
from ..ovs.flow import Flow
from .endpoints import Endpoint, endpoint_flows
from .gateway import baseline_flows, gateway_flows
from .peers import tunnel_flows, unassigned_flows


def connectivity_flows(fabric: Fabric, node: Node) -> list[Flow]:
    """Flows between the node's pods, and between them and the node, the tunnel and the outside.

    Those to the pods of other nodes are :attr:`Fabric.peer_flows`.
    """
    flows = gateway_flows(node.pod_cidrs)
    for pod in fabric.pods_by_node[node.name]:
        if not pod.host_network:
            flows += endpoint_flows(Endpoint(pod.namespace, pod.name, pod.ips, pod.mac, pod.ofport))
    return flows


def common_connectivity_flows(cluster: Cluster, has_routes: bool, takes_tunnelled: bool) -> list[Flow]:
    """Those that all nodes have, in the cluster's traffic mode; ``has_routes``: the host reaches pods of other nodes without a tunnel;
    ``takes_tunnelled``: packets may come out of a tunnel."""
    flows = baseline_flows()
    if cluster.traffic_mode != "no_encap":
        flows += tunnel_flows(takes_tunnelled)
    if cluster.traffic_mode == "encap" and not has_routes:
        flows += unassigned_flows(cluster.pod_cidrs)
    return flows
