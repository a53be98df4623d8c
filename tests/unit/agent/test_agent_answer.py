# SPDX-License-Identifier: Apache-2.0
"""What is answered to a rejected packet, and what is never answered."""
from __future__ import annotations

import ipaddress
import struct

import pytest

from sluice.node.agent.answer import answer
from sluice.node.agent.packet import ICMP, ICMPV6, SCTP, TCP, UDP, Packet, parse_packet
from sluice.node.icmp import internet_checksum

SYN, ACK, RST, FIN = 2, 16, 4, 1


def frame(version: int, protocol: int, transport: bytes, source: str = "", destination: str = "", *, fragment: int = 0, extensions: bytes = b"",
          ethernet: str = "0a0000000001") -> bytes:
    addresses = b"".join(ipaddress.ip_address(given or default).packed for given, default in (
        (source, "10.0.0.2" if version == 4 else "fd00::2"), (destination, "10.0.0.3" if version == 4 else "fd00::3")))
    start = bytes.fromhex(f"{ethernet}0a0000000002")
    if version == 4:
        return start + b"\x08\x00" + struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 7, fragment, 63, protocol, 0) + addresses + transport
    first = 0 if extensions else protocol
    body = extensions + transport
    return start + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), first, 63) + addresses + body


def tcp(flags: int, payload: bytes = b"", sequence: int = 1000, acknowledged: int = 5000) -> bytes:
    return struct.pack("!HHIIBBHHH", 4000, 80, sequence, acknowledged, 5 << 4, flags, 1, 0, 0) + payload


def udp(size: int = 4) -> bytes:
    return struct.pack("!HHHH", 4000, 53, 8 + size, 0) + b"x" * size


def answered(given: bytes, service: bool = False) -> Packet:
    """The answer to a frame, after what every answer must be."""
    asked = parse_packet(given)
    assert asked
    reply = answer(asked, service)
    assert reply
    packet = parse_packet(reply)
    assert packet
    assert (packet.source, packet.destination) == (asked.destination, asked.source)
    assert reply[:6] == given[6:12]
    assert packet.length == len(reply) - 14
    if packet.version == 4:
        assert internet_checksum(packet.ip[:20]) == 0
    pseudo = packet.source + packet.destination + struct.pack("!IHBB", len(packet.transport), 0, 0, packet.protocol)
    assert internet_checksum((b"" if packet.protocol == ICMP else pseudo) + packet.transport) == 0
    return packet


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("flags", "payload", "sequence", "acknowledged", "reset"), [
    (SYN, b"", 0, 1001, RST | ACK),
    (SYN, b"fast", 0, 1005, RST | ACK),
    (FIN, b"", 0, 1001, RST | ACK),
    (0, b"ab", 0, 1002, RST | ACK),
    (ACK, b"data", 5000, 0, RST),
    (SYN | ACK, b"", 5000, 0, RST),
])
def test_a_segment_is_reset_as_a_closed_port_does(version: int, flags: int, payload: bytes, sequence: int, acknowledged: int, reset: int) -> None:
    packet = answered(frame(version, TCP, tcp(flags, payload)))
    assert struct.unpack_from("!HHIIBB", packet.transport) == (80, 4000, sequence, acknowledged, 5 << 4, reset)


def test_the_length_of_a_segment_is_the_whole_ones() -> None:
    whole = frame(4, TCP, tcp(SYN, b"x" * 500))
    assert struct.unpack_from("!I", answered(whole[:128]).transport, 8) == (1501,)


def test_the_padding_of_a_short_frame_is_no_payload() -> None:
    assert struct.unpack_from("!I", answered(frame(4, TCP, tcp(SYN)) + bytes(6)).transport, 8) == (1001,)


def test_sequence_numbers_wrap() -> None:
    assert struct.unpack_from("!I", answered(frame(4, TCP, tcp(SYN, sequence=0xFFFFFFFF))).transport, 8) == (0,)


@pytest.mark.parametrize(("version", "service", "protocol", "icmp"), [
    (4, False, UDP, (3, 10)), (6, False, UDP, (1, 1)), (4, True, UDP, (3, 3)), (6, True, UDP, (1, 4)), (4, False, SCTP, (3, 10)), (6, True, SCTP, (1, 4)),
])
def test_others_get_an_icmp_error_that_quotes_them(version: int, service: bool, protocol: int, icmp: tuple[int, int]) -> None:
    given = frame(version, protocol, udp())
    packet = answered(given, service)
    assert (packet.protocol, packet.icmp) == (ICMP if version == 4 else ICMPV6, icmp)
    assert packet.transport[8:] == given[14:]


@pytest.mark.parametrize(("version", "size"), [(4, 576), (6, 1280)])
def test_an_error_fits_every_link(version: int, size: int) -> None:
    assert answered(frame(version, UDP, udp(1400))).length == size


def test_extension_headers_are_passed_over() -> None:
    hops, fragment = bytes([44, 0, 1, 4, 0, 0, 0, 0]), bytes([TCP, 0, 0, 1, 0, 0, 0, 9])
    packet = answered(frame(6, 0, tcp(SYN), extensions=hops + fragment))
    assert (packet.protocol, struct.unpack_from("!I", packet.transport, 8)) == (TCP, (1001,))


@pytest.mark.parametrize("given", [
    frame(4, TCP, tcp(RST)), frame(6, TCP, tcp(RST | ACK)),
    *(frame(4, ICMP, bytes([kind, 0]) + bytes(6)) for kind in (3, 5, 11, 12)),
    *(frame(6, ICMPV6, bytes([kind, 0]) + bytes(6)) for kind in (1, 2, 3, 4, 137)),
    frame(4, UDP, udp(), fragment=100), frame(4, TCP, tcp(SYN), fragment=0x2001),
    frame(6, 0, udp(), extensions=bytes([44, 0, 1, 4, 0, 0, 0, 0, UDP, 0, 1, 0, 0, 0, 0, 9])),
    frame(4, UDP, udp(), destination="224.0.0.1"), frame(4, UDP, udp(), destination="255.255.255.255"), frame(6, UDP, udp(), destination="ff02::1"),
    frame(4, UDP, udp(), source="0.0.0.0"), frame(6, UDP, udp(), source="::"), frame(4, UDP, udp(), ethernet="ffffffffffff"),
    frame(4, TCP, tcp(SYN)[:12]),
])
def test_nobody_answers_these(given: bytes) -> None:
    packet = parse_packet(given)
    assert packet
    assert answer(packet, False) is None


@pytest.mark.parametrize("given", [b"", frame(4, UDP, b"")[:20], frame(6, UDP, b"")[:40], bytes(12) + b"\x08\x06" + bytes(28),
                                   bytes(12) + b"\x08\x00\x42" + bytes(40)])
def test_what_is_no_ip_packet_is_none(given: bytes) -> None:
    assert parse_packet(given) is None
