# SPDX-License-Identifier: Apache-2.0
"""The action ``ct(…)`` with ``nat(…)`` and ``exec(…)``: text to bytes and back (ovs-actions(7), "The ct action")."""
from __future__ import annotations

import socket
import struct
from typing import Callable, Optional

from ...errors import SluiceError
from ..flow import split_tokens
from .fields import BY_HEADER, Subfield, format_subfield, parse_subfield
from .values import parse_number
from .wire import NXAST, nx_action, pad8, split_call

_COMMIT, _FORCE = 1, 2
_NO_TABLE = 0xFF
_HELPERS = {"ftp": 21, "tftp": 69}
_NAT_FLAGS = {"src": 1, "dst": 2, "persistent": 4, "hash": 8, "random": 16}


class CtEncoder:
    """Encodes ``ct(…)``. Remembers all but the translation, since the endpoints of a Service differ in nothing else."""

    def __init__(self, table_number: Callable[[str], int], encode_actions: Callable[[tuple[str, ...]], bytes]) -> None:
        self._table_number = table_number
        self._encode_actions = encode_actions
        self._known: dict[str, tuple[bytes, bytes, bytes]] = {}

    def encode(self, rest: str) -> bytes:
        """The action; ``rest`` is what stands in the parentheses. Raises SluiceError for what is not an argument of ct."""
        others, nat = _cut_nat(rest)
        if others not in self._known:
            self._known[others] = _encode_arguments(others, self._table_number, self._encode_actions)
        fixed, plain_nat, executed = self._known[others]
        # Whichever came first: their order means nothing.
        return nx_action(NXAST.CT, fixed + (plain_nat if nat is None else _encode_nat(nat)) + executed)


def _cut_nat(rest: str) -> tuple[str, Optional[str]]:
    """The arguments without ``nat(…)``, and what stands in its parentheses. All and None if it is not there just once, plain to see."""
    before, _nat, tail = rest.partition(",nat(")
    inside, end, after = tail.partition(")")
    if not end or after[:1] not in ("", ",") or before.count("(") != before.count(")") or "nat" in before or "nat" in after:
        return rest, None
    return before + after, inside


def _encode_arguments(rest: str, table_number: Callable[[str], int],
                      encode_actions: Callable[[tuple[str, ...]], bytes]) -> tuple[bytes, bytes, bytes]:
    """What has a fixed length, the bytes of ``nat`` and those of ``exec``."""
    flags, table, zone_source, zone, helper = 0, _NO_TABLE, 0, 0, 0
    nat = b""
    executed = b""
    for part in split_tokens(rest):
        key, _separator, value = part.partition("=")
        name, inner = split_call(part)
        if part == "commit":
            flags |= _COMMIT
        elif part == "force":
            flags |= _FORCE
        elif key == "table":
            table = table_number(value)
        elif key == "zone" and value[:1].isdecimal():
            zone = parse_number(value, 16)
        elif key == "zone":
            source = parse_subfield(value)
            zone_source, zone = source.field.nxm, source.offset << 6 | source.width - 1
        elif key == "alg":
            if value not in _HELPERS:
                raise SluiceError(f"'{value}' is not a helper; expected ftp or tftp")
            helper = _HELPERS[value]
        elif name == "nat":
            nat = _encode_nat(inner)
        elif name == "exec":
            executed = encode_actions(split_tokens(inner))
        else:
            raise SluiceError(f"'{part}' is not an argument of ct")
    if flags == _FORCE:
        raise SluiceError("'force' needs 'commit'")
    return struct.pack("!HIHB3xH", flags, zone_source, zone, table, helper), nat, executed


def decode_ct(body: bytes, table_name: Callable[[int], str], decode_actions: Callable[[bytes], tuple[str, ...]]) -> str:
    """The token for ``body``, what follows the action's ten bytes of header."""
    flags, zone_source, zone, table, helper = struct.unpack_from("!HIHB3xH", body)
    parts = []
    if flags & _COMMIT:
        parts.append("commit")
    if flags & _FORCE:
        parts.append("force")
    if table != _NO_TABLE:
        parts.append(f"table={table_name(table)}")
    if zone_source and zone_source in BY_HEADER:
        parts.append(f"zone={format_subfield(Subfield(BY_HEADER[zone_source], zone >> 6, (zone & 0x3F) + 1))}")
    elif zone_source:
        parts.append(f"zone=?{zone_source:08x}")
    elif zone:
        parts.append(f"zone={zone}")
    inner = decode_actions(body[14:])
    parts += [token for token in inner if token.startswith("nat")]
    executed = [token for token in inner if not token.startswith("nat")]
    if executed:
        parts.append(f"exec({','.join(executed)})")
    for name, port in _HELPERS.items():
        if helper == port:
            parts.append(f"alg={name}")
    return f"ct({','.join(parts)})"


def _encode_nat(rest: str) -> bytes:
    flags = present = 0
    body = b""
    for part in split_tokens(rest):
        key, equals, value = part.partition("=")
        if key not in _NAT_FLAGS or (equals and key not in ("src", "dst")):
            raise SluiceError(f"'{part}' is not an argument of nat")
        flags |= _NAT_FLAGS[key]
        if equals:
            present, body = _encode_range(value)
    if flags & 3 == 3:
        raise SluiceError("nat may have src or dst, not both")
    return nx_action(NXAST.NAT, pad8(struct.pack("!2xHH", flags, present) + body, 10))


def _encode_range(text: str) -> tuple[int, bytes]:
    """Addresses and ports: ``a``, ``a-b``, ``a:p-q``, ``[v6]-[v6]:p`` and so on."""
    try:
        addresses, ports = _split_range(text)
        present, body = 0, b""
        for bit, address in enumerate(addresses):
            present |= (4 if ":" in address else 1) << bit
            body += socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        for bit, port in enumerate(ports):
            present |= 0x10 << bit
            body += struct.pack("!H", port)
    except (ValueError, OSError, struct.error):
        raise SluiceError(f"'{text}' is not a range of addresses and ports; expected a form like 10.0.0.1-10.0.0.9:1024-65535") from None
    return present, body


def _split_range(text: str) -> tuple[list[str], list[int]]:
    ports: list[int] = []
    if text.startswith("["):
        addresses, _separator, port_text = text.rpartition("]")
        addresses = addresses.replace("[", "").replace("]", "")
        if port_text and not port_text.startswith(":"):
            raise ValueError(text)
        port_text = port_text[1:]
    elif text.count(":") > 1:
        addresses, port_text = text, ""
    else:
        addresses, _separator, port_text = text.partition(":")
    if port_text:
        ports = [int(port) for port in port_text.split("-")]
    if len(ports) > 2 or (ports and ports[0] > ports[-1]):
        raise ValueError(text)
    ends = addresses.split("-") if addresses else []
    if len(ends) > 2:
        raise ValueError(text)
    return ends, ports


def decode_nat(body: bytes) -> str:
    """The token for ``body``, what follows the action's ten bytes of header."""
    flags, present = struct.unpack_from("!2xHH", body)
    position = 6
    parts = []
    addresses = []
    for bit, family, size in ((1, socket.AF_INET, 4), (2, socket.AF_INET, 4), (4, socket.AF_INET6, 16), (8, socket.AF_INET6, 16)):
        if present & bit:
            addresses.append(socket.inet_ntop(family, body[position:position + size]))
            position += size
    ports = []
    for bit in (0x10, 0x20):
        if present & bit:
            ports.append(str(int.from_bytes(body[position:position + 2], "big")))
            position += 2
    kind: Optional[str] = next((name for name in ("src", "dst") if flags & _NAT_FLAGS[name]), None)
    if kind:
        text = "-".join(addresses)
        if ports:
            text = "-".join(f"[{address}]" for address in addresses) if ":" in text else text
            text += ":" + "-".join(ports)
        parts.append(f"{kind}={text}" if text else kind)
    parts += [name for name in ("persistent", "hash", "random") if flags & _NAT_FLAGS[name]]
    return f"nat({','.join(parts)})" if parts else "nat"
