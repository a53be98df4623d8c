# SPDX-License-Identifier: Apache-2.0
"""The beginning of an SCTP association in packets (RFC 9260), for kernels without SCTP: INIT, INIT ACK, ABORT."""
from __future__ import annotations

import struct
from dataclasses import dataclass

INIT, INIT_ACK, ABORT = 1, 2, 6
_STATE_COOKIE = 7

_COMMON = struct.Struct(">HHII")
_CHUNK = struct.Struct(">BBH")
_INIT = struct.Struct(">IIHHI")
_PARAMETER = struct.Struct(">HH")

_TABLE = []
for _byte in range(256):
    _value = _byte
    for _bit in range(8):
        _value = _value >> 1 ^ (0x82F63B78 if _value & 1 else 0)
    _TABLE.append(_value)


@dataclass(frozen=True)
class Packet:
    source_port: int
    destination_port: int
    tag: int
    """The verification tag: 0 in an INIT, else the initiate tag of the receiver."""
    chunk: int
    """Type of the first chunk."""
    initiate_tag: int = 0
    """In INIT and INIT ACK."""
    cookie: bytes = b""
    """In INIT ACK the state cookie, which is the sender's to fill."""


def crc32c(data: bytes) -> int:
    """RFC 9260 appendix A."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def encode(packet: Packet) -> bytes:
    body = b""
    if packet.chunk in (INIT, INIT_ACK):
        body = _INIT.pack(packet.initiate_tag, 65536, 1, 1, 1)
    if packet.chunk == INIT_ACK:
        body += _PARAMETER.pack(_STATE_COOKIE, _PARAMETER.size + len(packet.cookie)) + packet.cookie
    chunk = _CHUNK.pack(packet.chunk, 0, _CHUNK.size + len(body)) + body + bytes(-len(body) % 4)
    whole = _COMMON.pack(packet.source_port, packet.destination_port, packet.tag, 0) + chunk
    # The checksum's bytes are in the order in which the CRC shifts them out, which is little-endian.
    return whole[:8] + struct.pack("<I", crc32c(whole)) + whole[12:]


def decode(data: bytes) -> Packet | None:
    """None for what is no packet of these kinds, or damaged."""
    if len(data) < _COMMON.size + _CHUNK.size or struct.unpack("<I", data[8:12])[0] != crc32c(data[:8] + bytes(4) + data[12:]):
        return None
    source_port, destination_port, tag, _checksum = _COMMON.unpack_from(data)
    chunk, _flags, length = _CHUNK.unpack_from(data, _COMMON.size)
    body = data[_COMMON.size + _CHUNK.size:_COMMON.size + length]
    if chunk not in (INIT, INIT_ACK):
        return Packet(source_port, destination_port, tag, chunk) if chunk == ABORT else None
    if len(body) < _INIT.size:
        return None
    cookie = b""
    if chunk == INIT_ACK and len(body) >= _INIT.size + _PARAMETER.size:
        kind, size = _PARAMETER.unpack_from(body, _INIT.size)
        cookie = body[_INIT.size + _PARAMETER.size:_INIT.size + size] if kind == _STATE_COOKIE else b""
    return Packet(source_port, destination_port, tag, chunk, _INIT.unpack_from(body)[0], cookie)
