# SPDX-License-Identifier: Apache-2.0
"""Packets that a switch is given to send (OpenFlow 1.5.1 §7.3.6)."""
from __future__ import annotations

import struct

from .connection import HEADER, VERSION
from .fields import FIELDS, encode_oxm
from .values import PORTS
from .wire import pad8

_PACKET_OUT = 13
_NO_BUFFER = 0xFFFFFFFF
_OXM_MATCH = 1


def packet_out(xid: int, actions: bytes, packet: bytes) -> bytes:
    """The message that has the switch carry out ``actions`` on ``packet``, as if the controller's port had received it.

    A packet may leave by any port then, whereas a port does not get its own packets back.
    """
    field = FIELDS["in_port_oxm"]
    in_port = encode_oxm(field, PORTS["CONTROLLER"], (1 << field.bits) - 1)
    match = pad8(struct.pack("!HH", _OXM_MATCH, 4 + len(in_port)) + in_port)
    body = struct.pack("!IH2x", _NO_BUFFER, len(actions)) + match + actions + packet
    return HEADER.pack(VERSION, _PACKET_OUT, 8 + len(body), xid) + body
