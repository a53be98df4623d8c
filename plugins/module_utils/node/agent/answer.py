# SPDX-License-Identifier: Apache-2.0
"""What the sender of a rejected packet is told, so that it need not wait: in the destination's name, a TCP reset or an ICMP error."""
from __future__ import annotations

import struct
from typing import Optional

from ...pipeline.tables import GATEWAY_MAC
from ..icmp import internet_checksum
from .packet import ICMP, ICMPV6, TCP, Packet

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_HOP_LIMIT = 64
_DONT_FRAGMENT = 0x4000
_GATEWAY = bytes.fromhex(GATEWAY_MAC.replace(":", ""))

# IP version to type and code. A rule: communication administratively prohibited (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
_PROHIBITED = {4: (3, 10), 6: (1, 1)}
# A Service without endpoints: port unreachable, which clients take for "connection refused".
_PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}
# Bytes of the rejected packet in an error: no more than makes 576 (RFC 1812 section 4.3.2.3) and 1280 (RFC 4443 section 2.4) with its headers.
_QUOTED = {4: 576 - 28, 6: 1280 - 48}
# Those that are answers to something (RFC 1122 section 3.2.2); in ICMPv6 all below 128, and redirects (RFC 4443 section 2.4).
_ICMP_ERRORS = {3, 4, 5, 11, 12}
_ICMPV6_QUERIES, _ICMPV6_REDIRECT = 128, 137


def answer(packet: Packet, service: bool) -> Optional[bytes]:
    """The Ethernet frame with the answer to ``packet``; None for what nobody answers: resets, errors, later fragments, and packets
    to or from groups (RFC 1122 section 3.2.2, RFC 4443 section 2.4).

    :param service: the packet was for a Service without endpoints; otherwise a rule rejected it
    """
    if not packet.first or packet.ethernet[0] & 1 or _is_group(packet.destination) or _is_group(packet.source):
        return None
    if packet.protocol == TCP:
        segment = _reset(packet)
        return None if segment is None else _frame(packet, TCP, segment, 16)
    kind = packet.icmp
    if kind and ((packet.protocol == ICMP and kind[0] in _ICMP_ERRORS)
                 or (packet.protocol == ICMPV6 and (kind[0] < _ICMPV6_QUERIES or kind[0] == _ICMPV6_REDIRECT))):
        return None
    error = struct.pack("!BBHI", *(_PORT_UNREACHABLE if service else _PROHIBITED)[packet.version], 0, 0) + packet.ip[:_QUOTED[packet.version]]
    return _frame(packet, ICMP if packet.version == 4 else ICMPV6, error, 2)


def _is_group(address: bytes) -> bool:
    """Multicast, IPv4's limited broadcast, and the unspecified address, which is nobody's."""
    return not any(address) or (address[0] >= 0xE0 if len(address) == 4 else address[0] == 0xFF)


def _reset(packet: Packet) -> Optional[bytes]:
    """The segment that a closed port answers with (RFC 9293 section 3.10.7.1)."""
    if len(packet.transport) < 20:
        return None
    source, destination, sequence, acknowledged, offset, flags = struct.unpack_from("!HHIIBB", packet.transport)
    if flags & _RST:
        return None
    if flags & _ACK:
        return struct.pack("!HHIIBBHHH", destination, source, acknowledged, 0, 5 << 4, _RST, 0, 0, 0)
    length = packet.transport_length - (offset >> 4) * 4 + bool(flags & _SYN) + bool(flags & _FIN)
    return struct.pack("!HHIIBBHHH", destination, source, 0, sequence + length & 0xFFFFFFFF, 5 << 4, _RST | _ACK, 0, 0, 0)


def _frame(packet: Packet, protocol: int, payload: bytes, checksum_at: int) -> bytes:
    """``payload`` back to the packet's sender; its checksum, two zero bytes at ``checksum_at``, is filled in."""
    source, destination = packet.destination, packet.source
    # ICMP's checksum alone covers no addresses (RFC 792; RFC 9293 section 3.1, RFC 8200 section 8.1).
    pseudo = b"" if protocol == ICMP else source + destination + struct.pack("!IHBB", len(payload), 0, 0, protocol)
    checksum = internet_checksum(pseudo + payload)
    payload = payload[:checksum_at] + struct.pack("!H", checksum) + payload[checksum_at + 2:]
    if packet.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, _DONT_FRAGMENT, _HOP_LIMIT, protocol, 0) + source + destination
        header = header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:]
    else:
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, _HOP_LIMIT) + source + destination
    # The stages that route it give it its real addresses.
    return packet.ethernet[6:12] + _GATEWAY + packet.ethernet[12:] + header + payload
