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
) -> Intent:
    """Nodes by name with their labels, and the items of sluice_pods."""
    objects, warnings, problems = read_objects(variable_documents("sluice_pods", pods))
    assert not problems, problems
    with_implied_namespaces(objects)
    transport = Transport("eth1", ("192.0.2.1/24",), 1500)
    made = {name: NodeIntent(name, transport, "system", {"kubernetes.io/hostname": name, **labels}) for name, labels in nodes.items()}
    return Intent(Cluster("test", tuple(pod_cidrs), (), prefix_lengths), made, objects, tuple(warnings), "/artifacts", "/allocations.yml")


def deployment(name: str, replicas: int, kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "spec": {"replicas": replicas, "template": {"spec": spec}}}


def pod(name: str, ips: str = "", **spec: Any) -> dict[str, Any]:
    annotations = {"sluice.io/ips": ips} if ips else {}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": spec}
