# SPDX-License-Identifier: Apache-2.0
"""Intents without hosts and files around them."""
from __future__ import annotations

from typing import Any, Mapping, Sequence

from sluice.intent.load import Intent
from sluice.intent.manifests import variable_documents
from sluice.intent.nodes import NodeIntent
from sluice.intent.objects import read_objects, with_implied_namespaces
from sluice.intent.state import Cluster, Transport


def intent(
    nodes: Mapping[str, Mapping[str, str]],
    pods: Sequence[Mapping[str, Any]],
    pod_cidrs: Sequence[str] = ("10.10.0.0/16",),
    prefix_lengths: tuple[int, ...] = (24,),
    services: Sequence[Mapping[str, Any]] = (),
    service_cidrs: Sequence[str] = (),
    datapath: str = "system",
    unsupported: str = "refuse",
) -> Intent:
    """Nodes by name with their labels, and the items of sluice_pods and sluice_services."""
    objects, warnings, problems = read_objects([*variable_documents("sluice_pods", pods), *variable_documents("sluice_services", services)])
    assert not problems, problems
    with_implied_namespaces(objects)
    transport = Transport("eth1", ("192.0.2.1/24",), 1500)
    made = {name: NodeIntent(name, transport, datapath, {"kubernetes.io/hostname": name, **labels}) for name, labels in nodes.items()}
    cluster = Cluster("test", tuple(pod_cidrs), tuple(service_cidrs), prefix_lengths, unsupported=unsupported)
    return Intent(cluster, made, objects, tuple(warnings), "/artifacts", "/allocations.yml")


def deployment(name: str, replicas: int, kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "spec": {"replicas": replicas, "template": {"spec": spec}}}


def pod(name: str, ips: str = "", **spec: Any) -> dict[str, Any]:
    annotations = {"sluice.io/ips": ips} if ips else {}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": spec}


def service(name: str, ports: Any = 80, **spec: Any) -> dict[str, Any]:
    """``ports``: the number of a single port, or the list."""
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": ports}] if isinstance(ports, int) else ports, **spec}}
