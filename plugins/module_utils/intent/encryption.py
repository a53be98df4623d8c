# SPDX-License-Identifier: Apache-2.0
"""The variables that say how traffic between nodes is encrypted, and what of them and the nodes fits together."""
from __future__ import annotations

import re
from typing import Any, Mapping, Protocol

from ..errors import Problem
from ..plan.esp import CIPHERS, GROUPS
from .fields import PORT, Fields, Source, describe
from .state import Cluster, Ipsec, Keys, WireGuard

AUTHENTICATIONS = ("psk", "self_signed", "ca")
SECRET_MINIMUM = 32
"""Characters. What derives keys from a secret adds no strength to it (RFC 5869 section 4): 128 bits are 32 hexadecimal digits."""
_HOST_NAME = re.compile(r"(?=.{1,63}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


class EncryptedNode(Protocol):
    """What is looked at of a node here."""

    @property
    def encryption(self) -> str: ...
    @property
    def datapath(self) -> str: ...
    @property
    def keys(self) -> Keys: ...


def read_ipsec(value: object, source: Source) -> Ipsec:
    """``sluice_ipsec``; what is wrong goes to the source's problems."""
    fields = Fields(source, {"sluice_ipsec": value}).inside("sluice_ipsec")
    default = Ipsec()
    ipsec = Ipsec(
        fields.string("authentication", default.authentication, choices=AUTHENTICATIONS),
        fields.boolean("strict", default.strict),
        fields.boolean("nat_traversal", default.nat_traversal),
        fields.string("cipher", default.cipher, choices=tuple(CIPHERS)),
        fields.string("group", default.group, choices=GROUPS),
    )
    fields.no_others()
    return ipsec


def read_wireguard(value: object, source: Source) -> WireGuard:
    """``sluice_wireguard``; what is wrong goes to the source's problems."""
    fields = Fields(source, {"sluice_wireguard": value}).inside("sluice_wireguard")
    default = WireGuard()
    wireguard = WireGuard(fields.integer("port", default.port, *PORT), fields.integer("persistent_keepalive", 0, 0, 65535))
    fields.no_others()
    return wireguard


def check_secret(value: object, source: Source) -> None:
    """``sluice_ipsec_secret``, of which no message shows more than its length."""
    name = "sluice_ipsec_secret"
    expected = f"a string of at least {SECRET_MINIMUM} characters, such as `openssl rand -hex 32` makes"
    if value is None or value == "":
        return
    if not isinstance(value, str):
        source.problem(name, describe(value).partition(" (")[0], expected)
    elif len(value) < SECRET_MINIMUM:
        source.problem(name, f"has {len(value)} characters", expected)


def read_keys(facts: Mapping[str, Any]) -> Keys:
    """What was found on a node of its keys: the fields of :class:`.state.Keys`."""
    return Keys(
        str(facts.get("wireguard") or ""),
        str(facts.get("certificate") or ""),
        tuple(map(str, facts.get("authorities") or ())),
        tuple(map(str, facts.get("revocations") or ())),
    )


def check_encryption(nodes: Mapping[str, EncryptedNode], cluster: Cluster, has_secret: bool, file: str, problems: list[Problem]) -> None:
    """What the nodes' encryption asks of the cluster and of the nodes."""

    def refuse(name: str, message: str, expected: str, path: str = "sluice_encryption") -> None:
        problems.append(Problem(file, f"host {name}" if name else "", path, message, expected))

    by_kind = {kind: [name for name in sorted(nodes) if nodes[name].encryption == kind] for kind in ("ipsec", "wireguard")}
    if by_kind["ipsec"] and cluster.traffic_mode == "no_encap":
        refuse("", "is ipsec, which encrypts tunnels, and sluice_traffic_mode no_encap has none", "sluice_traffic_mode encap or hybrid")
    if by_kind["wireguard"] and cluster.traffic_mode != "encap":
        message = f"is wireguard, which takes the place of tunnels between all nodes, and sluice_traffic_mode is {cluster.traffic_mode}"
        refuse("", message, "sluice_traffic_mode encap")
    for name in by_kind["ipsec"]:
        if nodes[name].datapath == "netdev":
            message = "is ipsec, but sluice_datapath netdev sends tunnel packets without the kernel, which is what encrypts them"
            refuse(name, message, "wireguard, or sluice_datapath system")
    if len(by_kind["wireguard"]) > 1:
        for name in by_kind["wireguard"]:
            if not nodes[name].keys.wireguard:
                refuse(name, "is wireguard, but the node's public key is not known", "the role sluice.fabric.encryption to run on it before, as in site.yml")
    if len(by_kind["ipsec"]) > 1:
        _check_ipsec_pairs({name: nodes[name] for name in by_kind["ipsec"]}, cluster.ipsec.authentication, has_secret, refuse)


class _Refuse(Protocol):
    def __call__(self, name: str, message: str, expected: str, path: str = ...) -> None: ...


def _check_ipsec_pairs(nodes: Mapping[str, EncryptedNode], authentication: str, has_secret: bool, refuse: _Refuse) -> None:
    if authentication == "psk":
        if not has_secret:
            message = "is missing, and sluice_ipsec.authentication is psk"
            refuse("", message, f"a string of at least {SECRET_MINIMUM} characters from a vault", "sluice_ipsec_secret")
        return
    for name, node in nodes.items():
        if not _HOST_NAME.fullmatch(name) or name.replace(".", "").isdigit():
            refuse(name, "its name cannot be that of a certificate's owner", "at most 63 letters, digits, dots and hyphens, not only digits", "")
        elif not node.keys.certificate:
            refuse(name, "is ipsec with certificates, but the node has none", "the role sluice.fabric.encryption to run on it before, as in site.yml")


__all__ = ["AUTHENTICATIONS", "SECRET_MINIMUM", "check_encryption", "check_secret", "read_ipsec", "read_keys", "read_wireguard"]
