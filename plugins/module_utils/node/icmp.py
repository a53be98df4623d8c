# SPDX-License-Identifier: Apache-2.0
"""ICMP and ICMPv6 echo (RFC 792, RFC 4443) in packets of an exact size that nobody may fragment."""
from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from typing import Dict

_HEADER = struct.Struct("!BBHHH")
_IP_HEADER = {socket.AF_INET: 20, socket.AF_INET6: 40}
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_UNREACHABLE = {socket.AF_INET: 3, socket.AF_INET6: 1}
_FRAGMENTATION_NEEDED = 4
"""A code of IPv4's "unreachable"; IPv6 has a type for it. The kernel remembers the path's MTU and refuses the next packet by itself."""
SIZE_MIN = {4: 28, 6: 48}
"""IP version to the smallest packet, in bytes: headers and no payload."""
SIZE_MAX = 65535

# linux/icmp.h, linux/icmpv6.h, linux/in.h and linux/in6.h: not in Python's socket module.
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_DO = 10, 23, 2
_DEFAULT_SIZE = 84
_RECEIVE_MAX = 65536


class Echo:
    """All echo requests of one network namespace and family, over the one raw socket that was opened in it."""

    def __init__(self, raw: socket.socket) -> None:
        self._socket = raw
        self._family = raw.family
        # The kernel hands every echo reply of the namespace to every raw socket.
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self._sequence = 0
        self._waiting: Dict[int, asyncio.Future[None]] = {}
        raw.setblocking(False)
        if self._family == socket.AF_INET:
            raw.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << _REPLY[self._family] | 1 << _UNREACHABLE[self._family]) & 0xffffffff))
            raw.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
        else:
            # One bit a type; a set bit is refused.
            words = [0xffffffff] * 8
            for kind in (_REPLY[self._family], _UNREACHABLE[self._family]):
                words[kind // 32] &= ~(1 << kind % 32)
            raw.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))
            raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)
        asyncio.get_running_loop().add_reader(raw.fileno(), self._receive)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    async def request(self, address: str, size: int) -> None:
        """Send one packet of ``size`` bytes, IP header included (0: as ping does), and wait for its reply.

        Raises OSError, with EMSGSIZE if the packet does not fit the interface or the known path, with EHOSTUNREACH if the network says that
        it does not go there; never returns if nothing comes.
        """
        self._sequence = self._sequence + 1 & 0xffff
        sequence = self._sequence
        payload = bytes((size or _DEFAULT_SIZE) - _IP_HEADER[self._family] - _HEADER.size)
        self._waiting[sequence] = asyncio.get_running_loop().create_future()
        try:
            self._socket.sendto(self._packet(sequence, payload), (address, 0))
            await self._waiting[sequence]
        finally:
            del self._waiting[sequence]

    def _packet(self, sequence: int, payload: bytes) -> bytes:
        blank = _HEADER.pack(_REQUEST[self._family], 0, 0, self._identifier, sequence) + payload
        # ICMPv6's covers a pseudo-header, so the kernel fills it in (RFC 3542 section 3.1).
        checksum = 0 if self._family == socket.AF_INET6 else internet_checksum(blank)
        return _HEADER.pack(_REQUEST[self._family], 0, checksum, self._identifier, sequence) + payload

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_RECEIVE_MAX)
        except OSError:
            # An ICMP error of some earlier packet; its request times out.
            return
        if self._family == socket.AF_INET:
            data = data[(data[0] & 0xf) * 4:]
        kind, code, _checksum, identifier, sequence = _HEADER.unpack_from(data)
        unreachable = kind == _UNREACHABLE[self._family]
        if unreachable:
            quoted = self._quoted(data[_HEADER.size:])
            too_big = self._family == socket.AF_INET and code == _FRAGMENTATION_NEEDED
            if too_big or len(quoted) < _HEADER.size or quoted[0] != _REQUEST[self._family]:
                return
            identifier, sequence = _HEADER.unpack_from(quoted)[3:]
        waiting = self._waiting.get(sequence)
        if identifier != self._identifier or not waiting or waiting.done():
            return
        if unreachable:
            waiting.set_exception(OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)))
        else:
            waiting.set_result(None)

    def _quoted(self, packet: bytes) -> bytes:
        """The ICMP message in the packet that an error quotes; empty if it is cut off or of another protocol."""
        if self._family == socket.AF_INET6:
            return packet[_IP_HEADER[self._family]:] if len(packet) > 6 and packet[6] == socket.IPPROTO_ICMPV6 else b""
        return packet[(packet[0] & 0xf) * 4:] if len(packet) > 9 and packet[9] == socket.IPPROTO_ICMP else b""


def internet_checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
