# SPDX-License-Identifier: Apache-2.0
"""Reading Antrea's Tier, ClusterGroup and Group, as strictly as their CRDs and Antrea's admission webhook do."""
from __future__ import annotations

from ..fields import Fields, one_of
from ..syntax import cidr, dns_subdomain
from .antrea import STATIC_TIERS, AntreaGroup, Tier
from .antrea_policy import read_reference
from .meta import Meta
from .network_policy import read_ip_block
from .selector import read_selector

TIER_PRIORITIES = (1, 249)
"""Of custom tiers: from 250 on there are the tier application and what comes after it."""
TIER_ADMIN_PRIORITY = 220
"""Where AdminNetworkPolicies, and ClusterNetworkPolicies of the tier Admin, are evaluated."""

WAYS = ("podSelector", "namespaceSelector", "nodeSelector", "ipBlocks", "serviceReference", "childGroups")


def read_tier(meta: Meta, fields: Fields) -> Tier:
    """A custom tier; whether another has its priority is not looked at here."""
    spec = fields.inside("spec")
    fields.ignore("status")
    fields.no_others()
    low, high = TIER_PRIORITIES
    spec.required("priority", f"a number from {low} to {high}")
    priority = spec.integer("priority", 0, low, high)
    description = spec.string("description")
    spec.no_others()
    if meta.name in STATIC_TIERS:
        fields.problem("metadata.name", f"is {meta.name!r}, a tier that is always there", "another name")
    if priority == TIER_ADMIN_PRIORITY:
        spec.problem("priority", f"is {priority}, which is that of AdminNetworkPolicies", "another number")
    return Tier(meta.namespace, meta.name, meta.labels, meta.annotations, priority, description)


def read_group(meta: Meta, fields: Fields) -> AntreaGroup:
    """A ClusterGroup, or a Group, which knows no nodes; whether its child groups exist is not looked at here."""
    spec = fields.inside("spec")
    fields.ignore("status")
    fields.no_others()
    if spec.has("externalEntitySelector"):
        spec.not_built("externalEntitySelector", "a group of external entities")
        return AntreaGroup(meta.namespace, meta.name)
    ways = tuple(way for way in WAYS if way != "nodeSelector" or not meta.namespace)
    pods, namespaces = spec.mapping("podSelector"), spec.mapping("namespaceSelector")
    nodes = spec.mapping("nodeSelector") if "nodeSelector" in ways else None
    blocks = tuple(filter(None, map(read_ip_block, spec.items("ipBlocks"))))
    service = spec.mapping("serviceReference")
    service_key = read_reference(service, meta.namespace) if service else ""
    prefix = f"{meta.namespace}/" if meta.namespace else ""
    children = tuple(prefix + name for name in spec.strings("childGroups", dns_subdomain))
    spec.no_others()
    found = [way for way in ways if spec.has(way)]
    if len(found) != 1 and found != ["podSelector", "namespaceSelector"]:
        spec.problem("", f"has {' and '.join(found) or 'no members'}", f"{one_of(ways)}; podSelector and namespaceSelector may be combined")
    networks = [cidr(block.cidr) for block in blocks]
    if len({network.is_multicast for network in networks if network}) > 1:
        spec.problem("ipBlocks", "has multicast addresses and others", "two groups")
    return AntreaGroup(
        meta.namespace,
        meta.name,
        meta.labels,
        meta.annotations,
        read_selector(pods) if pods else None,
        read_selector(namespaces) if namespaces else None,
        read_selector(nodes) if nodes else None,
        blocks,
        service_key,
        children,
    )
