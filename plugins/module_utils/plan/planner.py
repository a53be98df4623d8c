# SPDX-License-Identifier: Apache-2.0
"""From the intent to the ClusterState: pods placed and everything given out that has to be given out."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Mapping, Optional

from ..errors import InputError, Problem
from ..intent.kinds import Service
from ..intent.load import Intent, collect
from ..intent.objects import unenforced
from ..intent.state import ClusterState, Node, Pod, Vf
from .allocation import allocate_node_cidrs, allocate_pods, check_allocations, shares_of
from .allocations_file import Allocations, PodAllocation, parse, render
from .placement import place, read_wishes
from .pods import PlannedPod, make_pods
from .ranges import NodeRanges
from .service_checks import service_warnings, shared_addresses, translatable
from .services import allocate_services, check_service_allocations
from .vfs import allocate_vfs, restrict


@dataclass(frozen=True)
class Made:
    """A ClusterState made of an inventory, with what there is to write and to say."""

    state: ClusterState
    allocations: str
    """The text that the allocations file has to have."""
    allocations_changed: bool
    allocations_file: str
    artifacts_dir: str
    warnings: tuple[str, ...]
    """Of loading and planning, and a note for each object that is loaded but not realised yet."""


def make_state(
    cluster_vars: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], base_dir: str, extra_known: Collection[str] = ()
) -> Made:
    """Loads an inventory (arguments as for :func:`intent.load.load`), reads its allocations, and plans. Writes nothing.

    Raises InputError with the problems of all stages.
    """
    intent, problems = collect(cluster_vars, hosts, base_dir, extra_known)
    if intent is None:
        raise InputError(problems)
    before = _read(intent.allocations_file, problems)
    state, allocations, warnings, plan_problems = _plan(intent, parse(before, Path(intent.allocations_file).name, problems))
    problems += plan_problems
    if problems or state is None:
        raise InputError(problems)
    text = render(allocations)
    notes = unenforced(state.ingresses)
    warnings = (*intent.warnings, *warnings, *notes)
    return Made(state, text, text != before, intent.allocations_file, intent.artifacts_dir, warnings)


def plan(intent: Intent, allocations: Allocations) -> tuple[ClusterState, Allocations, tuple[str, ...]]:
    """The state, the allocations that it is made with, and warnings. Raises InputError."""
    state, allocations, warnings, problems = _plan(intent, allocations)
    if problems or state is None:
        raise InputError(problems)
    return state, allocations, warnings


def _read(file: str, problems: list[Problem]) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(Path(file).name, "", "", f"cannot be read: {error}", "a readable file, or none"))
        return ""


def _plan(
    intent: Intent, before: Allocations
) -> tuple[Optional[ClusterState], Allocations, tuple[str, ...], list[Problem]]:
    cluster, objects = intent.cluster, intent.objects
    shares = shares_of(cluster)
    file = Path(intent.allocations_file).name
    problems = _check_header(intent, before, file)
    if not problems:
        problems = check_allocations(before, shares, file) + check_service_allocations(before.services, cluster.service_cidrs, file)
    if problems:
        # What cannot be kept must not be planned around; the other problems are still worth finding.
        before = Allocations()
    labels: Mapping[str, Mapping[str, str]] = {name: node.labels for name, node in intent.nodes.items()}
    cidrs, node_problems = allocate_node_cidrs(list(intent.nodes), shares, before.nodes)
    ranges = NodeRanges(shares, cidrs)
    groups, warnings, pod_problems = make_pods(objects, labels, before.pods)
    groups, labels, vf_problems = restrict(groups, intent.nodes, objects)
    wishes, wish_problems = read_wishes(groups, ranges, objects)
    placed, place_problems = place(groups, wishes, labels, ranges, before.pods, objects)
    pods = [pod for group in groups for pod in group]
    given, address_problems = allocate_pods(pods, placed, wishes, ranges, before.pods, objects)
    given, vfs, lacking_vfs = allocate_vfs(pods, given, intent.nodes, before.pods, objects)
    problems += node_problems + pod_problems + vf_problems + wish_problems + place_problems + address_problems + lacking_vfs
    allocated, given_services, service_problems = allocate_services(objects, cluster.service_cidrs, before.services)
    services, left_out, sctp_problems = translatable(allocated, objects, intent.nodes, cluster.unsupported)
    problems += service_problems + sctp_problems + shared_addresses(services, objects)
    warnings += left_out + service_warnings(services, objects.endpoint_slices)
    after = Allocations(cluster.name, cluster.pod_cidrs, cluster.node_prefix_lengths, cidrs, given, given_services)
    state = None if problems else _state(intent, cidrs, pods, given, vfs, services)
    return state, after, tuple(warnings), problems


def _check_header(intent: Intent, before: Allocations, file: str) -> list[Problem]:
    """The allocations have to be of this cluster as it is: nothing in them can be kept when its addresses change."""
    if before == Allocations():
        return []
    cluster = intent.cluster
    problems = []
    advice = f"; to give all nodes and pods new addresses, remove {file} (their connections will break)"
    if before.cluster != cluster.name:
        message = f"is {cluster.name!r}, but {file} is of the cluster {before.cluster!r}"
        problems.append(Problem("inventory", "", "sluice_cluster_name", message, f"{before.cluster!r}, or that cluster's own inventory"))
    if before.pod_cidrs != cluster.pod_cidrs:
        message = f"has changed from {', '.join(before.pod_cidrs)} to {', '.join(cluster.pod_cidrs)}"
        problems.append(Problem("inventory", "", "sluice_pod_cidrs", message, f"{', '.join(before.pod_cidrs)}{advice}"))
    elif before.node_prefix_lengths != cluster.node_prefix_lengths:
        old, new = (", ".join(map(str, lengths)) for lengths in (before.node_prefix_lengths, cluster.node_prefix_lengths))
        problems.append(Problem("inventory", "", "sluice_node_prefix_lengths", f"has changed from {old} to {new}", f"{old}{advice}"))
    return problems


def _state(
    intent: Intent,
    cidrs: Mapping[str, tuple[str, ...]],
    pods: list[PlannedPod],
    given: Mapping[str, PodAllocation],
    vfs: Mapping[str, Vf],
    services: Mapping[str, Service],
) -> ClusterState:
    objects = intent.objects
    return ClusterState(
        intent.cluster,
        {
            name: Node(name, node.transport, cidrs[name], node.datapath, node.labels, node.encryption, node.keys, node.offload)
            for name, node in sorted(intent.nodes.items())
        },
        dict(sorted(objects.namespaces.items())),
        {pod.key: _pod(pod, given[pod.key], vfs.get(pod.key)) for pod in sorted(pods, key=lambda pod: pod.key)},
        services,
        dict(sorted(objects.endpoint_slices.items())),
        dict(sorted(objects.ingresses.items())),
        dict(sorted(objects.network_policies.items())),
        dict(sorted(objects.antrea_policies.items())),
        dict(sorted(objects.tiers.items())),
        dict(sorted(objects.groups.items())),
        dict(sorted(objects.admin_policies.items())),
    )


def _pod(pod: PlannedPod, given: PodAllocation, vf: Optional[Vf]) -> Pod:
    return Pod(
        pod.namespace,
        pod.name,
        given.node,
        pod.labels,
        pod.spec.ports,
        pod.owner,
        pod.spec.host_network,
        pod.spec.service_account,
        given.ips,
        given.mac,
        given.ofport,
        given.interface,
        pod.ready,
        pod.terminating,
        vf,
    )
