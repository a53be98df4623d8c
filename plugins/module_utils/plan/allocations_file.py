# SPDX-License-Identifier: Apache-2.0
"""``allocations.yml``: what has been given out, in a file that is committed beside the inventory, one line an object."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Union

from ..errors import Problem
from ..intent.fields import Fields, Source, describe
from ..intent.manifests import yaml_documents
from ..intent.syntax import is_address
from .addresses import OFPORT_FIRST_DYNAMIC, OFPORT_FIRST_POD

HEADER = """\
# Addresses, MACs and ports that Sluice has given to nodes, pods and Services. Sluice writes this file; commit it with the inventory.
# What is here never moves while its object lives. Remove a pod's or Service's line to have it placed or addressed anew.
"""

NODE_PORT = (30000, 32767)
"""First and last; the API server's default for --service-node-port-range, of which the ports for health checks are too."""

INTERFACE_LENGTH = 15
"""Linux's IFNAMSIZ without the terminating zero."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_YAML_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
_LINE = re.compile(r'(  )?("(?:[^"\\]|\\.)*"|[^\s"#:]+):(?: (.+))?')
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class PodAllocation:
    """What one pod has been given; a pod in the host's network has a node and nothing else."""

    node: str
    owner: str = ""
    """kind/name of its workload; empty for a bare Pod."""
    replica: Union[int, str, None] = None
    """Which of the workload's pods it is: a number, or for a DaemonSet the node that it was made for."""
    ips: tuple[str, ...] = ()
    mac: str = ""
    ofport: int = 0
    interface: str = ""
    vf: str = ""
    """The virtual function that it has, as resource:interface/number; empty: a veth pair."""


@dataclass(frozen=True)
class ServiceAllocation:
    """What one Service has been given; what is written in the Service itself is not here."""

    ips: tuple[str, ...] = ()
    """Cluster IPs, at most one a family."""
    node_ports: Mapping[str, int] = field(default_factory=dict)
    """By protocol and number of the Service's port (TCP/80)."""
    health_check_node_port: int = 0


@dataclass(frozen=True)
class Allocations:
    """The content of the file; the empty one is what a new cluster has."""

    cluster: str = ""
    pod_cidrs: tuple[str, ...] = ()
    node_prefix_lengths: tuple[int, ...] = ()
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Node to its pod CIDRs, in the cluster's order."""
    pods: Mapping[str, PodAllocation] = field(default_factory=dict)
    """By ``namespace/name``."""
    services: Mapping[str, ServiceAllocation] = field(default_factory=dict)
    """By ``namespace/name``; a Service that was given nothing is not here."""


def render(allocations: Allocations) -> str:
    """The file's text: sorted, so that the same allocations give the same bytes and a change is a change of its own lines."""
    lines = [
        HEADER,
        f"cluster: {_key(allocations.cluster)}\n",
        f"pod_cidrs: {json.dumps(allocations.pod_cidrs)}\n",
        f"node_prefix_lengths: {json.dumps(allocations.node_prefix_lengths)}\n",
    ]
    sections: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("nodes", allocations.nodes),
        ("pods", allocations.pods),
        ("services", allocations.services),
    )
    for title, section in sections:
        lines.append(f"{title}:\n" if section else f"{title}: {{}}\n")
        lines += [f"  {_key(name)}: {json.dumps(_plain(section[name]))}\n" for name in sorted(section)]
    return "".join(lines)


def _key(name: str) -> str:
    return name if _is_plain(name) else json.dumps(name)


def _is_plain(text: str) -> bool:
    """Whether YAML reads it as a string without quotes."""
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _YAML_WORDS


def _plain(value: object) -> object:
    if isinstance(value, PodAllocation):
        return _plain_pod(value)
    if isinstance(value, ServiceAllocation):
        given = {"ips": value.ips, "node_ports": dict(sorted(value.node_ports.items())), "health_check_node_port": value.health_check_node_port}
        return {name: part for name, part in given.items() if part}
    return value


def _plain_pod(value: PodAllocation) -> dict[str, object]:
    plain: dict[str, object] = {"node": value.node}
    if value.owner:
        plain.update(owner=value.owner, replica=value.replica)
    if value.ips:
        plain.update(ips=value.ips, mac=value.mac, ofport=value.ofport, interface=value.interface)
    if value.vf:
        plain.update(vf=value.vf)
    return plain


def parse(text: str, file: str, problems: list[Problem]) -> Allocations:
    """The allocations in a file's text, whose name is for messages; what is wrong with them goes to ``problems``."""
    value: object = _parse_rendered(text)
    if value is None:
        values = [document for _line, document in yaml_documents(file, text, problems)]
        value = values[0] if values else {}
    if not isinstance(value, Mapping):
        problems.append(Problem(file, "", "", describe(value), "the file as Sluice wrote it"))
        return Allocations()
    fields = Fields(Source(file, "", problems), value)
    nodes = fields.inside("nodes")
    allocations = Allocations(
        fields.string("cluster"),
        fields.strings("pod_cidrs"),
        tuple(length for length in fields.list("node_prefix_lengths") if isinstance(length, int)),
        {name: nodes.strings(name) for name in nodes.names()},
        {name: _parse_pod(pod) for name, pod in fields.inside("pods").children()},
        {name: _parse_service(service) for name, service in fields.inside("services").children()},
    )
    fields.no_others()
    return allocations


def _parse_pod(fields: Fields) -> PodAllocation:
    fields.required("node", "the name of a node")
    replica = fields.raw("replica")
    if replica is not None and not isinstance(replica, (int, str)):
        fields.problem("replica", describe(replica), "a number, or a node's name")
        replica = None
    pod = PodAllocation(
        fields.string("node"),
        fields.string("owner"),
        replica,
        fields.strings("ips", is_address),
        fields.string("mac", check=lambda text: "" if _MAC.fullmatch(text) else "six bytes such as 0a:1b:2c:3d:4e:5f"),
        fields.integer("ofport", 0, OFPORT_FIRST_POD, OFPORT_FIRST_DYNAMIC - 1),
        fields.string("interface", check=_interface_name),
        fields.string("vf"),
    )
    if pod.ips:
        for name in ("mac", "ofport", "interface"):
            fields.required(name, "what Sluice wrote")
    fields.no_others()
    return pod


def _parse_service(fields: Fields) -> ServiceAllocation:
    ports = fields.inside("node_ports")
    service = ServiceAllocation(
        fields.strings("ips", is_address),
        {name: ports.integer(name, 0, *NODE_PORT) for name in ports.names()},
        fields.integer("health_check_node_port", 0, *NODE_PORT),
    )
    fields.no_others()
    return service


def _interface_name(text: str) -> str:
    return "" if 0 < len(text) <= INTERFACE_LENGTH else f"at most {INTERFACE_LENGTH} characters"


def _parse_rendered(text: str) -> Optional[dict[str, Any]]:
    """The value of a file that is just as :func:`render` writes it, many times faster than by YAML; None if it is not."""
    value: dict[str, Any] = {}
    section: Optional[dict[str, Any]] = None
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        indent, key, content = match.groups()
        target = section if indent else value
        try:
            name = json.loads(key) if key.startswith('"') else key
            if target is None or name in target:
                return None
            if not indent:
                section = None
            if content is not None:
                target[name] = content if _is_plain(content) else json.loads(content)
            elif indent:
                return None
            else:
                section = target[name] = {}
        except ValueError:
            return None
    return value
