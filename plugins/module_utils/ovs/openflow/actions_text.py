# SPDX-License-Identifier: Apache-2.0
"""Actions and instructions as a switch sends them, back to ovs-ofctl's tokens."""
from __future__ import annotations

import struct
from typing import Callable, Mapping

from . import conntrack, learn
from .fields import BY_HEADER, Subfield, format_subfield
from .values import PORTS, format_port, format_value
from .wire import NICIRA, NXAST, OFPAT

_REASONS = ("no_match", "action", "invalid_ttl", "action_set", "group", "packet_out")
_MAX_LENGTH = 0xFFFF


class ActionDecoder:
    """Decodes actions; ``names`` gives the names of tables that have one. What Sluice does not know is given as ``?hexadecimal``."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._standard: dict[int, Callable[[bytes], str]] = {
            OFPAT.OUTPUT: _output, OFPAT.PUSH_VLAN: lambda body: f"push_vlan:{_u16(body):#06x}", OFPAT.POP_VLAN: lambda body: "pop_vlan",
            OFPAT.SET_QUEUE: lambda body: f"set_queue:{_u32(body)}", OFPAT.GROUP: lambda body: f"group:{_u32(body)}",
            OFPAT.SET_NW_TTL: lambda body: f"mod_nw_ttl:{body[0]}", OFPAT.DEC_NW_TTL: lambda body: "dec_ttl", OFPAT.SET_FIELD: _set_field,
            OFPAT.COPY_FIELD: _copy_field, OFPAT.METER: lambda body: f"meter:{_u32(body)}"}
        self._nicira: dict[int, Callable[[bytes], str]] = {
            NXAST.POP_QUEUE: lambda body: "pop_queue",
            NXAST.NOTE: lambda body: f"note:{body.hex('.')}", NXAST.RESUBMIT_TABLE: lambda body: self._resubmit(body, ""),
            NXAST.RESUBMIT_TABLE_CT: lambda body: self._resubmit(body, ",ct"), NXAST.OUTPUT_REG: _output_reg,
            NXAST.LEARN: lambda body: learn.decode_learn(body, False, self.table),
            NXAST.LEARN2: lambda body: learn.decode_learn(body, True, self.table), NXAST.EXIT: lambda body: "exit",
            NXAST.FIN_TIMEOUT: _fin_timeout, NXAST.CONTROLLER: _controller, NXAST.CONTROLLER2: _controller2,
            NXAST.DEC_TTL_CNT_IDS: _dec_ttl,
            NXAST.STACK_PUSH: lambda body: f"push:{_stack(body)}", NXAST.STACK_POP: lambda body: f"pop:{_stack(body)}",
            NXAST.CONJUNCTION: lambda body: f"conjunction({_u32(body[2:])},{body[0] + 1}/{body[1]})",
            NXAST.CT: lambda body: conntrack.decode_ct(body, self.table, self.actions), NXAST.NAT: conntrack.decode_nat,
            NXAST.OUTPUT_TRUNC: lambda body: f"output(port={_port16(body)},max_len={_u32(body[2:])})",
            NXAST.CLONE: lambda body: f"clone({','.join(self.actions(body[6:]))})", NXAST.CT_CLEAR: lambda body: "ct_clear",
            NXAST.CHECK_PKT_LARGER: _check_pkt_larger}

    def table(self, number: int) -> str:
        """The table's name, or its number."""
        return self._names.get(number) or str(number)

    def instructions(self, encoded: bytes) -> tuple[str, ...]:
        """The tokens of a flow's instructions; ``drop`` for none."""
        tokens: list[str] = []
        position = 0
        while position + 4 <= len(encoded):
            kind, length = struct.unpack_from("!HH", encoded, position)
            body = encoded[position + 4:position + length]
            if kind == 4:
                tokens += self.actions(body[4:])
            elif kind == 3:
                tokens.append(f"write_actions({','.join(self.actions(body[4:])) or 'drop'})")
            elif kind == 5:
                tokens.append("clear_actions")
            elif kind == 2:
                value, mask = struct.unpack_from("!QQ", body, 4)
                tokens.append(f"write_metadata:{value:#x}" if mask == (1 << 64) - 1 else f"write_metadata:{value:#x}/{mask:#x}")
            elif kind == 1:
                tokens.append(f"goto_table:{self.table(body[0])}")
            else:
                tokens.append(f"?{encoded[position:position + length].hex()}")
            position += max(length, 4)
        return tuple(tokens) or ("drop",)

    def actions(self, encoded: bytes) -> tuple[str, ...]:
        """The tokens of a list of actions."""
        tokens = []
        position = 0
        while position + 4 <= len(encoded):
            kind, length = struct.unpack_from("!HH", encoded, position)
            length = max(length, 4)
            tokens.append(self._action(kind, encoded[position:position + length]))
            position += length
        return tuple(tokens)

    def _action(self, kind: int, encoded: bytes) -> str:
        decode, body = self._standard.get(kind), encoded[4:]
        if kind == 0xFFFF and len(encoded) >= 10 and _u32(body) == NICIRA:
            decode, body = self._nicira.get(_u16(encoded[8:])), encoded[10:]
        return decode(body) if decode else f"?{encoded.hex()}"

    def _resubmit(self, body: bytes, tracked: str) -> str:
        port = "" if _u16(body) == PORTS["IN_PORT"] & 0xFFFF else _port16(body)
        if body[2] == 0xFF and not tracked:
            return f"resubmit:{_port16(body)}"
        return f"resubmit({port},{self.table(body[2]) if body[2] != 0xFF else ''}{tracked})"


def _u16(body: bytes) -> int:
    return int.from_bytes(body[:2], "big")


def _u32(body: bytes) -> int:
    return int.from_bytes(body[:4], "big")


def _port16(body: bytes) -> str:
    number = _u16(body)
    return format_port(number | 0xFFFF0000 if number >= 0xFF00 else number)


def _output(body: bytes) -> str:
    port = _u32(body)
    if port == PORTS["CONTROLLER"]:
        return f"CONTROLLER:{_u16(body[4:])}"
    return format_port(port) if port >= 0xFFFFFF00 else f"output:{port}"


def _subfield(header: int, offset: int, width: int) -> str:
    field = BY_HEADER.get(header)
    return format_subfield(Subfield(field, offset, width)) if field else f"?{header:08x}[{offset}..{offset + width - 1}]"


def _set_field(body: bytes) -> str:
    header = _u32(body)
    masked, length = header & 0x100, header & 0xFF
    size = length // 2 if masked else length
    field = BY_HEADER.get(header & ~0x1FF | size)
    if field is None:
        return f"set_field:?{body[4:4 + length].hex()}->?{header:08x}"
    value = int.from_bytes(body[4:4 + size], "big")
    mask = int.from_bytes(body[4 + size:4 + 2 * size], "big") if masked else (1 << field.bits) - 1
    return f"set_field:{format_value(field, value, mask)}->{field.name}"


def _copy_field(body: bytes) -> str:
    width, source_offset, target_offset, source, target = struct.unpack_from("!HHH2xII", body)
    return f"move:{_subfield(source, source_offset, width)}->{_subfield(target, target_offset, width)}"


def _output_reg(body: bytes) -> str:
    packed, header = struct.unpack_from("!HI", body)
    return f"output:{_subfield(header, packed >> 6, (packed & 0x3F) + 1)}"


def _fin_timeout(body: bytes) -> str:
    idle, hard = struct.unpack_from("!HH", body)
    parts = [f"{name}={number}" for name, number in (("idle_timeout", idle), ("hard_timeout", hard)) if number]
    return f"fin_timeout({','.join(parts)})"


def _controller(body: bytes) -> str:
    length, controller, reason = struct.unpack_from("!HHB", body)
    return _controller_text(length, controller, reason, [])


def _controller_text(length: int, controller: int, reason: int, more: list[str]) -> str:
    parts = []
    if reason != 1:
        parts.append(f"reason={_REASONS[reason] if reason < len(_REASONS) else reason}")
    if length != _MAX_LENGTH:
        parts.append(f"max_len={length}")
    if controller:
        parts.append(f"id={controller}")
    return f"controller({','.join(parts + more)})"


def _controller2(body: bytes) -> str:
    length, controller, reason = _MAX_LENGTH, 0, 1
    more = []
    position = 6
    while position + 4 <= len(body):
        kind, size = struct.unpack_from("!HH", body, position)
        value = body[position + 4:position + size]
        if kind == 0:
            length = _u16(value)
        elif kind == 1:
            controller = _u16(value)
        elif kind == 2:
            reason = value[0]
        elif kind == 3:
            more.append(f"userdata={value.hex('.')}")
        elif kind == 4:
            more.append("pause")
        elif kind == 5:
            more.append(f"meter_id={_u32(value)}")
        position += (max(size, 4) + 7) // 8 * 8
    return _controller_text(length, controller, reason, more)


def _dec_ttl(body: bytes) -> str:
    count = _u16(body)
    return f"dec_ttl({','.join(str(number) for number in struct.unpack_from(f'!{count}H', body, 6))})"


def _stack(body: bytes) -> str:
    offset, header, width = struct.unpack_from("!HIH", body)
    return _subfield(header, offset, width)


def _check_pkt_larger(body: bytes) -> str:
    size, offset, header = struct.unpack_from("!HHI", body)
    return f"check_pkt_larger({size})->{_subfield(header, offset, 1)}"
