# SPDX-License-Identifier: Apache-2.0
"""How a node's pod CIDR is divided, and the fixed names and numbers that every stage and the CNI plugin agree on."""
from __future__ import annotations

import ipaddress
from functools import cache

BRIDGE = "br-sluice"
GATEWAY = "sluice-gw0"
TUNNEL = "sluice-tun0"
TRANSPORT_BRIDGE = "br-transport"

OFPORT_GATEWAY = 1
OFPORT_TUNNEL = 2
OFPORT_FIRST_POD = 16
"""Planned pods have ofports from here up to OFPORT_FIRST_DYNAMIC."""
OFPORT_FIRST_DYNAMIC = 0x8000
"""A pod that no inventory knows gets this plus its place in the node's dynamic range, so that it never takes a planned number."""
OFPORT_FIRST_ENCRYPTION = 0xD000
OFPORT_ENCRYPTION_COUNT = 0x2000
"""Ports that say which peers' tunnels are encrypted; beyond all dynamic ones, and below OpenFlow's own (OFPP_MAX is 0xff00)."""
WIREGUARD = "sluice-wg0"

SLOTS_MAX = 0x4000
"""No more host addresses of a node CIDR than this are used: an IPv6 /64 has more than ofports."""


@cache
def network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr)


def slots(cidr: str) -> int:
    """How many host addresses of a node CIDR are used: .0 (network), .1 (gateway) and, in IPv4, the broadcast are not."""
    reserved = 3 if network(cidr).version == 4 else 2
    return max(0, min(network(cidr).num_addresses - reserved, SLOTS_MAX))


def planned_slots(cidr: str) -> int:
    """Slots 0..n-1 are for pods of the inventory; the last quarter is left to pods that the CNI plugin meets first."""
    return slots(cidr) - slots(cidr) // 4


def gateway_address(cidr: str) -> str:
    """The first host address: the node's own end in the pod network."""
    return str(network(cidr)[1])


def slot_address(cidr: str, slot: int) -> str:
    """The address of slot ``slot`` (0 is the first after the gateway)."""
    return str(network(cidr)[slot + 2])


def address_slot(cidr: str, address: str) -> int:
    """The inverse of :func:`slot_address`; negative for the network and gateway addresses."""
    return int(ipaddress.ip_address(address)) - int(network(cidr).network_address) - 2


def with_port(address: str, port: int | str) -> str:
    """An address with a port, or a range of ports; IPv6 addresses are in brackets (RFC 3986 section 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
