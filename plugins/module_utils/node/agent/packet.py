# SPDX-License-Identifier: Apache-2.0
"""The headers of a packet of which the beginning is known."""
from __future__ import annotations

import struct
from typing import NamedTuple, Optional

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
NAMES = {ICMP: "ICMP", TCP: "TCP", UDP: "UDP", ICMPV6: "ICMPv6", SCTP: "SCTP"}
"""Protocol number to the word in the log."""

_ETHERNET = 14
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
# Hop-by-hop, routing, destination options: length in units of 8 bytes, the first not counted (RFC 8200 section 4).
_EXTENSIONS = {0, 43, 60}
_FRAGMENT = 44
_FRAGMENT_OFFSET = 0x1FFF


class Packet(NamedTuple):
    """An IP packet."""

    ethernet: bytes
    """The Ethernet header."""
    ip: bytes
    """The packet from its IP header on, as far as it is known, without the padding of its frame."""
    version: int
    source: bytes
    destination: bytes
    protocol: int
    """Above IP and its extensions."""
    transport: bytes
    """From the transport header on, as far as it is known; empty in fragments other than the first."""
    length: int
    """Of the whole IP packet, header included, however much of it is known."""
    transport_length: int
    first: bool
    """Not a fragment, or the first one."""

    @property
    def ports(self) -> Optional[tuple[int, int]]:
        """Source and destination port; None where the protocol has none or they are not known."""
        if self.protocol not in (TCP, UDP, SCTP) or len(self.transport) < 4:
            return None
        source, destination = struct.unpack_from("!HH", self.transport)
        return source, destination

    @property
    def icmp(self) -> Optional[tuple[int, int]]:
        """ICMP's or ICMPv6's type and code; None in any other packet."""
        if self.protocol not in (ICMP, ICMPV6) or len(self.transport) < 2:
            return None
        return self.transport[0], self.transport[1]


def parse_packet(frame: bytes) -> Optional[Packet]:
    """The IP packet in an Ethernet frame; None if there is none, or its headers are not whole."""
    kind = frame[12:_ETHERNET]
    if kind == _IPV4:
        return _ipv4(frame)
    return _ipv6(frame) if kind == _IPV6 else None


def _ipv4(frame: bytes) -> Optional[Packet]:
    if len(frame) < _ETHERNET + 20:
        return None
    header = (frame[_ETHERNET] & 0xF) * 4
    length = int.from_bytes(frame[_ETHERNET + 2:_ETHERNET + 4], "big")
    ip = frame[_ETHERNET:_ETHERNET + length]
    if header < 20 or len(ip) < header:
        return None
    first = not int.from_bytes(ip[6:8], "big") & _FRAGMENT_OFFSET
    return Packet(frame[:_ETHERNET], ip, 4, ip[12:16], ip[16:20], ip[9], ip[header:] if first else b"", length, length - header, first)


def _ipv6(frame: bytes) -> Optional[Packet]:
    if len(frame) < _ETHERNET + 40:
        return None
    length = 40 + int.from_bytes(frame[_ETHERNET + 4:_ETHERNET + 6], "big")
    ip = frame[_ETHERNET:_ETHERNET + length]
    protocol, position, first = ip[6], 40, True
    while protocol in _EXTENSIONS or protocol == _FRAGMENT:
        if len(ip) < position + 8:
            return None
        if protocol == _FRAGMENT:
            first = not int.from_bytes(ip[position + 2:position + 4], "big") >> 3
        size = 8 if protocol == _FRAGMENT else 8 + ip[position + 1] * 8
        protocol, position = ip[position], position + size
        if not first:
            break
    return Packet(frame[:_ETHERNET], ip, 6, ip[8:24], ip[24:40], protocol, ip[position:] if first else b"", length, length - position, first)
