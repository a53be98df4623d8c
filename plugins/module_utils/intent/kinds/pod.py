# SPDX-License-Identifier: Apache-2.0
"""v1 Pod and PodTemplateSpec: what of them concerns the network and the placement; the rest of a PodSpec is not read."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Mapping

from ..fields import PORT, Fields, describe
from ..syntax import dns_subdomain, port_name
from .meta import Meta

PROTOCOLS = ("TCP", "UDP", "SCTP")


@dataclass(frozen=True)
class ContainerPort:
    port: int
    protocol: str = "TCP"
    name: str = ""


@dataclass(frozen=True)
class PodSpec:
    node_name: str = ""
    """Empty: placed by the plan."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    service_account: str = "default"
    ports: tuple[ContainerPort, ...] = ()
    """Of all containers, and of init containers that keep running (restartPolicy: Always)."""
    resources: Mapping[str, int] = field(default_factory=dict)
    """What its containers ask for of extended resources (names with a prefix), summed up."""
    has_affinity: bool = False
    """Whether it asks for (anti-)affinity or topology spreading, which the placement does not follow."""


@dataclass(frozen=True)
class Pod(Meta):
    spec: PodSpec = field(default_factory=PodSpec)
    ready: bool = True
    """False if its status says so, where an object was taken from a running cluster."""
    terminating: bool = False


@dataclass(frozen=True)
class PodTemplate:
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: PodSpec = field(default_factory=PodSpec)


def read_pod(meta: Meta, fields: Fields) -> Pod:
    ready = True
    for condition in fields.inside("status").items("conditions"):
        if condition.string("type") == "Ready":
            ready = condition.string("status") == "True"
    terminating = fields.inside("metadata").has("deletionTimestamp")
    return Pod(meta.namespace, meta.name, meta.labels, meta.annotations, _read_spec(fields.inside("spec")), ready, terminating)


def read_template(fields: Fields) -> PodTemplate:
    metadata = fields.inside("metadata")
    return PodTemplate(metadata.labels("labels"), metadata.annotations("annotations"), _read_spec(fields.inside("spec")))


def _read_spec(fields: Fields) -> PodSpec:
    # A pod without containers is refused by the API server; here it is enough to be a pod with a name.
    ports: list[ContainerPort] = []
    for container in fields.items("containers"):
        ports += _read_ports(container)
    for container in fields.items("initContainers"):
        if container.string("restartPolicy") == "Always":
            ports += _read_ports(container)
    return PodSpec(
        node_name=fields.string("nodeName"),
        node_selector=fields.labels("nodeSelector"),
        host_network=fields.boolean("hostNetwork"),
        service_account=fields.string("serviceAccountName", check=dns_subdomain)
        or fields.string("serviceAccount", check=dns_subdomain)
        or "default",
        ports=tuple(ports),
        resources=_extended_resources([*fields.items("containers")]),
        has_affinity=fields.has("affinity") or bool(fields.list("topologySpreadConstraints")),
    )


def _extended_resources(containers: Iterable[Fields]) -> dict[str, int]:
    """By ``resources.limits``; of extended resources a request has to be equal to the limit, which alone is enough (Kubernetes)."""
    found: dict[str, int] = {}
    for container in containers:
        limits = container.inside("resources").inside("limits")
        for name in limits.names():
            if "/" not in name or name.partition("/")[0].endswith("kubernetes.io"):
                limits.ignore(name)
                continue
            value = limits.raw(name)
            if isinstance(value, str) and value.isdigit():
                value = int(value)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                limits.problem(name, describe(value), "a whole number")
                continue
            found[name] = found.get(name, 0) + value
    return found


def _read_ports(container: Fields) -> list[ContainerPort]:
    ports = []
    names: set[str] = set()
    for item in container.items("ports"):
        item.required("containerPort", "a port's number")
        name = item.string("name", check=port_name)
        if name in names:
            item.problem("name", f"{name!r} is the name of two ports of one container", "another name")
        if name:
            names.add(name)
        ports.append(ContainerPort(item.integer("containerPort", 0, *PORT), item.string("protocol", "TCP", choices=PROTOCOLS), name))
    return ports
