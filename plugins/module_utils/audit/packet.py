# SPDX-License-Identifier: Apache-2.0
"""The first packet of a connection, as policies see it: after a Service's address was replaced by an endpoint's."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ..intent.state import Pod
from ..intent.syntax import Address

CLIENT_PORT = 49152
"""The source port of a connection of which none is said: the first ephemeral one of RFC 6335, which Linux uses too (32768 to 60999)."""
ECHO_REQUEST = {4: 8, 6: 128}
"""ICMP type of an echo request (RFC 792, RFC 4443)."""


@dataclass(frozen=True)
class Party:
    """One end of a connection: an address and who has it; neither a pod nor a node: it is outside the cluster."""

    address: Address
    pod: Optional[Pod] = None
    """The pod whose own the address is. Never one on its node's network: its address is the node's, and policies do not tell it from the node."""
    node: str = ""
    """The node whose own the address is."""

    @property
    def name(self) -> str:
        """``namespace/name`` of the pod, or the address."""
        return self.pod.key if self.pod else str(self.address)


@dataclass(frozen=True)
class Packet:
    source: Party
    destination: Party
    protocol: str
    """TCP | UDP | SCTP | ICMP (which is ICMPv6 between IPv6 addresses)"""
    port: int = 0
    """The destination's; 0 for ICMP."""
    source_port: int = CLIENT_PORT
    icmp_type: int = ECHO_REQUEST[4]
    icmp_code: int = 0
    service: str = ""
    """``namespace/name`` of the Service that chose the destination."""
