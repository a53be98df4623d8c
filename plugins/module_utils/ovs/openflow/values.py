# SPDX-License-Identifier: Apache-2.0
"""The values of fields, with their masks: text to number and back, in the forms of ovs-fields(7)."""
from __future__ import annotations

import socket
from typing import Callable, Optional

from ...errors import SluiceError
from .fields import Field

#: Ports with a meaning of their own (OpenFlow 1.5.1 §7.2.1.2), as 32 bits.
PORTS = {"UNSET": 0xFFFFFFF7, "IN_PORT": 0xFFFFFFF8, "TABLE": 0xFFFFFFF9, "NORMAL": 0xFFFFFFFA, "FLOOD": 0xFFFFFFFB,
         "ALL": 0xFFFFFFFC, "CONTROLLER": 0xFFFFFFFD, "LOCAL": 0xFFFFFFFE, "ANY": 0xFFFFFFFF}
_PORT_NAMES = {number: name for name, number in PORTS.items()}
_FIRST_RESERVED_16 = 0xFF00

CT_STATES = ("new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat")
TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[9]", "[10]", "[11]")
TUNNEL_FLAGS = ("oam",)
_FLAGS = {"ct_state": CT_STATES, "tcp_flags": TCP_FLAGS, "tun_flags": TUNNEL_FLAGS}

# Bit 0: a fragment, bit 1: not the first one. Name: value, mask.
_FRAGMENTS = {"no": (0, 3), "yes": (1, 1), "first": (1, 3), "later": (3, 3), "not_later": (0, 2)}


def parse_number(text: str, bits: int) -> int:
    """A decimal or 0x number of at most ``bits`` bits. Raises SluiceError if it is not."""
    try:
        number = _number(text)
    except ValueError:
        raise SluiceError(f"'{text}' is not a number") from None
    if number >= 1 << bits:
        raise SluiceError(f"'{text}' does not fit into {bits} bits")
    return number


def _number(text: str) -> int:
    # int() alone would take signs, spaces, underscores and other scripts' digits as well.
    if not text.isalnum() or not text.isascii():
        raise ValueError(text)
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text)


def plain_converter(field: Field) -> Optional[Callable[[str], bytes]]:
    """What gives the bytes of a value without a mask; None if the field's values come in more forms than one.

    This is what most values of a program need, several times faster than `parse_value`. It raises ValueError, OSError or OverflowError
    for whatever else there may be, right or wrong.
    """
    size, kind = field.bytes, field.kind
    if kind == "ipv4":
        return lambda text: socket.inet_pton(socket.AF_INET, text)
    if kind == "ipv6":
        return lambda text: socket.inet_pton(socket.AF_INET6, text)
    if kind == "eth":
        return _plain_ethernet
    if kind == "port" and size == 4:
        return _plain_port
    if kind in ("dec", "hex") and field.bits == 8 * size:
        return lambda text: _number(text).to_bytes(size, "big")
    return None


def _plain_ethernet(text: str) -> bytes:
    if len(text) != 17 or text[2::3] != ":::::":
        raise ValueError(text)
    return bytes.fromhex(text.replace(":", ""))


def _plain_port(text: str) -> bytes:
    number = _number(text)
    if number >= _FIRST_RESERVED_16:
        raise ValueError(text)
    return number.to_bytes(4, "big")


def parse_port(text: str) -> int:
    """A port as 32 bits: a number, or the name of a reserved port. Raises SluiceError for anything else."""
    if text.upper() in PORTS:
        return PORTS[text.upper()]
    if text.upper() == "NONE":
        return PORTS["ANY"]
    if not text[:1].isdecimal():
        raise SluiceError(f"'{text}' is not a port; expected an OpenFlow port number or one of {', '.join(PORTS)}")
    number = parse_number(text, 32)
    if number <= 0xFFFF:
        return number | 0xFFFF0000 if number >= _FIRST_RESERVED_16 else number
    if number < 0xFFFFFF00:
        raise SluiceError(f"'{text}' is not a port; Open vSwitch's ports are below {_FIRST_RESERVED_16:#x}")
    return number


def format_port(number: int) -> str:
    """The port's name if it is a reserved one, else its number."""
    return _PORT_NAMES.get(number) or str(number)


def parse_value(field: Field, text: str) -> tuple[int, int]:
    """The value and the mask (all ones without one) that ``text`` gives for ``field``; bits outside the mask are zero.

    Raises SluiceError if the text is not a value of that field.
    """
    full = (1 << field.bits) - 1
    kind = field.kind
    if kind in ("dec", "hex"):
        value_text, slash, mask_text = text.partition("/")
        value = parse_number(value_text, field.bits)
        mask = parse_number(mask_text, field.bits) if slash else full
        return value & mask, mask
    if kind == "port":
        return parse_port(text) & full, full
    if kind == "frag":
        if text not in _FRAGMENTS:
            raise SluiceError(f"'{text}' is not a fragment type; expected one of {', '.join(_FRAGMENTS)}")
        return _FRAGMENTS[text]
    if kind in _FLAGS:
        return _parse_flags(field, text)
    if kind == "packet_type":
        namespace, _separator, number = text.strip("()").partition(",")
        return parse_number(namespace, 16) << 16 | parse_number(number, 16), full
    value_text, slash, mask_text = text.partition("/")
    value = _parse_address(kind, value_text)
    if not slash:
        return value, full
    if kind != "eth" and mask_text.isdecimal():
        length = int(mask_text)
        if length > field.bits:
            raise SluiceError(f"'/{mask_text}' is longer than the address")
        mask = full ^ (full >> length)
    else:
        mask = _parse_address(kind, mask_text)
    return value & mask, mask


def format_value(field: Field, value: int, mask: int) -> str:
    """The text of a value; the inverse of `parse_value`."""
    full = (1 << field.bits) - 1
    kind = field.kind
    if kind == "port":
        return format_port(value | 0xFFFF0000 if field.bits == 16 and value >= _FIRST_RESERVED_16 else value)
    if kind == "frag":
        return next((name for name, known in _FRAGMENTS.items() if known == (value, mask)), f"{value:#x}/{mask:#x}")
    if kind in _FLAGS:
        return _format_flags(field, value, mask)
    if kind == "packet_type":
        return f"({value >> 16},{value & 0xFFFF:#x})"
    if kind in ("dec", "hex"):
        if mask != full:
            return f"{value:#x}/{mask:#x}"
        return f"{value:d}" if kind == "dec" else f"{value:#x}"
    text = _format_address(kind, value, field.bytes)
    if mask == full:
        return text
    length = bin(mask).count("1")
    if kind != "eth" and mask == full ^ (full >> length):
        return f"{text}/{length}"
    return f"{text}/{_format_address(kind, mask, field.bytes)}"


def _parse_address(kind: str, text: str) -> int:
    try:
        if kind == "ipv4":
            return int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
        if kind == "ipv6":
            return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
        octets = [int(octet, 16) for octet in text.split(":")]
        if len(octets) == 6 and max(octets) <= 0xFF:
            return int.from_bytes(bytes(octets), "big")
    except (OSError, ValueError):
        pass
    words = {"ipv4": "an IPv4 address", "ipv6": "an IPv6 address", "eth": "an Ethernet address"}
    raise SluiceError(f"'{text}' is not {words[kind]}")


def _format_address(kind: str, value: int, size: int) -> str:
    octets = value.to_bytes(size, "big")
    if kind == "eth":
        return octets.hex(":")
    return socket.inet_ntop(socket.AF_INET if kind == "ipv4" else socket.AF_INET6, octets)


def _parse_flags(field: Field, text: str) -> tuple[int, int]:
    names = _FLAGS[field.kind]
    if text[:1] not in "+-" and not text[:1].isdecimal():
        # Names joined by | are the whole field's value: what is not named is not set.
        set_flags, _mask = _parse_flags(field, "+" + text.replace("|", "+"))
        return set_flags, (1 << len(names)) - 1
    if text[:1] not in "+-":
        value_text, slash, mask_text = text.partition("/")
        # What a flag field has no flags for must be zero: the switch takes the mask of the known flags for the whole field.
        known = (1 << len(names)) - 1
        value, mask = parse_number(value_text, len(names)), parse_number(mask_text, len(names)) if slash else known
        return value & mask, mask
    value = mask = 0
    for sign, name in _signed_names(text):
        if name not in names:
            raise SluiceError(f"'{name}' is not a flag of {field.name}; expected some of {', '.join(names)}")
        bit = 1 << names.index(name)
        if mask & bit:
            raise SluiceError(f"'{text}' names the flag {name} twice")
        mask |= bit
        value |= bit if sign == "+" else 0
    return value, mask


def _signed_names(text: str) -> list[tuple[str, str]]:
    parts = text.replace("+", " +").replace("-", " -").split()
    return [(part[0], part[1:]) for part in parts]


def _format_flags(field: Field, value: int, mask: int) -> str:
    names = _FLAGS[field.kind]
    if mask >> len(names):
        return f"{value:#x}/{mask:#x}" if mask != (1 << field.bits) - 1 else f"{value:#x}"
    if mask == (1 << len(names)) - 1 and value and len(names) > 1:
        return "|".join(name for bit, name in enumerate(names) if value >> bit & 1)
    return "".join(("+" if value >> bit & 1 else "-") + name for bit, name in enumerate(names) if mask >> bit & 1)
