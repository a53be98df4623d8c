# SPDX-License-Identifier: Apache-2.0
"""The one builder that writes a flow, and the pieces of match and action that differ between IPv4 and IPv6."""
from __future__ import annotations

from typing import NamedTuple, Sequence

from ..ovs.flow import Flow
from .cookie import OWNER_PROGRAM, cookie


class Family(NamedTuple):
    """The words in which one IP version is matched and set."""

    version: int
    ip: str
    source: str
    destination: str
    tunnel_destination: str


V4 = Family(4, "ip", "nw_src", "nw_dst", "tun_dst")
V6 = Family(6, "ipv6", "ipv6_src", "ipv6_dst", "tun_ipv6_dst")


def family(address: str) -> Family:
    """The family of an address or CIDR, told by its text."""
    return V6 if ":" in address else V4


def flow(table: str, priority: int, match: Sequence[str], actions: Sequence[str], name: str, owner: int = OWNER_PROGRAM) -> Flow:
    """A flow of ``table`` for the object ``name``, from which its cookie follows; no actions drop the packet."""
    return Flow(table, priority, tuple(match), tuple(actions), cookie(owner, name))


def goto(table: str) -> str:
    """Action token that hands the packet on to ``table``."""
    return f"goto_table:{table}"
