# SPDX-License-Identifier: Apache-2.0
"""The action ``learn(…)``: text to bytes and back (ovs-actions(7), "The learn action"; Nicira's NXAST_LEARN and NXAST_LEARN2)."""
from __future__ import annotations

import struct
from typing import Callable

from ...errors import SluiceError
from ..flow import DEFAULT_PRIORITY, split_tokens
from .fields import BY_HEADER, Subfield, format_subfield, parse_subfield
from .values import format_value, parse_number, parse_value
from .wire import NXAST, nx_action, pad8

_FLAGS = {"send_flow_rem": 1, "delete_learned": 2}
_WRITE_RESULT = 4
_MATCH, _LOAD, _OUTPUT = 0, 1, 2
_IMMEDIATE = 1 << 13
_NUMBERS = {"idle_timeout": 16, "hard_timeout": 16, "priority": 16, "cookie": 64, "fin_idle_timeout": 16, "fin_hard_timeout": 16,
            "limit": 32}
_HEADER = "!HHHQHBxHH"


def encode_learn(rest: str, table_number: Callable[[str], int]) -> bytes:
    """``rest`` is what stands in the parentheses. Raises SluiceError for what is not an argument of learn."""
    numbers = dict.fromkeys(_NUMBERS, 0)
    numbers["priority"] = DEFAULT_PRIORITY
    flags, table = 0, 1
    result = None
    limited = False
    specs = b""
    for part in split_tokens(rest):
        key, equals, value = part.partition("=")
        if key in _NUMBERS and equals:
            numbers[key] = parse_number(value, _NUMBERS[key])
            limited |= key == "limit" and numbers[key] > 0
        elif key == "table":
            table = table_number(value)
        elif part in _FLAGS:
            flags |= _FLAGS[part]
        elif key == "result_dst":
            result = parse_subfield(value)
            flags |= _WRITE_RESULT
        else:
            specs += _encode_spec(part)
    header = struct.pack(_HEADER, numbers["idle_timeout"], numbers["hard_timeout"], numbers["priority"], numbers["cookie"], flags, table,
                         numbers["fin_idle_timeout"], numbers["fin_hard_timeout"])
    if limited or result:
        header += struct.pack("!IH2x", numbers["limit"], result.offset if result else 0)
        header += struct.pack("!I", result.field.nxm) if result else b""
        return nx_action(NXAST.LEARN2, pad8(header + specs, 10))
    return nx_action(NXAST.LEARN, pad8(header + specs, 10))


def _encode_spec(part: str) -> bytes:
    if part.startswith("load:"):
        text, _separator, destination = part[5:].rpartition("->")
        target = parse_subfield(destination)
        return _spec(_LOAD, text, target) if text[:1].isdecimal() else _copy(_LOAD, parse_subfield(text), target)
    if part.startswith("output:"):
        source = parse_subfield(part[7:])
        return struct.pack("!HIH", _OUTPUT << 11 | source.width, source.field.nxm, source.offset)
    left, equals, right = part.partition("=")
    target = parse_subfield(left)
    if not equals:
        return _copy(_MATCH, target, target)
    try:
        value, mask = parse_value(target.field, right)
    except SluiceError:
        return _copy(_MATCH, parse_subfield(right), target)
    if mask != (1 << target.field.bits) - 1 or value >> target.width:
        raise SluiceError(f"'{part}': expected a plain value of {target.width} bits")
    return _immediate(_MATCH, value, target)


def _spec(kind: int, text: str, target: Subfield) -> bytes:
    return _immediate(kind, parse_number(text, target.width), target)


def _immediate(kind: int, value: int, target: Subfield) -> bytes:
    size = (target.width + 15) // 16 * 2
    return (struct.pack("!H", _IMMEDIATE | kind << 11 | target.width) + value.to_bytes(size, "big")
            + struct.pack("!IH", target.field.nxm, target.offset))


def _copy(kind: int, source: Subfield, target: Subfield) -> bytes:
    if source.width != target.width:
        raise SluiceError(f"{format_subfield(source)} and {format_subfield(target)} differ in width")
    return struct.pack("!HIHIH", kind << 11 | source.width, source.field.nxm, source.offset, target.field.nxm, target.offset)


def decode_learn(body: bytes, extended: bool, table_name: Callable[[int], str]) -> str:
    """The token for ``body``, what follows the action's ten bytes of header; ``extended`` for NXAST_LEARN2."""
    idle, hard, priority, cookie, flags, table, fin_idle, fin_hard = struct.unpack_from(_HEADER, body)
    position = struct.calcsize(_HEADER)
    parts = [f"table={table_name(table)}"]
    limit, result = 0, ""
    if extended:
        limit, offset = struct.unpack_from("!IH2x", body, position)
        position += 8
        if flags & _WRITE_RESULT:
            header, = struct.unpack_from("!I", body, position)
            position += 4
            result = _subfield_text(header, offset, 1)
    named = (("idle_timeout", idle), ("hard_timeout", hard), ("fin_idle_timeout", fin_idle), ("fin_hard_timeout", fin_hard))
    parts += [f"{name}={number}" for name, number in named if number]
    if priority != DEFAULT_PRIORITY:
        parts.append(f"priority={priority}")
    parts += [name for name, bit in _FLAGS.items() if flags & bit]
    if cookie:
        parts.append(f"cookie={cookie:#x}")
    if limit:
        parts.append(f"limit={limit}")
    if result:
        parts.append(f"result_dst={result}")
    return f"learn({','.join(parts + _decode_specs(body[position:]))})"


def _decode_specs(specs: bytes) -> list[str]:
    parts = []
    position = 0
    while position + 2 <= len(specs):
        header, = struct.unpack_from("!H", specs, position)
        if not header:
            break
        position += 2
        width, kind = header & 0x7FF, header >> 11 & 3
        value = 0
        source = ""
        if header & _IMMEDIATE:
            size = (width + 15) // 16 * 2
            value = int.from_bytes(specs[position:position + size], "big")
            position += size
        else:
            source_header, source_offset = struct.unpack_from("!IH", specs, position)
            source = _subfield_text(source_header, source_offset, width)
            position += 6
        if kind == _OUTPUT:
            parts.append(f"output:{source}")
            continue
        target_header, offset = struct.unpack_from("!IH", specs, position)
        position += 6
        target = _subfield_text(target_header, offset, width)
        if kind == _LOAD:
            parts.append(f"load:{source or hex(value)}->{target}")
        elif source:
            parts.append(target if source == target else f"{target}={source}")
        else:
            field = BY_HEADER.get(target_header)
            whole = field and width == field.bits
            parts.append(f"{field.name}={format_value(field, value, (1 << width) - 1)}" if field and whole else f"{target}={value:#x}")
    return parts


def _subfield_text(header: int, offset: int, width: int) -> str:
    field = BY_HEADER.get(header)
    return format_subfield(Subfield(field, offset, width)) if field else f"?{header:08x}[{offset}..{offset + width - 1}]"
