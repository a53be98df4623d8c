# SPDX-License-Identifier: Apache-2.0
"""ClusterStates of any size, made without an inventory, for tests and benchmarks of what comes after it."""
from __future__ import annotations

import base64
import hashlib
from typing import Any, Mapping, Sequence

from sluice.intent.state import Cluster, ClusterState, ContainerPort, Ipsec, Keys, Node, Pod, Route, Transport
from sluice.plan.addresses import OFPORT_FIRST_POD, slot_address


def cluster_state(nodes: int, pods_per_node: int, *, datapath: str = "netdev", mtu: int = 1500, families: Sequence[int] = (4, 6),
                  subnets: int = 1, encryption: Sequence[str] = (), ipsec: Mapping[str, Any] | None = None, **settings: object) -> ClusterState:
    """``nodes`` nodes named node1…, spread over ``subnets`` transport subnets, each with ``pods_per_node`` pods named default/pod-<node>-<n>.

    ``encryption``: that of the first nodes, if any, in their order; ``ipsec``: fields of Ipsec.
    """
    cidrs = {4: "10.0.0.0/8", 6: "fd10::/32"}
    cluster = Cluster(name="test", pod_cidrs=tuple(cidrs[family] for family in families),
                      node_prefix_lengths=tuple({4: 24, 6: 64}[family] for family in families), ipsec=Ipsec(**(ipsec or {})), **settings)  # type: ignore[arg-type]
    made_nodes = {}
    pods = {}
    for index in range(nodes):
        name = f"node{index + 1}"
        own = {4: f"10.{index >> 8}.{index & 255}.0/24", 6: f"fd10:0:{index >> 16:x}:{index & 0xffff:x}::/64"}
        pod_cidrs = tuple(own[family] for family in families)
        subnet = index % subnets
        made_nodes[name] = Node(
            name=name, datapath=datapath, pod_cidrs=pod_cidrs, labels={},
            encryption=encryption[index] if index < len(encryption) else "none", keys=_keys(name) if encryption else Keys(),
            transport=Transport("eth1", (f"172.{16 + subnet}.{index + 1 >> 8}.{index + 1 & 255}/16", f"fd77:{subnet:x}::{index + 1:x}/64"), mtu,
                                (Route("default", f"172.{16 + subnet}.255.254"),), f"0a:77:{subnet:02x}:{index >> 8:02x}:{index & 255:02x}:00"))
        for number in range(pods_per_node):
            pod = Pod(namespace="default", name=f"pod-{index + 1}-{number}", node=name, ports=(ContainerPort(8080),),
                      ips=tuple(slot_address(cidr, number) for cidr in pod_cidrs), mac=f"0a:01:{index >> 8:02x}:{index & 255:02x}:00:{number:02x}",
                      ofport=OFPORT_FIRST_POD + number, interface=f"pod-{index + 1}-{number}")
            pods[pod.key] = pod
    return ClusterState(cluster, made_nodes, {}, dict(sorted(pods.items())), {}, {}, {}, {})


def _keys(node: str) -> Keys:
    """Keys in form only."""
    public = base64.b64encode(hashlib.sha256(node.encode()).digest()).decode()
    return Keys(public, f"certificate of {node}\n", ("old authority\n", "new authority\n"), ("revocation list\n",))
