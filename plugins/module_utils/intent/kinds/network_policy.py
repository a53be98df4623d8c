# SPDX-License-Identifier: Apache-2.0
"""networking.k8s.io/v1 NetworkPolicy, with the API server's defaulting and validation."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from ..fields import PORT, Fields
from ..syntax import cidr, is_cidr
from .meta import Meta
from .pod import PROTOCOLS
from .selector import EVERYTHING, LabelSelector, read_selector

POLICY_TYPES = ("Ingress", "Egress")


@dataclass(frozen=True)
class IPBlock:
    """Addresses in ``cidr`` that are in none of ``excepts``; all without host bits."""

    cidr: str
    excepts: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkPolicyPeer:
    """Either selectors or an address block. Without ``namespace_selector``, ``pod_selector`` means the policy's own namespace."""

    pod_selector: Optional[LabelSelector] = None
    namespace_selector: Optional[LabelSelector] = None
    ip_block: Optional[IPBlock] = None


@dataclass(frozen=True)
class NetworkPolicyPort:
    protocol: str = "TCP"
    port: Union[int, str, None] = None
    """Number, name of a container port, or None for all ports."""
    end_port: Optional[int] = None
    """The last port of the range that begins at ``port``; None for that port alone."""


@dataclass(frozen=True)
class NetworkPolicyRule:
    """Allows what is of one of the peers and on one of the ports; no peers or no ports means any."""

    peers: tuple[NetworkPolicyPeer, ...] = ()
    ports: tuple[NetworkPolicyPort, ...] = ()


@dataclass(frozen=True)
class NetworkPolicy(Meta):
    pod_selector: LabelSelector = EVERYTHING
    policy_types: tuple[str, ...] = ("Ingress",)
    """The directions in which the selected pods are isolated; rules of a direction that is not named have no effect."""
    ingress: tuple[NetworkPolicyRule, ...] = ()
    egress: tuple[NetworkPolicyRule, ...] = ()


def read_network_policy(meta: Meta, fields: Fields) -> NetworkPolicy:
    spec = fields.inside("spec")
    fields.ignore("status")
    fields.no_others()
    pod_selector = read_selector(spec.inside("podSelector"))
    ingress = tuple(_read_rule(rule, "from") for rule in spec.items("ingress"))
    egress = tuple(_read_rule(rule, "to") for rule in spec.items("egress"))
    policy_types = spec.strings("policyTypes", choices=POLICY_TYPES)
    spec.no_others()
    if not policy_types:
        policy_types = POLICY_TYPES if egress else ("Ingress",)
    policy_types = tuple(direction for direction in POLICY_TYPES if direction in policy_types)
    return NetworkPolicy(meta.namespace, meta.name, meta.labels, meta.annotations, pod_selector, policy_types, ingress, egress)


def _read_rule(fields: Fields, peers: str) -> NetworkPolicyRule:
    rule = NetworkPolicyRule(
        tuple(_read_peer(peer) for peer in fields.items(peers)), tuple(_read_port(port) for port in fields.items("ports"))
    )
    fields.no_others()
    named = [port.port for port in rule.ports if isinstance(port.port, str)]
    if peers == "to" and named and rule.peers and all(peer.ip_block for peer in rule.peers):
        fields.problem("ports", f"names a port ({named[0]}), and the addresses in to have no ports with names", "the port's number")
    return rule


def _read_peer(fields: Fields) -> NetworkPolicyPeer:
    pods, namespaces, block = fields.mapping("podSelector"), fields.mapping("namespaceSelector"), fields.mapping("ipBlock")
    fields.no_others()
    if not (pods or namespaces or block):
        fields.problem("", "selects nothing", "podSelector, namespaceSelector or ipBlock")
    if block and (pods or namespaces):
        fields.problem("ipBlock", "stands beside a selector", "a peer of its own")
    return NetworkPolicyPeer(
        read_selector(pods) if pods else None, read_selector(namespaces) if namespaces else None, read_ip_block(block) if block else None
    )


def read_ip_block(fields: Fields) -> Optional[IPBlock]:
    """None if its cidr is none, which is a problem then."""
    fields.required("cidr", is_cidr(""))
    text = fields.string("cidr", check=is_cidr)
    whole = cidr(text)
    excepts = []
    for index, item in enumerate(fields.strings("except", is_cidr)):
        part = cidr(item)
        if whole and part:
            inside = part.version == whole.version and part.prefixlen > whole.prefixlen and part.network_address in whole
            if not inside:
                fields.problem(f"except[{index}]", f"{item} is not a part of {text}", f"a network inside {text} and smaller than it")
            excepts.append(str(part))
    fields.no_others()
    return IPBlock(str(whole), tuple(excepts)) if whole else None


def _read_port(fields: Fields) -> NetworkPolicyPort:
    protocol = fields.string("protocol", "TCP", choices=PROTOCOLS)
    port = fields.port("port")
    end = fields.integer("endPort", 0, *PORT) or None
    fields.no_others()
    if fields.has("endPort"):
        if isinstance(port, str):
            fields.problem("endPort", f"cannot follow a named port ({port})", "a number in port")
        elif not fields.has("port"):
            fields.problem("endPort", "stands without port", "port, the first port of the range")
        elif port is not None and end is not None and end < port:
            fields.problem("endPort", f"is {end}, less than port ({port})", f"a number from {port} to 65535")
    return NetworkPolicyPort(protocol, port, end)
