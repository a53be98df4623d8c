# SPDX-License-Identifier: Apache-2.0
"""The frames of actions: standard ones, and Nicira's extensions (nicira-ext.h's numbers)."""
from __future__ import annotations

import struct

from ...errors import SluiceError

NICIRA = 0x00002320
_EXPERIMENTER = 0xFFFF


class OFPAT:
    """OpenFlow 1.5.1 §7.2.6: action types."""

    OUTPUT, PUSH_VLAN, POP_VLAN, SET_QUEUE, GROUP, SET_NW_TTL, DEC_NW_TTL = 0, 17, 18, 21, 22, 23, 24
    SET_FIELD, COPY_FIELD, METER = 25, 28, 29


class NXAST:
    """Subtypes of Nicira's actions."""

    RESUBMIT, POP_QUEUE, NOTE, RESUBMIT_TABLE, OUTPUT_REG, LEARN, EXIT, FIN_TIMEOUT, CONTROLLER = 1, 5, 8, 14, 15, 16, 17, 19, 20
    DEC_TTL_CNT_IDS, STACK_PUSH, STACK_POP, CONJUNCTION, CT, NAT, CONTROLLER2, OUTPUT_TRUNC = 21, 27, 28, 34, 35, 36, 37, 39
    CLONE, CT_CLEAR, RESUBMIT_TABLE_CT, LEARN2, CHECK_PKT_LARGER = 42, 43, 44, 45, 49


def action(kind: int, body: bytes) -> bytes:
    """A standard action; ``body`` is what follows the four bytes of type and length."""
    return struct.pack("!HH", kind, 4 + len(body)) + body


def nx_action(subtype: int, body: bytes) -> bytes:
    """One of Nicira's actions; ``body`` is what follows the ten bytes of header."""
    return struct.pack("!HHIH", _EXPERIMENTER, 10 + len(body), NICIRA, subtype) + body


def pad8(body: bytes, before: int = 0) -> bytes:
    """``body`` with zeros after it, so that it ends at a multiple of 8 bytes when ``before`` bytes precede it."""
    return body + bytes(-(len(body) + before) % 8)


def split_call(token: str) -> tuple[str, str]:
    """``name:rest``, ``name(rest)``, ``name(a)->b`` (given as ``a->b``) or ``name`` as name and rest."""
    colon, parenthesis = token.find(":"), token.find("(")
    if parenthesis < 0 or 0 <= colon < parenthesis:
        return (token, "") if colon < 0 else (token[:colon], token[colon + 1:])
    end = token.rfind(")")
    if end < parenthesis or token[end + 1:end + 3] not in ("", "->"):
        raise SluiceError(f"'{token}' is not of the form name(…)")
    return token[:parenthesis], token[parenthesis + 1:end] + token[end + 1:]


def put_controller2(max_length: int, controller: int, reason: int, userdata: bytes, pause: bool, meter: int) -> bytes:
    """The action ``controller`` with properties; those with their default are left out, as Open vSwitch does."""
    properties = b""
    if max_length != 0xFFFF:
        properties += struct.pack("!HHH2x", 0, 8, max_length)
    if controller:
        properties += struct.pack("!HHH2x", 1, 8, controller)
    if reason != 1:
        properties += struct.pack("!HHB3x", 2, 5, reason)
    if userdata:
        properties += pad8(struct.pack("!HH", 3, 4 + len(userdata)) + userdata)
    if pause:
        properties += struct.pack("!HH4x", 4, 4)
    if meter:
        properties += struct.pack("!HHI", 5, 8, meter)
    return nx_action(NXAST.CONTROLLER2, bytes(6) + properties)
