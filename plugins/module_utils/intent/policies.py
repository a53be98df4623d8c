# SPDX-License-Identifier: Apache-2.0
"""What policies, tiers and groups say of each other, and of Services.

As in Antrea (reference: antrea.md 1.6), the tier of a policy has to exist, while a reference to a group or a Service that does not exist
selects nothing.
"""
from __future__ import annotations

from typing import Iterable, Iterator

from ..errors import Problem
from .kinds import AntreaGroup, AntreaPolicy
from .kinds.antrea import STATIC_TIERS
from .objects import Objects, some_names

TIERS_MAX = 20
"""With the static ones."""


def check_policies(objects: Objects) -> tuple[list[str], list[Problem]]:
    """Warnings and problems."""
    problems = [*_tier_problems(objects), *_group_problems(objects)]
    warnings: list[str] = []
    for key, group in sorted(objects.groups.items()):
        warnings += _missing(objects, f"{group.kind} {key}", _references_of_group(group))
    for key, policy in sorted(objects.antrea_policies.items()):
        if policy.tier not in STATIC_TIERS and f"Tier {policy.tier}" not in objects.files:
            known = "one of " + ", ".join([*STATIC_TIERS, *sorted(objects.tiers)])
            problems.append(objects.problem(policy.kind, key, "spec.tier", f"is {policy.tier!r}, and there is no such tier", known))
        warnings += _missing(objects, f"{policy.kind} {key}", _references_of_policy(policy))
        problems += _applied_group_problems(objects, policy)
    return warnings + _ties(objects), problems


def _tier_problems(objects: Objects) -> Iterator[Problem]:
    owners = {priority: name for name, priority in STATIC_TIERS.items()}
    for number, (name, tier) in enumerate(sorted(objects.tiers.items()), len(STATIC_TIERS) + 1):
        owner = owners.setdefault(tier.priority, name)
        if owner != name:
            yield objects.problem("Tier", name, "spec.priority", f"is {tier.priority}, which is that of the tier {owner}", "another number")
        if number > TIERS_MAX:
            yield objects.problem("Tier", name, "", f"is tier number {number}", f"at most {TIERS_MAX}, with the {len(STATIC_TIERS)} static ones")


def _group_problems(objects: Objects) -> Iterator[Problem]:
    for key, group in sorted(objects.groups.items()):
        for index, child in enumerate(group.child_groups):
            if child in objects.groups and objects.groups[child].child_groups:
                message = f"{child} has child groups of its own"
                yield objects.problem(group.kind, key, f"spec.childGroups[{index}]", message, "a group without child groups")


def _references_of_group(group: AntreaGroup) -> Iterator[tuple[str, str, str]]:
    """Path, kind and key of each object that a group or a policy refers to."""
    for index, child in enumerate(group.child_groups):
        yield f"spec.childGroups[{index}]", group.kind, child
    if group.service:
        yield "spec.serviceReference", "Service", group.service


def _references_of_policy(policy: AntreaPolicy) -> Iterator[tuple[str, str, str]]:
    for path, group in _applied_groups(policy):
        yield path, "Group" if policy.namespace else "ClusterGroup", group
    for direction, peers, rules in (("ingress", "from", policy.ingress), ("egress", "to", policy.egress)):
        for number, rule in enumerate(rules):
            for index, peer in enumerate(rule.peers):
                if peer.group:
                    yield f"spec.{direction}[{number}].{peers}[{index}].group", "Group" if policy.namespace else "ClusterGroup", peer.group
            for index, service in enumerate(rule.to_services):
                yield f"spec.{direction}[{number}].toServices[{index}]", "Service", service


def _applied_groups(policy: AntreaPolicy) -> Iterator[tuple[str, str]]:
    for index, item in enumerate(policy.applied_to):
        if item.group:
            yield f"spec.appliedTo[{index}].group", item.group
    for direction, rules in (("ingress", policy.ingress), ("egress", policy.egress)):
        for number, rule in enumerate(rules):
            for index, item in enumerate(rule.applied_to):
                if item.group:
                    yield f"spec.{direction}[{number}].appliedTo[{index}].group", item.group


def _missing(objects: Objects, owner: str, references: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    for path, kind, key in references:
        if key not in (objects.services if kind == "Service" else objects.groups):
            yield f"{owner}: {path}: there is no {kind} {key}, so this selects nothing"


def _applied_group_problems(objects: Objects, policy: AntreaPolicy) -> Iterator[Problem]:
    """A policy applies to pods, and one that is in a namespace to pods of that namespace alone, also where it applies to a group."""
    for path, key in _applied_groups(policy):
        group = objects.groups.get(key)
        for member in [group, *(objects.groups.get(child) for child in group.child_groups)] if group else ():
            if member is None:
                continue
            if member.ip_blocks or member.node_selector:
                what = "ipBlocks" if member.ip_blocks else "a nodeSelector"
                yield objects.problem(policy.kind, policy.key, path, f"{member.key} has {what}, to which no policy applies", "a group of pods")
            elif policy.namespace and (member.namespace_selector or member.service.partition("/")[0] not in ("", policy.namespace)):
                expected = f"a group of pods of {policy.namespace}, or a ClusterNetworkPolicy"
                yield objects.problem(policy.kind, policy.key, path, f"{member.key} may have pods of other namespaces", expected)


def _ties(objects: Objects) -> list[str]:
    """Policies between which nothing that their authors wrote decides."""
    places: dict[tuple[str, float], list[str]] = {}
    for key, policy in objects.antrea_policies.items():
        places.setdefault((f"the tier {policy.tier}", policy.priority), []).append(f"{policy.kind} {key}")
    for place, admin in objects.admin_policies.items():
        places.setdefault((f"the tier {admin.tier} of AdminNetworkPolicies", admin.priority), []).append(place)
    return [
        f"{some_names(sorted(names))} have the same priority ({priority:g}) in {tier}: where they disagree, the first by kind and name decides"
        for (tier, priority), names in sorted(places.items())
        if len(names) > 1
    ]
