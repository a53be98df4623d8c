# SPDX-License-Identifier: Apache-2.0
"""What encryption adds to the settings of one node's host."""
from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ..compile.fabric import Fabric
from ..intent.state import Node
from . import ipsec, wireguard
from .strict import strict_rules


class Encryption(NamedTuple):
    """Parts of the input of sluice.fabric.host."""

    links: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    rules: str
    """Text inside table ``inet sluice``."""
    openings: list[dict[str, Any]]
    """Protocols and ports that come in by the transport."""
    units: Mapping[str, Any]


def encryption_settings(fabric: Fabric, node: Node) -> Encryption:
    """A node with WireGuard has its device even without a peer, so that the first peer finds it."""
    rules = strict_rules(fabric, node)
    if node.encryption == "wireguard":
        return Encryption([wireguard.link(fabric, node)], wireguard.routes(fabric, node), rules, [wireguard.opening(fabric)], {})
    openings = ipsec.openings() if ipsec.peers(fabric, node) else []
    return Encryption([], [], rules, openings, ipsec.units(fabric, node))
