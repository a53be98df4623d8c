# SPDX-License-Identifier: Apache-2.0
"""ClusterStates from manifests, without an inventory: for tests of what policies make of them."""
from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Mapping, Sequence

from sluice.intent.manifests import Document
from sluice.intent.objects import read_objects, with_implied_namespaces
from sluice.intent.policies import check_policies
from sluice.intent.state import ClusterState, Node, Pod
from sluice.plan.addresses import slot_address
from states import cluster_state


def policy_state(objects: Sequence[object], nodes: Mapping[str, Mapping[str, str]], families: Sequence[int] = (4, 6)) -> ClusterState:
    """The state of ``objects`` (manifests as plain values) on ``nodes`` (labels by name). Each Pod says its nodeName."""
    read, warnings, problems = read_objects([Document(f"object {number}", value) for number, value in enumerate(objects)])
    with_implied_namespaces(read)
    problems += check_policies(read)[1]
    assert not problems and not warnings, [*problems, *warnings]
    empty = cluster_state(len(nodes), 0, families=families)
    made = {name: dataclasses.replace(node, name=name, labels=labels) for (name, labels), node in zip(nodes.items(), empty.nodes.values())}
    slots: Counter[str] = Counter()
    pods = {}
    for key, pod in sorted(read.pods.items()):
        node = pod.spec.node_name
        slots[node] += not pod.spec.host_network
        pods[key] = Pod(namespace=pod.namespace, name=pod.name, node=node, labels=pod.labels, ports=pod.spec.ports,
                        host_network=pod.spec.host_network, service_account=pod.spec.service_account,
                        ips=() if pod.spec.host_network else _addresses(made[node], slots[node]), ofport=100 + slots[node])
    return dataclasses.replace(
        empty, nodes=made, namespaces=read.namespaces, pods=pods, services=read.services, network_policies=read.network_policies,
        antrea_policies=read.antrea_policies, tiers=read.tiers, groups=read.groups, admin_policies=read.admin_policies)


def _addresses(node: Node, slot: int) -> tuple[str, ...]:
    return tuple(slot_address(cidr, slot) for cidr in node.pod_cidrs)
