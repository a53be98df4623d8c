# SPDX-License-Identifier: Apache-2.0
"""Which pods the objects of an inventory make, and what they are called."""
from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Iterable, Mapping, Optional, Union

from ..errors import Problem
from ..intent.kinds import CronJob, DaemonSet, Job, PodSpec, StatefulSet, Workload
from ..intent.objects import Objects
from .allocations_file import PodAllocation

IPS_ANNOTATION = "sluice.io/ips"
"""A pod's wish for addresses, one a family, separated by commas."""

NAME_MAX = 253
SUFFIX_LENGTH = 5


@dataclass(frozen=True)
class PlannedPod:
    """One pod before it is placed."""

    namespace: str
    name: str
    origin: str
    """``kind namespace/name`` of the object that makes it."""
    labels: Mapping[str, str]
    spec: PodSpec
    node: str = ""
    """The node that it is bound to: by nodeName, or as a DaemonSet's pod."""
    owner: str = ""
    """kind/name of its workload; empty for a bare Pod."""
    replica: Union[int, str, None] = None
    """Which of the workload's pods it is: a number, or for a DaemonSet its node."""
    wish: str = ""
    """The addresses that it asks for."""
    ready: bool = True
    terminating: bool = False

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


def matching(labels: Mapping[str, Mapping[str, str]], selector: Mapping[str, str]) -> list[str]:
    """The nodes that have all labels of a nodeSelector."""
    return [name for name, own in labels.items() if all(own.get(key) == value for key, value in selector.items())]


def make_pods(
    objects: Objects, node_labels: Mapping[str, Mapping[str, str]], previous: Mapping[str, PodAllocation]
) -> tuple[list[list[PlannedPod]], list[str], list[Problem]]:
    """The pods of each object (one list an object), warnings and problems.

    Names of replicas are made once: a replica in ``previous`` keeps the name that it has there.
    """
    groups: list[list[PlannedPod]] = []
    warnings = []
    for key, pod in sorted(objects.pods.items()):
        wish = pod.annotations.get(IPS_ANNOTATION, "")
        planned = PlannedPod(
            pod.namespace,
            pod.name,
            f"Pod {key}",
            pod.labels,
            pod.spec,
            pod.spec.node_name,
            wish=wish,
            ready=pod.ready,
            terminating=pod.terminating,
        )
        groups.append([planned])
        if pod.spec.has_affinity:
            warnings.append(_affinity_warning(f"Pod {key}"))
    names = _Names(previous, objects.pods)
    for origin, workload in sorted(objects.workloads.items()):
        if isinstance(workload, CronJob):
            warnings.append(f"{origin} makes its pods at times that no plan knows: they get addresses when they start")
            continue
        if workload.template.spec.has_affinity:
            warnings.append(_affinity_warning(origin))
        groups.append([_replica(origin, workload, number, names) for number in _replica_ids(workload, node_labels)])
    return groups, warnings, _duplicates(groups, objects)


def _affinity_warning(origin: str) -> str:
    return f"{origin} asks for affinity or topology spreading, which the placement does not follow; nodeName and nodeSelector it does"


def _replica_ids(workload: Workload, node_labels: Mapping[str, Mapping[str, str]]) -> Iterable[Union[int, str]]:
    spec = workload.template.spec
    if isinstance(workload, DaemonSet):
        return [name for name in matching(node_labels, spec.node_selector) if spec.node_name in ("", name)]
    start = workload.first_ordinal if isinstance(workload, StatefulSet) else 0
    return range(start, start + workload.replicas)


def _replica(origin: str, workload: Workload, replica: Union[int, str], names: _Names) -> PlannedPod:
    template = workload.template
    name = f"{workload.name}-{replica}" if isinstance(workload, StatefulSet) else names.name(workload, replica)
    return PlannedPod(
        workload.namespace,
        name,
        origin,
        {**template.labels, **_controller_labels(workload, name, replica)},
        template.spec,
        str(replica) if isinstance(workload, DaemonSet) else template.spec.node_name,
        workload.owner,
        replica,
        template.annotations.get(IPS_ANNOTATION, ""),
    )


def _controller_labels(workload: Workload, name: str, replica: Union[int, str]) -> dict[str, str]:
    """Labels that Kubernetes' controllers put on pods and that policies and Services select by."""
    if isinstance(workload, StatefulSet):
        return {"apps.kubernetes.io/pod-index": str(replica), "statefulset.kubernetes.io/pod-name": name}
    if isinstance(workload, Job):
        return {"batch.kubernetes.io/job-name": workload.name, "job-name": workload.name}
    return {}


class _Names:
    """Names with a hash at the end, none of them twice."""

    def __init__(self, previous: Mapping[str, PodAllocation], bare: Iterable[str]) -> None:
        self._known = {(key.partition("/")[0], pod.owner, pod.replica): key.partition("/")[2] for key, pod in previous.items() if pod.owner}
        self._taken = {*bare, *previous}

    def name(self, workload: Workload, replica: Union[int, str]) -> str:
        known = self._known.get((workload.namespace, workload.owner, replica))
        if known is not None:
            return known
        base = workload.name[: NAME_MAX - SUFFIX_LENGTH - 1]
        identity = f"{workload.owner}/{workload.namespace}/{replica}"
        attempt = 0
        while True:
            name = f"{base}-{_suffix(f'{identity}/{attempt}')}"
            if f"{workload.namespace}/{name}" not in self._taken:
                self._taken.add(f"{workload.namespace}/{name}")
                return name
            attempt += 1


def _suffix(identity: str) -> str:
    return base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()[:SUFFIX_LENGTH]


def _duplicates(groups: list[list[PlannedPod]], objects: Objects) -> list[Problem]:
    problems = []
    first: dict[str, str] = {}
    for pod in (pod for group in groups for pod in group):
        other: Optional[str] = first.setdefault(pod.key, pod.origin)
        if other != pod.origin:
            kind, _space, key = pod.origin.partition(" ")
            problems.append(objects.problem(kind, key, "metadata.name", f"makes a pod {pod.key}, as {other} does", "another name"))
    return problems
