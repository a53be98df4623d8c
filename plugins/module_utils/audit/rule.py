# SPDX-License-Identifier: Apache-2.0
"""A rule of any kind of policy as a question that can be asked of a packet, and the clauses that all kinds have in common."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

from ..intent.kinds import IPBlock
from ..intent.state import Pod
from ..intent.syntax import Address
from ..plan.addresses import network
from .packet import Packet, Party

INGRESS, EGRESS = "ingress", "egress"


@dataclass(frozen=True)
class Rule:
    name: str
    """``<Kind> <key> <direction>[<index>]``"""
    action: str
    """Allow | Drop | Reject | Pass"""
    applies_to: Callable[[Pod], bool]
    matches: Callable[[Packet, Pod, Party], bool]
    """Of a packet, the pod that the rule applies to and the other end."""
    by_service: bool = False
    """Whether it matches by the Service that a connection used, not by where it goes."""


def in_block(block: IPBlock, address: Address) -> bool:
    """NetworkPolicy API, IPBlock: the addresses of cidr without those of except. It is a matter of the address alone, so a pod's may be among them."""
    return address in network(block.cidr) and not any(address in network(part) for part in block.excepts)


def in_range(first: Optional[int], last: Optional[int], number: int) -> bool:
    """No first port: all ports; no last one: the first alone."""
    return first is None or first <= number <= (first if last is None else last)


def is_named_port(name: str, protocol: str, packet: Packet) -> bool:
    """Whether the packet goes to a port that the destination calls ``name``.

    NetworkPolicyPort.port: "a numerical or named port on a pod"; the name is looked up on the pod that the packet goes to, with its protocol.
    What is no pod has no names for its ports. ``protocol`` is empty where the policy leaves it to the name.
    """
    pod = packet.destination.pod
    return pod is not None and any(
        port.name == name and port.port == packet.port and port.protocol == packet.protocol and protocol in ("", port.protocol) for port in pod.ports
    )
