# SPDX-License-Identifier: Apache-2.0
"""On which node each pod is."""
from __future__ import annotations

import difflib
import sys
from collections import Counter
from heapq import heapify, heappop, heappush
from typing import Iterable, Mapping, NamedTuple, Optional, Union

from ..errors import Problem
from ..intent.objects import Objects
from ..intent.syntax import address
from ..intent.variables import INVENTORY
from ..natural_order import natural
from .allocations_file import PodAllocation
from .pods import IPS_ANNOTATION, PlannedPod, matching
from .ranges import NodeRanges

Wishes = Mapping[str, "tuple[str, int]"]
"""Pod to the node and slot of the addresses that it asks for."""


def read_wishes(groups: Iterable[list[PlannedPod]], ranges: NodeRanges, objects: Objects) -> tuple[Wishes, list[Problem]]:
    """Where the addresses are that pods ask for; a wish that cannot be is a problem."""
    wishes: dict[str, tuple[str, int]] = {}
    problems = []
    for pod in (pod for group in groups for pod in group if pod.wish):
        found = {_read_wish(pod, text.strip(), ranges) for text in pod.wish.split(",")}
        refused = [one for one in found if isinstance(one, _Refusal)]
        granted = {one for one in found if not isinstance(one, _Refusal)}
        if len(granted) > 1:
            node, slot = min(granted)
            right = " and ".join(ranges.of[node].addresses(slot))
            refused.append(_Refusal("has addresses that are not the same place in a node's ranges", right))
        problems += [annotation_problem(objects, pod, one.reason, one.expected) for one in refused]
        if granted and not refused:
            wishes[pod.key] = granted.pop()
    return wishes, problems


class _Refusal(NamedTuple):
    """Why a wish cannot be, and what would be right."""

    reason: str
    expected: str


def annotation_problem(objects: Objects, pod: PlannedPod, message: str, expected: str) -> Problem:
    """A problem of the addresses that a pod asks for."""
    return _problem(objects, pod, f"{'spec.template.' if pod.owner else ''}metadata.annotations[{IPS_ANNOTATION}]", message, expected)


def _problem(objects: Objects, pod: PlannedPod, path: str, message: str, expected: str) -> Problem:
    kind, _space, key = pod.origin.partition(" ")
    return objects.problem(kind, key, path, message, expected)


def _read_wish(pod: PlannedPod, text: str, ranges: NodeRanges) -> Union[tuple[str, int], _Refusal]:
    """The node and slot of one address that a pod asks for."""
    if pod.spec.host_network:
        return _Refusal("has no meaning for a pod in the host's network", "no such annotation")
    parsed = address(text)
    if parsed is None:
        return _Refusal(f"has {text!r}", "IP addresses, separated by commas")
    position = ranges.position(parsed.version)
    if position is None:
        return _Refusal(f"has {parsed}, but sluice_pod_cidrs has no IPv{parsed.version} network", "an address of the cluster's families")
    node = ranges.node(position, str(parsed))
    if pod.node in ranges.of and node != pod.node:
        return _Refusal(f"{parsed} is outside of the range of node {pod.node}", f"an address in {ranges.of[pod.node].cidrs[position]}")
    if node is None:
        some = ", ".join(own.cidrs[position] for own in list(ranges.of.values())[:3])
        return _Refusal(f"{parsed} is in no node's range", f"an address in one of {some}{', …' if len(ranges.of) > 3 else ''}")
    own = ranges.of[node]
    slot = own.offset(position, str(parsed))
    if not 0 <= slot < own.planned:
        first, last = own.addresses(0)[position], own.addresses(own.planned - 1)[position]
        return _Refusal(f"{parsed} is not for pods of the inventory", f"an address from {first} to {last}")
    return node, slot


def place(
    groups: list[list[PlannedPod]],
    wishes: Wishes,
    node_labels: Mapping[str, Mapping[str, str]],
    ranges: NodeRanges,
    previous: Mapping[str, PodAllocation],
    objects: Objects,
) -> tuple[dict[str, str], list[Problem]]:
    """Pod to node; a pod that fits nowhere is a problem and is left out.

    What is bound to a node goes there. A pod that has a node in ``previous`` stays, while the node exists and fits. The others are
    spread: each to the node with the fewest pods of the same workload, then the fewest pods, then the first by name.
    """
    placer = _Placer(wishes, node_labels, ranges, objects)
    waiting = [(group, *placer.settle(group, previous)) for group in groups]
    for _group, rest, counts in waiting:
        placer.spread(rest, counts)
    return placer.nodes, placer.problems + placer.lack_of_room(groups)


class _Placer:
    def __init__(self, wishes: Wishes, node_labels: Mapping[str, Mapping[str, str]], ranges: NodeRanges, objects: Objects) -> None:
        self.nodes: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._wishes = wishes
        self._labels = node_labels
        self._names = sorted(node_labels, key=lambda name: (natural(name), name))
        self._index = {name: index for index, name in enumerate(self._names)}
        self._ranges = ranges
        self._objects = objects
        self._totals = dict.fromkeys(self._names, 0)
        # A node that got no range has a problem of its own; it is not for want of room.
        self._free = {name: ranges.of[name].planned if name in ranges.of else sys.maxsize for name in self._names}
        self._fitting: dict[tuple[tuple[str, str], ...], frozenset[str]] = {}
        self._heaps: dict[tuple[frozenset[str], bool], list[tuple[int, int]]] = {}
        self._homeless: list[PlannedPod] = []

    def settle(self, group: list[PlannedPod], previous: Mapping[str, PodAllocation]) -> tuple[list[PlannedPod], Counter[str]]:
        """Places what is bound to a node or has one already; gives the rest, and how many pods each node has got."""
        rest = []
        counts: Counter[str] = Counter()
        for pod in group:
            fits = self._fits(pod)
            if not fits:
                self._refuse(pod)
                continue
            old = previous.get(pod.key)
            node = next(iter(fits)) if len(fits) == 1 else old.node if old else ""
            if node in fits:
                self._put(pod, node)
                counts[node] += 1
            else:
                rest.append(pod)
        return rest, counts

    def _fits(self, pod: PlannedPod) -> frozenset[str]:
        """The nodes that a pod may be on, full or not."""
        selector = tuple(sorted(pod.spec.node_selector.items()))
        fits = self._fitting.get(selector)
        if fits is None:
            fits = self._fitting[selector] = frozenset(matching(self._labels, pod.spec.node_selector))
        bound = self._wishes[pod.key][0] if pod.key in self._wishes else pod.node
        # As in Kubernetes, nodeName goes past the nodeSelector.
        return frozenset([bound]) & (self._labels.keys() if pod.node else fits) if bound else fits

    def _refuse(self, pod: PlannedPod) -> None:
        prefix = "spec.template.spec" if pod.owner else "spec"
        if pod.node:
            close = difflib.get_close_matches(pod.node, self._names, n=1, cutoff=0.6)
            problem = ("nodeName", f"there is no node {pod.node}", close[0] if close else "a host of sluice_nodes")
        else:
            labels = ", ".join(f"{key}={value}" for key, value in sorted(pod.spec.node_selector.items()))
            where = f"node {self._wishes[pod.key][0]}, whose addresses it asks for, has not" if pod.key in self._wishes else "no node has"
            problem = ("nodeSelector", f"{where} {labels}", "labels that a node has (sluice_node_labels)")
        self.problems.append(_problem(self._objects, pod, f"{prefix}.{problem[0]}", *problem[1:]))

    def _put(self, pod: PlannedPod, node: str) -> None:
        self.nodes[pod.key] = node
        self._totals[node] += 1
        if not pod.spec.host_network:
            self._free[node] -= 1

    def spread(self, pods: list[PlannedPod], counts: Counter[str]) -> None:
        """Places the pods of one workload, of which the nodes have ``counts`` already."""
        if not pods:
            return
        heap = self._heap(self._fits(pods[0]), pods[0].spec.host_network)
        aside: list[str] = []
        level = 0
        for pod in pods:
            node = self._next(heap, aside, counts, level, pod.spec.host_network)
            while node is None and aside:
                # Every node has more than ``level`` pods of this workload: the next round.
                self._return(heap, aside)
                level += 1
                node = self._next(heap, aside, counts, level, pod.spec.host_network)
            if node is None:
                self._homeless.append(pod)
                continue
            self._put(pod, node)
            counts[node] += 1
            aside.append(node)
        self._return(heap, aside)

    def _heap(self, fits: frozenset[str], host_network: bool) -> list[tuple[int, int]]:
        """Nodes by number of pods, then by name. The numbers may be old: they only grow, so that _next() can set them right."""
        heap = self._heaps.get((fits, host_network))
        if heap is None:
            heap = [(self._totals[name], index) for index, name in enumerate(self._names) if name in fits]
            heapify(heap)
            self._heaps[fits, host_network] = heap
        return heap

    def _next(self, heap: list[tuple[int, int]], aside: list[str], counts: Counter[str], level: int, host_network: bool) -> Optional[str]:
        """Takes the best node from the heap; what has too many pods of this workload is put aside, what is full is gone for good."""
        while heap:
            total, index = heappop(heap)
            node = self._names[index]
            if total != self._totals[node]:
                heappush(heap, (self._totals[node], index))
            elif counts[node] > level:
                aside.append(node)
            elif host_network or self._free[node] > 0:
                return node
        return None

    def _return(self, heap: list[tuple[int, int]], aside: list[str]) -> None:
        for node in aside:
            heappush(heap, (self._totals[node], self._index[node]))
        aside.clear()

    def lack_of_room(self, groups: list[list[PlannedPod]]) -> list[Problem]:
        """A problem for each node with more pods than addresses, and one for the pods that found no node with a free address."""
        problems = []
        for node, free in self._free.items():
            if free < 0:
                own = self._ranges.of[node]
                message = f"{own.planned - free} pods are to be on node {node}, but {own.cidrs[0]} has {own.planned} addresses for them"
                problems.append(Problem(INVENTORY, f"host {node}", "sluice_node_prefix_lengths", message, "a shorter prefix"))
        if self._homeless:
            wanted = sum(not pod.spec.host_network for group in groups for pod in group)
            room = sum(own.planned for own in self._ranges.of.values())
            example = self._homeless[0]
            message = (
                f"{len(self._homeless)} of {wanted} pods find no node with a free address, {example.origin} among them; "
                f"the nodes' ranges have {room} addresses for them"
            )
            problems.append(Problem(INVENTORY, "", "sluice_node_prefix_lengths", message, "fewer pods, a shorter prefix, or more nodes"))
        return problems
