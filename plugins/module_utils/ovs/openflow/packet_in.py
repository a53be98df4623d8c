# SPDX-License-Identifier: Apache-2.0
"""Copies of packets that flows' ``controller`` actions give: asking for them, and reading them (nicira-ext.h, NXT_PACKET_IN2)."""
from __future__ import annotations

import struct
from typing import Iterator, NamedTuple, Optional

from .connection import HEADER, VERSION
from .wire import NICIRA

_EXPERIMENTER, _SET_CONFIG = 4, 9
_NXT_SET_PACKET_IN_FORMAT, _NXT_PACKET_IN2 = 16, 30
_FORMAT_PACKET_IN2 = 2
_PACKET, _TABLE, _COOKIE, _USERDATA = 0, 3, 4, 7
_WHOLE_PACKET = 0xFFFF


class PacketIn(NamedTuple):
    """A copy: the packet from its Ethernet header on, and the flow's table and cookie and the action's userdata."""

    packet: bytes
    table: int
    cookie: int
    userdata: bytes


def request_packet_ins(xid: int) -> bytes:
    """Messages after which a connection gets copies, with their userdata.

    The second one because a switch sends none over a management connection whose miss_send_len is 0, as it is at first
    (ovs-ofctl(8), ``monitor``). How much of a packet comes is still the action's to say.
    """
    body = struct.pack("!III", NICIRA, _NXT_SET_PACKET_IN_FORMAT, _FORMAT_PACKET_IN2)
    return (HEADER.pack(VERSION, _EXPERIMENTER, 8 + len(body), xid) + body
            + HEADER.pack(VERSION, _SET_CONFIG, 12, xid) + struct.pack("!HH", 0, _WHOLE_PACKET))


def decode_packet_in(kind: int, body: bytes) -> Optional[PacketIn]:
    """The copy in a message's body; None if the message, of type ``kind``, is another one."""
    if kind != _EXPERIMENTER or body[:8] != struct.pack("!II", NICIRA, _NXT_PACKET_IN2):
        return None
    found = dict(_properties(body[8:]))
    # Numbers are aligned to their size, so a cookie comes after 4 bytes of padding.
    return PacketIn(found.get(_PACKET, b""), int.from_bytes(found.get(_TABLE, b"")[:1], "big"),
                    int.from_bytes(found.get(_COOKIE, b"")[4:12], "big"), found.get(_USERDATA, b""))


def _properties(body: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(body):
        kind, length = struct.unpack_from("!HH", body, position)
        yield kind, body[position + 4:position + length]
        position += max(length + 7 & ~7, 8)
