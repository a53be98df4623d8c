# SPDX-License-Identifier: Apache-2.0
"""What the CNI plugin of one node reads: its network configuration and the pods that are planned for the node."""
from __future__ import annotations

from typing import Any

from ..intent.state import Node, Pod
from ..plan.addresses import BRIDGE, gateway_address
from ..plan.container_id import container_id
from .fabric import Fabric

CNI_VERSION = "1.0.0"
"""The newest version of the specification that containerd of Debian 12 speaks."""


def cni_program(fabric: Fabric, node: Node) -> dict[str, Any]:
    """The CNI network configuration list (CNI specification 1.0.0 section 1)."""
    return {"cniVersion": CNI_VERSION, "name": "sluice", "plugins": [{
        "type": "sluice",
        "bridge": BRIDGE,
        "datapath": node.datapath,
        "mtu": fabric.mtu,
        "gateways": [gateway_address(cidr) for cidr in node.pod_cidrs],
        "node_cidrs": list(node.pod_cidrs),
    }]}


def pods_program(fabric: Fabric, node: Node) -> dict[str, Any]:
    """The planned pods of the node, sorted by name."""
    return {"pods": [_pod(pod, fabric.mtu) for pod in fabric.pods_by_node[node.name]]}


def _pod(pod: Pod, mtu: int) -> dict[str, Any]:
    # Without one, as most are, the definition stays what it was, and so does the pod's container.
    vf = {"vf": {"interface": pod.vf.interface, "number": pod.vf.number}} if pod.vf else {}
    return {
        **vf,
        "namespace": pod.namespace,
        "name": pod.name,
        "owner": pod.owner,
        "labels": dict(pod.labels),
        "host_network": pod.host_network,
        "container_id": container_id(pod.namespace, pod.name),
        "ips": list(pod.ips),
        # A pod gets its MTU when it starts, so another one is another definition.
        "mtu": mtu,
        "mac": pod.mac,
        "ofport": pod.ofport,
        "interface": pod.interface,
        "ports": [{"port": port.port, "protocol": port.protocol, "name": port.name} for port in pod.ports],
    }
