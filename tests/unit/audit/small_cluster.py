# SPDX-License-Identifier: Apache-2.0
"""A cluster small enough to be known by heart: in each of the namespaces a and b a pod on each of two nodes, and a pod on node2's network."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Sequence

from sluice.intent.kinds import ContainerPort, LabelSelector, Namespace
from sluice.intent.state import ClusterState
from states import cluster_state

PORTS = (ContainerPort(80, "TCP", "web"), ContainerPort(53, "UDP", "dns"))
OUTSIDE = "ip:203.0.113.7"
EVERYTHING = LabelSelector()


def labels(**wanted: str) -> LabelSelector:
    return LabelSelector(tuple(sorted(wanted.items())))


def small_cluster(families: Sequence[int] = (4, 6), **objects: Any) -> ClusterState:
    """a/one, b/one on node1; a/two, b/two, a/host on node2. ``objects``: fields of the state, each a list."""
    base = cluster_state(2, 2, families=families, service_cidrs=("10.96.0.0/12",))
    places = {"a/one": "default/pod-1-0", "b/one": "default/pod-1-1", "a/two": "default/pod-2-0", "b/two": "default/pod-2-1"}
    pods = {}
    for key, place in places.items():
        namespace, name = key.split("/")
        pods[key] = replace(base.pods[place], namespace=namespace, name=name, labels={"app": name}, ports=PORTS)
    pods["a/host"] = replace(pods["a/two"], name="host", host_network=True, ips=(), mac="", interface="", labels={"app": "host"})
    nodes = {name: replace(node, labels={"name": name, "topology.kubernetes.io/zone": f"zone-{name}"}) for name, node in base.nodes.items()}
    namespaces = {name: Namespace.named(name, {"team": name}) for name in ("a", "b")}
    state = replace(base, nodes=nodes, namespaces=namespaces, pods=dict(sorted(pods.items())))
    fields: dict[str, Any] = {field: {_key(one): one for one in some} for field, some in objects.items()}
    return replace(state, **fields)


def _key(one: Any) -> str:
    return f"{one.kind} {one.name}" if type(one).__name__ == "AdminPolicy" else str(one.key)
