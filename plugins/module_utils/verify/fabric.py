# SPDX-License-Identifier: Apache-2.0
"""The pods and nodes of a cluster, as its artifacts say they are: what verification starts from."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from ..errors import InputError, Problem, SluiceError
from ..node.containers import DEFAULT_PORT


class Port(NamedTuple):
    protocol: str
    """tcp | udp"""
    number: int


class Place(NamedTuple):
    """A pod, or a node as itself: something that sends, or that is sent to."""

    name: str
    """``namespace/name`` of a pod, name of a node."""
    node: str
    addresses: Tuple[str, ...]
    """At most one a family. Of a node, and of a pod on its network: the gateways, which every pod can reach."""
    ports: Tuple[Port, ...]
    kind: str
    """pod | host_pod (on its node's network) | node"""


class Fabric(NamedTuple):
    pods: Tuple[Place, ...]
    """By node and name."""
    nodes: Tuple[Place, ...]
    """By name."""
    mtus: Mapping[str, int]
    """Node to the MTU of its pods' interfaces, in bytes."""

    @property
    def places(self) -> Tuple[Place, ...]:
        return self.pods + self.nodes

    def families(self) -> List[int]:
        """4 and 6, those that the cluster's pods have."""
        return sorted({6 if ":" in address else 4 for place in self.places for address in place.addresses})


def read_fabric(directory: Path) -> Fabric:
    """The fabric whose artifacts are in ``directory`` (a folder a node). Raises SluiceError or InputError."""
    programs = sorted(file.parent for file in directory.glob("*/pods.json"))
    if not programs:
        raise SluiceError(f"{directory} has no artifacts of a cluster; run the site playbook first, or name another folder")
    problems: List[Problem] = []
    read: Dict[str, Tuple[Any, Any]] = {}
    for program in programs:
        try:
            read[program.name] = (_json(program / "pods.json")["pods"], _json(program / "cni.conflist")["plugins"][0])
        except (OSError, ValueError, KeyError) as error:  # noqa: PERF203  each file's fault is told
            problems.append(Problem(str(program), "", "", f"cannot be read: {error!r}", "the artifacts of a node"))
    if problems:
        raise InputError(problems)
    return Fabric(
        pods=tuple(_pod(pod, node, cni) for node, (pods, cni) in read.items() for pod in sorted(pods, key=_key)),
        nodes=tuple(Place(node, node, tuple(cni["gateways"]), (), "node") for node, (_pods, cni) in read.items()),
        mtus={node: cni["mtu"] for node, (_pods, cni) in read.items()})


def _pod(pod: Mapping[str, Any], node: str, cni: Mapping[str, Any]) -> Place:
    ports = tuple(Port(port["protocol"].lower(), port["port"]) for port in pod["ports"] if port["protocol"] in ("TCP", "UDP"))
    if pod["host_network"]:
        return Place(_key(pod), node, tuple(cni["gateways"]), ports, "host_pod")
    if not pod["ports"]:
        protocol, _separator, number = DEFAULT_PORT.partition("/")
        ports = (Port(protocol.lower(), int(number)),)
    return Place(_key(pod), node, tuple(pod["ips"]), ports, "pod")


def _key(pod: Mapping[str, Any]) -> str:
    return f"{pod['namespace']}/{pod['name']}"


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
