# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes objects that Sluice understands, typed, with the API's defaults, and how each is read."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ..fields import Fields
from ..syntax import Check, dns_label, dns_subdomain
from .admin_policy import AdminPolicy, read_admin_network_policy, read_baseline_admin_network_policy, read_cluster_network_policy
from .antrea import AntreaGroup, AntreaPolicy, Tier
from .antrea_group import read_group, read_tier
from .antrea_policy import read_antrea_policy
from .endpoint_slice import Endpoint, EndpointPort, EndpointSlice, read_endpoint_slice
from .ingress import Ingress, IngressBackend, IngressPath, IngressRule, IngressTLS, read_ingress
from .meta import NAME_LABEL, Meta, Namespace
from .network_policy import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule, read_network_policy
from .pod import ContainerPort, Pod, PodSpec, PodTemplate, read_pod
from .selector import LabelSelector, LabelSelectorRequirement
from .service import Service, ServicePort, read_service
from .workload import (
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    ReplicaSet,
    StatefulSet,
    Workload,
    read_cron_job,
    read_daemon_set,
    read_deployment,
    read_job,
    read_replica_set,
    read_stateful_set,
)

__all__ = [
    "KINDS",
    "NAME_LABEL",
    "AdminPolicy",
    "AntreaGroup",
    "AntreaPolicy",
    "ContainerPort",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Endpoint",
    "EndpointPort",
    "EndpointSlice",
    "IPBlock",
    "Ingress",
    "IngressBackend",
    "IngressPath",
    "IngressRule",
    "IngressTLS",
    "Job",
    "Kind",
    "LabelSelector",
    "LabelSelectorRequirement",
    "Meta",
    "Namespace",
    "NetworkPolicy",
    "NetworkPolicyPeer",
    "NetworkPolicyPort",
    "NetworkPolicyRule",
    "Pod",
    "PodSpec",
    "PodTemplate",
    "ReplicaSet",
    "Service",
    "ServicePort",
    "StatefulSet",
    "Tier",
    "Workload",
    "api_group",
]


@dataclass(frozen=True)
class Kind:
    """How the objects of one kind are read."""

    api_version: str
    name: str
    read: Callable[[Meta, Fields], Meta]
    name_check: Check = dns_subdomain
    namespaced: bool = True
    strict: bool = False
    """Whether an unknown field is a problem: the kind is about the network, so a misspelt field would change who may talk to whom."""
    display: str = ""
    """How messages name it, where the name alone would not tell which of two kinds is meant."""

    @property
    def label(self) -> str:
        return self.display or self.name


def _read_namespace(meta: Meta, fields: Fields) -> Meta:
    return Namespace.named(meta.name, meta.labels, meta.annotations)


def api_group(api_version: str) -> str:
    """``apps`` of ``apps/v1``; empty for ``v1``."""
    return api_version.rpartition("/")[0]


ANTREA = "crd.antrea.io/v1beta1"
ADMIN = "policy.networking.k8s.io/v1alpha1"

KINDS = {
    (api_group(kind.api_version), kind.name): kind
    for kind in (
        Kind("v1", "Namespace", _read_namespace, dns_label, namespaced=False),
        Kind("v1", "Pod", read_pod),
        Kind("apps/v1", "Deployment", read_deployment),
        Kind("apps/v1", "ReplicaSet", read_replica_set),
        Kind("apps/v1", "StatefulSet", read_stateful_set),
        Kind("apps/v1", "DaemonSet", read_daemon_set),
        Kind("batch/v1", "Job", read_job),
        Kind("batch/v1", "CronJob", read_cron_job),
        Kind("v1", "Service", read_service, dns_label, strict=True),
        Kind("discovery.k8s.io/v1", "EndpointSlice", read_endpoint_slice, strict=True),
        Kind("networking.k8s.io/v1", "Ingress", read_ingress, strict=True),
        Kind("networking.k8s.io/v1", "NetworkPolicy", read_network_policy, strict=True),
        Kind(ANTREA, "ClusterNetworkPolicy", read_antrea_policy, namespaced=False, strict=True, display="AntreaClusterNetworkPolicy"),
        Kind(ANTREA, "NetworkPolicy", read_antrea_policy, strict=True, display="AntreaNetworkPolicy"),
        Kind(ANTREA, "Tier", read_tier, namespaced=False, strict=True),
        Kind(ANTREA, "ClusterGroup", read_group, namespaced=False, strict=True),
        Kind(ANTREA, "Group", read_group, strict=True),
        Kind(ADMIN, "AdminNetworkPolicy", read_admin_network_policy, namespaced=False, strict=True),
        Kind(ADMIN, "BaselineAdminNetworkPolicy", read_baseline_admin_network_policy, namespaced=False, strict=True),
        Kind("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", read_cluster_network_policy, namespaced=False, strict=True),
    )
}
"""By API group and name: Kubernetes, Antrea and the network policy API have kinds of one name."""
