# SPDX-License-Identifier: Apache-2.0
"""The one way in: an inventory's variables, its manifests and the facts of its hosts become an Intent, or a list of all problems."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Mapping, Optional

from ..errors import InputError, Problem
from .encryption import check_encryption
from .manifests import read_manifests, variable_documents
from .nodes import NodeIntent, check_nodes, read_node
from .objects import Objects, read_objects, with_implied_namespaces
from .policies import check_policies
from .state import Cluster
from .variables import INVENTORY, check_names, check_uniform, read_cluster, read_host


@dataclass(frozen=True)
class Intent:
    """What the inventory says, validated; pods are not placed yet and have no addresses."""

    cluster: Cluster
    nodes: Mapping[str, NodeIntent]
    objects: Objects
    warnings: tuple[str, ...]
    artifacts_dir: str
    """Absolute."""
    allocations_file: str
    """Absolute."""


def load(
    cluster_vars: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], base_dir: str, extra_known: Collection[str] = ()
) -> Intent:
    """The intent of an inventory in ``base_dir``.

    ``hosts``: name to ``{"vars": its variables, "facts": what read_node() wants}``; the variables may hold those of the cluster too,
    and others that are not Sluice's. ``extra_known``: names of sluice_* variables that belong to roles and playbooks.
    Raises InputError with every problem there is.
    """
    intent, problems = collect(cluster_vars, hosts, base_dir, extra_known)
    if problems or intent is None:
        raise InputError(problems)
    return intent


def collect(
    cluster_vars: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], base_dir: str, extra_known: Collection[str] = ()
) -> tuple[Optional[Intent], list[Problem]]:
    """As :func:`load`, but gives the problems beside what could be read (None if no address can be planned)."""
    problems: list[Problem] = []
    host_vars = {host: given.get("vars") or {} for host, given in hosts.items()}
    check_names(cluster_vars, host_vars, extra_known, problems)
    check_uniform(cluster_vars, host_vars, problems)
    settings = read_cluster(cluster_vars, problems)

    documents, file_problems = read_manifests(settings.manifests, base_dir)
    for variable, values in settings.objects.items():
        documents += variable_documents(variable, values)
    objects, warnings, object_problems = read_objects(documents, settings.cluster.unsupported)
    with_implied_namespaces(objects)
    policy_warnings, policy_problems = check_policies(objects)
    problems += file_problems + object_problems + policy_problems

    if not hosts:
        problems.append(Problem(INVENTORY, "", "sluice_nodes", "has no hosts", "at least one"))
    nodes = {}
    for host in sorted(hosts):
        host_settings = read_host(host, host_vars[host], problems)
        nodes[host] = read_node(host, host_settings, hosts[host].get("facts") or {}, settings.cluster, problems)
    check_nodes(nodes, settings.cluster, problems)
    check_encryption(nodes, settings.cluster, bool(cluster_vars.get("sluice_ipsec_secret")), INVENTORY, problems)
    if not settings.plannable:
        return None, problems
    intent = Intent(
        settings.cluster,
        nodes,
        objects,
        (*warnings, *policy_warnings),
        str(Path(base_dir, settings.artifacts_dir).absolute()),
        str(Path(base_dir, settings.allocations_file).absolute()),
    )
    return intent, problems
