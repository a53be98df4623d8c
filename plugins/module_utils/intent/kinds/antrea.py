# SPDX-License-Identifier: Apache-2.0
"""crd.antrea.io/v1beta1: ClusterNetworkPolicy, NetworkPolicy, Tier, ClusterGroup and Group."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from .meta import Meta
from .network_policy import IPBlock
from .selector import LabelSelector

ACTIONS = ("Allow", "Drop", "Reject", "Pass")
STATIC_TIERS = {"emergency": 50, "securityops": 100, "networkops": 150, "platform": 200, "application": 250, "baseline": 253}
"""The tiers that are always there, by name, with their priority: a lower one is evaluated first."""
TIER_DEFAULT = "application"
TIER_BASELINE = "baseline"


@dataclass(frozen=True)
class AntreaPeer:
    """Pods (by selectors, group or service account), nodes or addresses.

    In a ClusterNetworkPolicy a peer without ``namespace_selector`` means pods of all namespaces, in a NetworkPolicy those of its own.
    """

    pod_selector: Optional[LabelSelector] = None
    namespace_selector: Optional[LabelSelector] = None
    namespaces_self: bool = False
    """``namespaces: {match: Self}``: the namespace of the pod that the policy applies to."""
    namespaces_same_labels: tuple[str, ...] = ()
    """``namespaces: {sameLabels}``: namespaces that have the same values of these labels as that of the pod that the policy applies to."""
    node_selector: Optional[LabelSelector] = None
    group: str = ""
    """Key in ClusterState.groups."""
    service_account: str = ""
    """``namespace/name``"""
    ip_block: Optional[IPBlock] = None


@dataclass(frozen=True)
class AntreaAppliedTo:
    pod_selector: Optional[LabelSelector] = None
    namespace_selector: Optional[LabelSelector] = None
    group: str = ""
    """Key in ClusterState.groups."""
    service_account: str = ""
    """``namespace/name``"""


@dataclass(frozen=True)
class AntreaPort:
    protocol: str = "TCP"
    port: Union[int, str, None] = None
    end_port: Optional[int] = None
    source_port: Optional[int] = None
    source_end_port: Optional[int] = None


@dataclass(frozen=True)
class AntreaICMP:
    """``protocols: [{icmp: {icmpType, icmpCode}}]``; None: any."""

    type: Optional[int] = None
    code: Optional[int] = None


@dataclass(frozen=True)
class AntreaRule:
    action: str
    """Allow | Drop | Reject | Pass"""
    name: str = ""
    """As written, or Antrea's automatic one (reference: antrea.md 1.6, "Rule names")."""
    peers: tuple[AntreaPeer, ...] = ()
    """``from`` or ``to``; none: any, unless there are ``to_services``."""
    to_services: tuple[str, ...] = ()
    """``namespace/name`` of Services; egress only."""
    ports: tuple[AntreaPort, ...] = ()
    icmp: tuple[AntreaICMP, ...] = ()
    """No ports and no icmp: any protocol."""
    applied_to: tuple[AntreaAppliedTo, ...] = ()
    """The rule's own; none: the policy's."""
    enable_logging: bool = False
    log_label: str = ""


@dataclass(frozen=True)
class AntreaPolicy(Meta):
    """A ClusterNetworkPolicy (no namespace) or a NetworkPolicy of Antrea."""

    tier: str = TIER_DEFAULT
    priority: float = 1.0
    applied_to: tuple[AntreaAppliedTo, ...] = ()
    ingress: tuple[AntreaRule, ...] = ()
    egress: tuple[AntreaRule, ...] = ()

    @property
    def kind(self) -> str:
        """How problems, flows, logs and statistics name it: Antrea and Kubernetes both have a NetworkPolicy."""
        return "AntreaNetworkPolicy" if self.namespace else "AntreaClusterNetworkPolicy"


@dataclass(frozen=True)
class Tier(Meta):
    priority: int = 0
    description: str = ""


@dataclass(frozen=True)
class AntreaGroup(Meta):
    """A ClusterGroup (no namespace) or a Group: exactly one way to say who is in it."""

    pod_selector: Optional[LabelSelector] = None
    namespace_selector: Optional[LabelSelector] = None
    node_selector: Optional[LabelSelector] = None
    ip_blocks: tuple[IPBlock, ...] = ()
    service: str = ""
    """``namespace/name`` of the Service whose pods are in it."""
    child_groups: tuple[str, ...] = ()
    """Keys in ClusterState.groups."""

    @property
    def kind(self) -> str:
        return "Group" if self.namespace else "ClusterGroup"
