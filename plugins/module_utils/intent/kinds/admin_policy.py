# SPDX-License-Identifier: Apache-2.0
"""policy.networking.k8s.io: AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1), ClusterNetworkPolicy (v1alpha2)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from .meta import Meta
from .selector import EVERYTHING, LabelSelector

ADMIN, BASELINE = "Admin", "Baseline"


@dataclass(frozen=True)
class AdminSubject:
    """Pods in matching namespaces (and of them those that ``pod_selector`` matches)."""

    namespace_selector: LabelSelector = EVERYTHING
    pod_selector: LabelSelector = EVERYTHING


@dataclass(frozen=True)
class AdminPeer:
    """Exactly one of pods (``subject``), nodes and networks."""

    pods: Optional[AdminSubject] = None
    nodes: Optional[LabelSelector] = None
    networks: tuple[str, ...] = ()
    """CIDRs without host bits."""


@dataclass(frozen=True)
class AdminPort:
    """A protocol's port, range or named port; ``port`` None: all ports of the protocol."""

    protocol: str = "TCP"
    """Empty with a named port that says no protocol: the protocol is the named container port's."""
    port: Union[int, str, None] = None
    end_port: Optional[int] = None


@dataclass(frozen=True)
class AdminRule:
    action: str
    """Allow | Deny | Pass (v1alpha2's Accept is Allow)"""
    name: str = ""
    peers: tuple[AdminPeer, ...] = ()
    """At least one."""
    ports: tuple[AdminPort, ...] = ()
    """None: any protocol."""


@dataclass(frozen=True)
class AdminPolicy(Meta):
    kind: str = "AdminNetworkPolicy"
    """AdminNetworkPolicy | BaselineAdminNetworkPolicy | ClusterNetworkPolicy"""
    tier: str = ADMIN
    """Admin | Baseline"""
    priority: int = 0
    """0 to 1000; a lower one is evaluated first. A BaselineAdminNetworkPolicy, of which there is one, has 0."""
    subject: AdminSubject = AdminSubject()  # noqa: RUF009 - immutable
    ingress: tuple[AdminRule, ...] = ()
    egress: tuple[AdminRule, ...] = ()
