# SPDX-License-Identifier: Apache-2.0
"""Tells the neighbours by which MAC an address is reached now, as it may have come from a link with another.

Without it they go on with their caches: the kernel for half a minute, Open vSwitch, for the remote end of a tunnel, for 15.
"""
from __future__ import annotations

import ipaddress
import socket
import struct
from contextlib import suppress

_ETH_P_IP, _ETH_P_IPV6, _ETH_P_ARP = 0x0800, 0x86DD, 0x0806
_ARP_REQUEST, _ARP_REPLY = 1, 2
_NEIGHBOUR_ADVERTISEMENT, _OVERRIDE = 136, 0x20000000


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def arp_frames(mac: str, address: str) -> list[bytes]:
    """Gratuitous ARP as a request and as a reply (RFC 5227 section 3, RFC 2002 section 4.6): some listen only to one."""
    own, target = _mac(mac), ipaddress.ip_address(address).packed
    header = b"\xff" * 6 + own + struct.pack("!HHHBB", _ETH_P_ARP, 1, _ETH_P_IP, 6, 4)
    return [header + struct.pack("!H", operation) + own + target + other + target
            for operation, other in ((_ARP_REQUEST, bytes(6)), (_ARP_REPLY, own))]


def advertisement_frame(mac: str, address: str) -> bytes:
    """An unsolicited neighbour advertisement to all nodes, which overrides what they know (RFC 4861 section 7.2.6)."""
    own, source, all_nodes = _mac(mac), ipaddress.ip_address(address).packed, ipaddress.ip_address("ff02::1").packed
    message = struct.pack("!BBHI", _NEIGHBOUR_ADVERTISEMENT, 0, 0, _OVERRIDE) + source + struct.pack("!BB", 2, 1) + own
    words = source + all_nodes + message
    total = sum(struct.unpack(f"!{len(words) // 2}H", words)) + len(message) + socket.IPPROTO_ICMPV6
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    message = message[:2] + struct.pack("!H", 0xFFFF - total) + message[4:]
    ip = struct.pack("!IHBB", 6 << 28, len(message), socket.IPPROTO_ICMPV6, 255) + source + all_nodes
    return b"\x33\x33\x00\x00\x00\x01" + own + struct.pack("!H", _ETH_P_IPV6) + ip + message


def announce(device: str, mac: str, addresses: list[str]) -> None:
    """Sends, as far as the link lets; ``addresses`` may have a prefix length. A link that is down has no neighbours to tell."""
    frames: list[bytes] = []
    for address in (address.partition("/")[0] for address in addresses):
        frames += [advertisement_frame(mac, address)] if ":" in address else arp_frames(mac, address)
    with suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((device, 0))
        for frame in frames:
            link.send(frame)
