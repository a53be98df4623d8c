# SPDX-License-Identifier: Apache-2.0
"""Clusters of a given size with policies and Services, as ClusterStates: what benchmarks compile, and what the gates on flow counts count.

Apps of ten pods each. A policy is about one app and has two rules in each direction; each lets one other app's
pods through at one port. A Service is one port of one app.
"""
from __future__ import annotations

import dataclasses
from random import Random
from typing import NamedTuple

from sluice.intent.kinds import Namespace, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule, Service
from sluice.intent.kinds.selector import LabelSelector
from sluice.intent.kinds.service import ServicePort
from sluice.intent.state import ClusterState
from states import cluster_state

NAMESPACE = "default"
PODS_PER_APP = 10
SERVICE_CIDR = "172.30.0.0/16"
SERVICE_PORT = 80
SERVICE_TARGET = 8080


class Size(NamedTuple):
    """How much there is of everything."""

    nodes: int
    pods_per_node: int
    policies: int
    services: int

    @property
    def apps(self) -> int:
        return self.nodes * self.pods_per_node // PODS_PER_APP


SIZES = {"small": Size(20, 50, 200, 500), "large": Size(500, 20, 1000, 2000)}


class PolicyRule(NamedTuple):
    """What both sides of a comparison are made from: a rule of a policy, by numbers of apps."""

    direction: str
    peer: int
    port: int


def policy_subject(size: Size, policy: int) -> int:
    """The app that a policy is about."""
    return policy % size.apps


def policy_rules(size: Size, policy: int) -> list[PolicyRule]:
    """The four rules of a policy."""
    subject = policy_subject(size, policy)
    return [PolicyRule(direction, (subject + 1 + index + policy // size.apps) % size.apps, 8080 + index)
            for index, direction in enumerate(("ingress", "ingress", "egress", "egress"))]


def service_app(size: Size, service: int) -> int:
    """The app whose pods are a Service's endpoints."""
    return service % size.apps


def service_address(service: int) -> str:
    return f"172.30.{service // 250}.{service % 250 + 1}"


def scale_state(size: Size) -> ClusterState:
    """The state of a cluster of that size, with IPv4 alone."""
    bare = cluster_state(size.nodes, size.pods_per_node, families=(4,), service_cidrs=(SERVICE_CIDR,))
    pods = {key: dataclasses.replace(pod, labels={"app": f"app{app}"}) for (key, pod), app in zip(bare.pods.items(), _apps_of_pods(size))}
    policies = {policy.key: policy for policy in (_policy(size, number) for number in range(size.policies))}
    services = {service.key: service for service in (_service(size, number) for number in range(size.services))}
    return dataclasses.replace(bare, pods=pods, namespaces={NAMESPACE: Namespace.named(NAMESPACE)}, network_policies=dict(sorted(policies.items())),
                               services=dict(sorted(services.items())))


def _apps_of_pods(size: Size) -> list[int]:
    """Spread at random, so that no two nodes have much in common; the same on every run."""
    apps = [number % size.apps for number in range(size.nodes * size.pods_per_node)]
    Random(0).shuffle(apps)
    return apps


def _policy(size: Size, number: int) -> NetworkPolicy:
    rules: dict[str, list[NetworkPolicyRule]] = {"ingress": [], "egress": []}
    for direction, peer, port in policy_rules(size, number):
        rules[direction].append(NetworkPolicyRule((NetworkPolicyPeer(_app(peer)),), (NetworkPolicyPort("TCP", port),)))
    return NetworkPolicy(NAMESPACE, f"policy{number}", pod_selector=_app(policy_subject(size, number)), policy_types=("Ingress", "Egress"),
                         ingress=tuple(rules["ingress"]), egress=tuple(rules["egress"]))


def _service(size: Size, number: int) -> Service:
    return Service(NAMESPACE, f"service{number}", cluster_ips=(service_address(number),), selector=(("app", f"app{service_app(size, number)}"),),
                   ports=(ServicePort(SERVICE_PORT, target_port=SERVICE_TARGET),))


def _app(number: int) -> LabelSelector:
    return LabelSelector((("app", f"app{number}"),))
