# SPDX-License-Identifier: Apache-2.0
"""Giving out node CIDRs, pod addresses, MACs, switch ports and interface names: lowest free first, never moved while the object lives."""
from __future__ import annotations

import hashlib
import re
from typing import Mapping, Sequence

from ..errors import Problem
from ..intent.objects import Objects
from ..intent.state import Cluster
from ..intent.variables import INVENTORY
from ..natural_order import natural
from .addresses import OFPORT_FIRST_POD
from .allocations_file import Allocations, PodAllocation
from .placement import Wishes, annotation_problem
from .pods import PlannedPod
from .ranges import NodeRanges, Shares

MAC_PREFIX = 0x0A
"""First byte of pods' MACs: locally administered, unicast (IEEE 802-2014 section 8.4)."""

INTERFACE_NAME_LENGTH = 8
INTERFACE_HASH_LENGTH = 6


def shares_of(cluster: Cluster) -> tuple[Shares, ...]:
    """How each of the cluster's pod CIDRs is cut."""
    return tuple(Shares(cidr, length) for cidr, length in zip(cluster.pod_cidrs, cluster.node_prefix_lengths))


def allocate_node_cidrs(
    names: Sequence[str], shares: Sequence[Shares], previous: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    """Node to its share of each pod CIDR; a node that has one keeps it, the others get the lowest free, in natural order of name."""
    problems = []
    columns: list[dict[str, str]] = []
    for position, cut in enumerate(shares):
        column = {name: previous[name][position] for name in names if name in previous}
        taken = {cut.index_of_share(cidr) for cidr in column.values()}
        index = 0
        for name in sorted(names, key=lambda name: (natural(name), name)):
            if name in column:
                continue
            while index in taken:
                index += 1
            if index < cut.count:
                column[name] = cut.share(index)
            index += 1
        if len(column) < len(names):
            message = f"{cut.cidr} is too small: /{cut.prefix_length} networks in it: {cut.count}, nodes: {len(names)}"
            problems.append(Problem(INVENTORY, "", "sluice_pod_cidrs", message, "a larger network, or longer sluice_node_prefix_lengths"))
        columns.append(column)
    complete = [name for name in names if all(name in column for column in columns)]
    return {name: tuple(column[name] for column in columns) for name in complete}, problems


def check_allocations(allocations: Allocations, shares: Sequence[Shares], file: str) -> list[Problem]:
    """What is wrong inside an allocations file; an empty list says that everything in it can be kept."""
    problems: list[Problem] = []
    owners: dict[tuple[str, object], str] = {}

    def claim(path: str, what: str, value: object) -> None:
        if not value:
            return
        first = owners.setdefault((what, value), path)
        if first != path:
            problems.append(Problem(file, "", path, f"{what} {value} is that of {first} too", "each once; remove one of the lines"))

    good = {}
    for name, cidrs in allocations.nodes.items():
        path = f"nodes.{name}"
        if len(cidrs) != len(shares) or any(cut.index_of_share(cidr) is None for cut, cidr in zip(shares, cidrs)):
            expected = " and ".join(f"a /{cut.prefix_length} of {cut.cidr}" for cut in shares)
            problems.append(Problem(file, "", path, f"is {', '.join(cidrs) or 'empty'}", expected))
            continue
        good[name] = cidrs
        for cidr in cidrs:
            claim(path, "the network", cidr)
    ranges = NodeRanges(shares, good)
    for key, pod in allocations.pods.items():
        path = f"pods.{key}"
        if pod.node and pod.node not in allocations.nodes:
            problems.append(Problem(file, "", f"{path}.node", f"{pod.node} is not among the nodes", "a node of the file"))
        if pod.owner:
            claim(path, f"the replica of {key.partition('/')[0]}", f"{pod.owner} {pod.replica}")
        if not pod.ips or pod.node not in good:
            continue
        own = ranges.of[pod.node]
        if own.slot(pod.ips) is None:
            last = own.planned - 1
            expected = " and ".join(f"{low} … {high}" for low, high in zip(own.addresses(0), own.addresses(last)))
            problems.append(Problem(file, "", f"{path}.ips", f"{', '.join(pod.ips)} is no place in the range of node {pod.node}", expected))
        claim(path, "the address", pod.ips[0])
        claim(path, "the MAC", pod.mac)
        claim(path, f"node {pod.node}'s port", pod.ofport)
        claim(path, f"node {pod.node}'s interface", pod.interface)
    return problems


class _NodeUse:
    """What is given out on one node."""

    def __init__(self) -> None:
        self.slots: dict[int, str] = {}
        self.ofports: set[int] = set()
        self.interfaces: set[str] = set()
        self._first_free = 0

    def free_slot(self) -> int:
        while self._first_free in self.slots:
            self._first_free += 1
        return self._first_free

    def ofport(self, slot: int) -> int:
        wanted = OFPORT_FIRST_POD + slot
        if wanted in self.ofports:
            wanted = next(port for port in range(OFPORT_FIRST_POD, wanted + len(self.ofports) + 1) if port not in self.ofports)
        return wanted

    def interface(self, pod: PlannedPod) -> str:
        base = re.sub(r"[^a-z0-9-]", "-", pod.name)[:INTERFACE_NAME_LENGTH]
        attempt = 0
        while True:
            name = f"{base}-{_digest('interface', pod.key, attempt)[:INTERFACE_HASH_LENGTH]}"
            if name not in self.interfaces:
                return name
            attempt += 1

    def give(self, key: str, slot: int, ofport: int, interface: str) -> None:
        self.slots[slot] = key
        self.ofports.add(ofport)
        self.interfaces.add(interface)


def allocate_pods(
    pods: Sequence[PlannedPod],
    nodes: Mapping[str, str],
    wishes: Wishes,
    ranges: NodeRanges,
    previous: Mapping[str, PodAllocation],
    objects: Objects,
) -> tuple[dict[str, PodAllocation], list[Problem]]:
    """What each placed pod is given. ``nodes``: pod to node, as placed; ``previous`` has to be free of problems."""
    given: dict[str, PodAllocation] = {}
    problems: list[Problem] = []
    uses = {name: _NodeUse() for name in ranges.of}
    macs: set[str] = set()
    waiting = []
    for pod in pods:
        node = nodes.get(pod.key)
        if node is None or node not in uses:
            continue
        old = previous.get(pod.key)
        if pod.spec.host_network:
            given[pod.key] = PodAllocation(node, pod.owner, pod.replica)
            continue
        slot = ranges.of[node].slot(old.ips) if old and old.node == node else None
        if old and old.mac:
            macs.add(old.mac)
        if old is None or slot is None or (pod.key in wishes and wishes[pod.key][1] != slot):
            waiting.append(pod)
            continue
        uses[node].give(pod.key, slot, old.ofport, old.interface)
        given[pod.key] = PodAllocation(node, pod.owner, pod.replica, old.ips, old.mac, old.ofport, old.interface)
    # Wishes first, lest an address that is asked for goes to a pod that would have taken any.
    waiting.sort(key=lambda pod: (pod.key not in wishes, pod.namespace, natural(pod.name), pod.name))
    for pod in waiting:
        node = nodes[pod.key]
        use, own = uses[node], ranges.of[node]
        slot = wishes[pod.key][1] if pod.key in wishes else use.free_slot()
        if slot in use.slots:
            message = f"{', '.join(own.addresses(slot))} is taken by pod {use.slots[slot]}"
            problems.append(annotation_problem(objects, pod, message, "a free address"))
            continue
        if slot >= own.planned:
            # The placement has reported it already.
            continue
        old = previous.get(pod.key)
        mac = old.mac if old and old.mac else _mac(pod.key, macs)
        macs.add(mac)
        allocation = PodAllocation(node, pod.owner, pod.replica, own.addresses(slot), mac, use.ofport(slot), use.interface(pod))
        use.give(pod.key, slot, allocation.ofport, allocation.interface)
        given[pod.key] = allocation
    return given, problems


def _digest(purpose: str, key: str, attempt: int) -> str:
    return hashlib.sha256(f"{purpose}/{key}/{attempt}".encode()).hexdigest()


def _mac(key: str, taken: set[str]) -> str:
    attempt = 0
    while True:
        digits = f"{MAC_PREFIX:02x}{_digest('mac', key, attempt)[:10]}"
        mac = ":".join(digits[start : start + 2] for start in range(0, 12, 2))
        if mac not in taken:
            return mac
        attempt += 1
