# SPDX-License-Identifier: Apache-2.0
"""Which two nodes encrypt what travels between them, and the names that it takes."""
from __future__ import annotations

from typing import Iterable

from ..errors import InputError, Problem
from ..intent.state import Node
from ..pipeline.stable_id import stable_ids
from ..plan.addresses import OFPORT_ENCRYPTION_COUNT, OFPORT_FIRST_ENCRYPTION


def encryption_between(node: Node, peer: Node) -> str:
    """none, ipsec or wireguard: what both have. A node that has just got it goes on as before with those that have not."""
    return node.encryption if node.encryption == peer.encryption else "none"


def tunnel_ids(nodes: Iterable[str]) -> dict[str, int]:
    """A number of its own for each node, from 0 to OFPORT_ENCRYPTION_COUNT - 1, as :func:`stable_ids` gives them.

    Raises InputError if there are more nodes than numbers.
    """
    nodes = list(nodes)
    if len(nodes) > OFPORT_ENCRYPTION_COUNT:
        message = f"is ipsec on {len(nodes)} nodes, each of which needs a port for every other"
        raise InputError([Problem("inventory", "", "sluice_encryption", message, f"at most {OFPORT_ENCRYPTION_COUNT} nodes, or wireguard")])
    return {name: number % OFPORT_ENCRYPTION_COUNT for name, number in stable_ids(nodes, OFPORT_ENCRYPTION_COUNT).items()}


def tunnel_port(number: int) -> str:
    """The port of a number of :func:`tunnel_ids`. No hyphen but the first, and no digits before it: ovs-monitor-ipsec finds a tunnel by
    what stands before the last `-<number>` of a connection's name."""
    return f"sluice-x{number:04x}"


def tunnel_ofport(number: int) -> int:
    return OFPORT_FIRST_ENCRYPTION + number
