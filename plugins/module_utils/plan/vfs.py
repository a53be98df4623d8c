# SPDX-License-Identifier: Apache-2.0
"""Which virtual function each pod has that asks for one: given out like addresses, lowest first, and kept while the pod lives."""
from __future__ import annotations

from dataclasses import replace
from typing import Iterable, Mapping, Sequence

from ..errors import Problem
from ..intent.nodes import NodeIntent
from ..intent.objects import Objects
from ..intent.offload import DEFAULT_PREFIX
from ..intent.state import Vf
from .allocations_file import PodAllocation
from .pods import PlannedPod

_PATH = "containers[*].resources.limits"
_POOLS = "a pool in sluice_vf_pools that selects VFs of sluice_offload.nics"


def restrict(
    groups: Iterable[Sequence[PlannedPod]], nodes: Mapping[str, NodeIntent], objects: Objects
) -> tuple[list[list[PlannedPod]], dict[str, Mapping[str, str]], list[Problem]]:
    """The pods, bound to nodes that have what they ask for, the nodes' labels to place them by, and problems.

    A pool is one more label of the nodes that have it, which is no label that anybody could write.
    """
    labels: dict[str, Mapping[str, str]] = {
        name: {**node.labels, **{_label(resource): "" for resource in node.vfs}} for name, node in nodes.items()}
    known = sorted({resource for node in nodes.values() for resource in node.vfs})
    # Others belong to other device plugins.
    prefixes = {resource.partition("/")[0] for resource in (*known, DEFAULT_PREFIX + "/")}
    problems = []
    found = []
    for group in groups:
        placed = []
        for pod in group:
            problems += [_problem(objects, pod, f"asks for {resource}, which is no pool of any node", ", ".join(known) or _POOLS)
                         for resource in pod.spec.resources if resource not in known and resource.partition("/")[0] in prefixes]
            wanted = {resource: count for resource, count in pod.spec.resources.items() if resource in known and count}
            if sum(wanted.values()) > 1 or (wanted and pod.spec.host_network):
                what = ", ".join(f"{count} {resource}" for resource, count in sorted(wanted.items()))
                why = "has no interface of its own" if pod.spec.host_network else "has one interface"
                problems.append(_problem(objects, pod, f"asks for {what}, but a pod {why} here", "none" if pod.spec.host_network else "one"))
            selector = {**pod.spec.node_selector, **{_label(resource): "" for resource in wanted}}
            placed.append(replace(pod, spec=replace(pod.spec, node_selector=selector)) if wanted else pod)
        found.append(placed)
    return found, labels, problems


def allocate_vfs(
    pods: Sequence[PlannedPod], given: Mapping[str, PodAllocation], nodes: Mapping[str, NodeIntent],
    previous: Mapping[str, PodAllocation], objects: Objects
) -> tuple[dict[str, PodAllocation], dict[str, Vf], list[Problem]]:
    """What each pod is given, with its VF; the VFs by pod; and problems."""
    after, vfs, problems = dict(given), {}, []
    taken: set[tuple[str, str, int]] = set()
    pools = {resource for node in nodes.values() for resource in node.vfs}
    waiting: list[tuple[PlannedPod, str]] = []
    for pod in pods:
        one = given.get(pod.key)
        node = nodes.get(one.node) if one else None
        resource = next((resource for resource, count in sorted(pod.spec.resources.items()) if count and resource in pools), None)
        if one is None or node is None or resource is None:
            continue
        if resource not in node.vfs:
            problems.append(_problem(objects, pod, f"asks for {resource}, of which {node.name} has none", _POOLS))
            continue
        old = previous.get(pod.key)
        kept = next((vf for vf in node.vfs[resource] if old and old.node == one.node and old.vf == _text(vf)), None)
        if kept is None:
            waiting.append((pod, resource))
        else:
            vfs[pod.key] = kept
            taken.add((one.node, kept.interface, kept.number))
    for pod, resource in waiting:
        node = nodes[given[pod.key].node]
        free = next((vf for vf in node.vfs[resource] if (node.name, vf.interface, vf.number) not in taken), None)
        if free is None:
            message = f"asks for {resource}, but all {len(node.vfs[resource])} of {node.name} are given out"
            problems.append(_problem(objects, pod, message, "more VFs (sluice_offload.nics), or another node (nodeName, nodeSelector)"))
            continue
        vfs[pod.key] = free
        taken.add((node.name, free.interface, free.number))
    for key, vf in vfs.items():
        after[key] = replace(after[key], vf=_text(vf))
    return after, vfs, problems


def _label(resource: str) -> str:
    return f"vf pool {resource}"


def _text(vf: Vf) -> str:
    return f"{vf.resource}:{vf.interface}/{vf.number}"


def _problem(objects: Objects, pod: PlannedPod, message: str, expected: str) -> Problem:
    kind, _space, key = pod.origin.partition(" ")
    return objects.problem(kind, key, f"{'spec.template.' if pod.owner else ''}spec.{_PATH}", message, expected)
