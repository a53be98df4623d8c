# SPDX-License-Identifier: Apache-2.0
"""Actions and instructions: ovs-ofctl's tokens to OpenFlow 1.5's bytes (ovs-actions(7); Nicira's extensions included)."""
from __future__ import annotations

import struct
from typing import Callable, Dict, Mapping, Optional, Tuple

from ...errors import SluiceError
from ..flow import split_tokens
from . import conntrack, learn
from .fields import Subfield, encode_oxm, field_named, parse_subfield
from .values import PORTS, parse_number, parse_port, parse_value, plain_converter
from .wire import NXAST, OFPAT, action, nx_action, pad8, put_controller2, split_call

_APPLY, _WRITE, _CLEAR, _METADATA, _GOTO = 4, 3, 5, 2, 1
_INSTRUCTION_ORDER = ("actions", "clear_actions", "write_actions", "write_metadata", "goto_table")
_MAX_LENGTH = 0xFFFF
_SAME_TABLE = 0xFF
_REASONS = ("no_match", "action", "invalid_ttl", "action_set", "group", "packet_out")

# The old actions that only set one field: what ovs-ofctl sends for them in OpenFlow 1.5.
_SETTERS = {"mod_dl_src": "eth_src", "mod_dl_dst": "eth_dst", "mod_nw_src": "ip_src", "mod_nw_dst": "ip_dst", "set_tunnel": "tun_id",
            "set_tunnel64": "tun_id"}


class ActionEncoder:
    """Encodes actions; ``tables`` gives the number of a table's name. Remembers every list and token that it has met."""

    def __init__(self, tables: Mapping[str, int]) -> None:
        self._tables = tables
        self._lists: dict[tuple[str, ...], bytes] = {}
        self._known: dict[str, tuple[int, bytes]] = {}
        self._encoders: dict[str, Callable[[str], bytes]] = {
            "output": _output, "resubmit": self._resubmit, "set_field": _set_field, "load": _load, "move": _move, "dec_ttl": _dec_ttl,
            "ct": conntrack.CtEncoder(self.table, self.actions).encode, "ct_clear": lambda rest: nx_action(NXAST.CT_CLEAR, bytes(6)),
            "conjunction": _conjunction,
            "group": lambda rest: action(OFPAT.GROUP, _number32(rest)), "meter": lambda rest: action(OFPAT.METER, _number32(rest)),
            "learn": self._learn, "push_vlan": _push_vlan, "pop_vlan": lambda rest: action(OFPAT.POP_VLAN, bytes(4)),
            "strip_vlan": lambda rest: action(OFPAT.POP_VLAN, bytes(4)), "controller": _controller, "note": _note, "clone": self._clone,
            "check_pkt_larger": _check_pkt_larger, "push": lambda rest: _stack(NXAST.STACK_PUSH, rest),
            "pop": lambda rest: _stack(NXAST.STACK_POP, rest), "exit": lambda rest: nx_action(NXAST.EXIT, bytes(6)),
            "fin_timeout": _fin_timeout, "set_queue": lambda rest: action(OFPAT.SET_QUEUE, _number32(rest)),
            "pop_queue": lambda rest: nx_action(NXAST.POP_QUEUE, bytes(6)),
            "mod_nw_ttl": lambda rest: action(OFPAT.SET_NW_TTL, bytes([parse_number(rest, 8), 0, 0, 0]))}

    def encode(self, tokens: tuple[str, ...]) -> bytes:
        """The instructions that the tokens mean; none for ``drop``. Raises SluiceError, which names the token that is wrong."""
        try:
            return self._lists[tokens]
        except KeyError:
            encoded = self._lists[tokens] = self._instructions(tokens)
            return encoded

    def actions(self, tokens: tuple[str, ...]) -> bytes:
        """Plain actions, as buckets and ``clone`` have them. Raises SluiceError as `encode` does."""
        return b"".join([self._named(token, self._encode_action) for token in tokens if token != "drop"])

    def table(self, text: str) -> int:
        """The number of a table's name or decimal number. Raises SluiceError if it is neither."""
        if text in self._tables:
            return self._tables[text]
        if text.isdecimal() and int(text) < 0xFF:
            return int(text)
        names = ", ".join(sorted(self._tables)) or "none"
        raise SluiceError(f"'{text}' is not a table: neither a number of 0 to 254 nor a name that 'tables' gives ({names})")

    def _instructions(self, tokens: tuple[str, ...]) -> bytes:
        if "drop" in tokens:
            if len(tokens) > 1:
                raise SluiceError("'drop' must be the only action")
            return b""
        applied: list[bytes] = []
        after: list[bytes] = []
        reached = 0
        for token in tokens:
            place, encoded = self._known.get(token) or self._meet(token)
            if place < reached or place == reached > 0:
                raise SluiceError(f"'{token}' must come before {_INSTRUCTION_ORDER[reached]}, which runs last in any case")
            reached = place
            (after if place else applied).append(encoded)
        body = b"".join(applied)
        if len(body) > _MAX_LENGTH - 8:
            raise SluiceError("the actions do not fit into an OpenFlow message, which has at most 65535 bytes")
        return (struct.pack("!HH4x", _APPLY, 8 + len(body)) + body if body else b"") + b"".join(after)

    def _meet(self, token: str) -> tuple[int, bytes]:
        """The token's place in the order of instructions, and its bytes; remembered."""
        name = split_call(token)[0]
        place = _INSTRUCTION_ORDER.index(name) if name in _INSTRUCTION_ORDER else 0
        met = self._known[token] = (place, self._named(token, self._instruction if place else self._encode_action))
        return met

    def _instruction(self, token: str) -> bytes:
        name, rest = split_call(token)
        if name == "goto_table":
            return struct.pack("!HHB3x", _GOTO, 8, self.table(rest))
        if name == "clear_actions":
            return struct.pack("!HH4x", _CLEAR, 8)
        if name == "write_metadata":
            value, slash, mask = rest.partition("/")
            return struct.pack("!HH4xQQ", _METADATA, 24, parse_number(value, 64), parse_number(mask, 64) if slash else (1 << 64) - 1)
        body = self.actions(split_tokens(rest))
        return struct.pack("!HH4x", _WRITE, 8 + len(body)) + body

    def _named(self, token: str, encode: Callable[[str], bytes]) -> bytes:
        try:
            return encode(token)
        except SluiceError as error:
            message = str(error)
            raise SluiceError(message if message.startswith(f"'{token}'") else f"'{token}': {message}") from None
        except (struct.error, OverflowError):
            raise SluiceError(f"'{token}': a number in it is too large") from None

    def _encode_action(self, token: str) -> bytes:
        name, rest = split_call(token)
        if name in self._encoders:
            return self._encoders[name](rest)
        if name in _SETTERS:
            return _set_field(f"{rest}->{_SETTERS[name]}")
        if name.upper() in PORTS or name.isdecimal():
            if name.upper() == "CONTROLLER":
                return _controller(rest)
            return _output(token)
        if name == "in_port":
            return _output("IN_PORT")
        raise SluiceError(f"'{token}' is not an action that Sluice knows")

    def _resubmit(self, rest: str) -> bytes:
        port_text, _separator, table_and_ct = rest.partition(",")
        table_text, _separator, tracked = table_and_ct.partition(",")
        if tracked not in ("", "ct"):
            raise SluiceError("expected resubmit(port,table) or resubmit(port,table,ct)")
        port = parse_port(port_text) & 0xFFFF if port_text else PORTS["IN_PORT"] & 0xFFFF
        table = self.table(table_text) if table_text else _SAME_TABLE
        return nx_action(NXAST.RESUBMIT_TABLE_CT if tracked else NXAST.RESUBMIT_TABLE, struct.pack("!HB3x", port, table))

    def _learn(self, rest: str) -> bytes:
        return learn.encode_learn(rest, self.table)

    def _clone(self, rest: str) -> bytes:
        return nx_action(NXAST.CLONE, bytes(6) + self.actions(split_tokens(rest)))


def _number32(text: str) -> bytes:
    return parse_number(text, 32).to_bytes(4, "big")


def _output(rest: str) -> bytes:
    if "port=" in rest:
        arguments = dict(part.partition("=")[::2] for part in rest.split(","))
        if set(arguments) != {"port", "max_len"}:
            raise SluiceError("expected output(port=…,max_len=…)")
        port, length = parse_port(arguments["port"]) & 0xFFFF, parse_number(arguments["max_len"], 32)
        return nx_action(NXAST.OUTPUT_TRUNC, struct.pack("!HI", port, length))
    if rest.upper() not in PORTS and not rest[:1].isdecimal():
        source = parse_subfield(rest)
        return nx_action(NXAST.OUTPUT_REG, struct.pack("!HIH6x", _offset_and_width(source), source.field.nxm, _MAX_LENGTH))
    return action(OFPAT.OUTPUT, struct.pack("!IH6x", parse_port(rest), 0))


def _offset_and_width(part: Subfield) -> int:
    return part.offset << 6 | part.width - 1


def _split_destination(rest: str) -> tuple[str, str]:
    value, arrow, destination = rest.rpartition("->")
    if not arrow or not value or not destination:
        raise SluiceError("expected a form like value->field")
    return value, destination


class _PlainSetters(Dict[str, Optional[Tuple[bytes, Callable[[str], bytes], bytes]]]):
    """For every destination of set_field that was met: what precedes the bytes of a value without a mask, what makes them, what follows."""

    def __missing__(self, destination: str) -> Optional[tuple[bytes, Callable[[str], bytes], bytes]]:
        field = field_named(destination)
        convert = plain_converter(field)
        whole = action(OFPAT.SET_FIELD, pad8(encode_oxm(field, 0, (1 << field.bits) - 1), 4))
        setter = self[destination] = (whole[:8], convert, whole[8 + field.bytes:]) if convert else None
        return setter


_PLAIN_SETTERS = _PlainSetters()


def _set_field(rest: str) -> bytes:
    text, destination = _split_destination(rest)
    setter = _PLAIN_SETTERS[destination]
    if setter:
        before, convert, after = setter
        try:
            return before + convert(text) + after
        except (ValueError, OSError, OverflowError):
            pass
    field = field_named(destination)
    value, mask = parse_value(field, text)
    if field.kind == "tun_flags":
        mask = (1 << field.bits) - 1
    return action(OFPAT.SET_FIELD, pad8(encode_oxm(field, value, mask), 4))


def _load(rest: str) -> bytes:
    """Loading bits of a field is setting it under a mask, which is how OpenFlow 1.5 says it."""
    text, destination = _split_destination(rest)
    target = parse_subfield(destination)
    value = parse_number(text, target.width) << target.offset
    mask = (1 << target.width) - 1 << target.offset
    return action(OFPAT.SET_FIELD, pad8(encode_oxm(target.field, value, mask), 4))


def _move(rest: str) -> bytes:
    text, destination = _split_destination(rest)
    source, target = parse_subfield(text), parse_subfield(destination)
    if source.width != target.width:
        raise SluiceError(f"the source has {source.width} bits, the destination {target.width}")
    body = struct.pack("!HHH2xII", source.width, source.offset, target.offset, source.field.oxm, target.field.oxm)
    return action(OFPAT.COPY_FIELD, pad8(body, 4))


def _dec_ttl(rest: str) -> bytes:
    if not rest:
        return action(OFPAT.DEC_NW_TTL, bytes(4))
    ids = [parse_number(text, 16) for text in rest.split(",")]
    return nx_action(NXAST.DEC_TTL_CNT_IDS, pad8(struct.pack(f"!H4x{len(ids)}H", len(ids), *ids), 10))


def _conjunction(rest: str) -> bytes:
    text, _separator, clauses = rest.partition(",")
    clause_text, slash, count_text = clauses.partition("/")
    if not slash:
        raise SluiceError("expected conjunction(id,k/n)")
    clause, count = parse_number(clause_text, 8), parse_number(count_text, 8)
    if not 1 <= clause <= count or not 2 <= count <= 64:
        raise SluiceError("expected k/n with 1 <= k <= n and 2 <= n <= 64")
    return nx_action(NXAST.CONJUNCTION, struct.pack("!BBI", clause - 1, count, parse_number(text, 32)))


def _push_vlan(rest: str) -> bytes:
    return action(OFPAT.PUSH_VLAN, struct.pack("!H2x", parse_number(rest, 16)))


def _controller(rest: str) -> bytes:
    max_length, controller, reason = _MAX_LENGTH, 0, "action"
    userdata: Optional[bytes] = None
    pause, meter = False, 0
    for part in split_tokens(rest):
        key, equals, value = part.partition("=")
        if not equals and part.isdecimal():
            max_length = parse_number(part, 16)
        elif key == "max_len":
            max_length = parse_number(value, 16)
        elif key == "id":
            controller = parse_number(value, 16)
        elif key == "reason":
            reason = value
        elif key == "userdata":
            userdata = _octets(value)
        elif part == "pause":
            pause = True
        elif key == "meter_id":
            meter = parse_number(value, 32)
        else:
            raise SluiceError(f"'{part}' is not an argument of controller")
    if reason not in _REASONS:
        raise SluiceError(f"'{reason}' is not a reason; expected one of {', '.join(_REASONS)}")
    if userdata or pause or meter:
        return put_controller2(max_length, controller, _REASONS.index(reason), userdata or b"", pause, meter)
    if controller or reason != "action":
        return nx_action(NXAST.CONTROLLER, struct.pack("!HHBx", max_length, controller, _REASONS.index(reason)))
    return action(OFPAT.OUTPUT, struct.pack("!IH6x", PORTS["CONTROLLER"], max_length))


def _octets(text: str) -> bytes:
    try:
        return bytes(int(octet, 16) for octet in text.split(".")) if text else b""
    except ValueError:
        raise SluiceError(f"'{text}' is not a row of octets; expected a form like 01.0a.ff") from None


def _note(rest: str) -> bytes:
    return nx_action(NXAST.NOTE, pad8(_octets(rest), 10))


def _check_pkt_larger(rest: str) -> bytes:
    size, destination = _split_destination(rest)
    target = parse_subfield(destination)
    if target.width != 1:
        raise SluiceError("the destination must be one bit, like NXM_NX_REG0[3]")
    return nx_action(NXAST.CHECK_PKT_LARGER, pad8(struct.pack("!HHI", parse_number(size, 16), target.offset, target.field.nxm), 10))


def _stack(kind: int, rest: str) -> bytes:
    part = parse_subfield(rest)
    return nx_action(kind, struct.pack("!HIH6x", part.offset, part.field.nxm, part.width))


def _fin_timeout(rest: str) -> bytes:
    values = {"idle_timeout": 0, "hard_timeout": 0}
    for part in split_tokens(rest):
        key, _separator, value = part.partition("=")
        if key not in values:
            raise SluiceError(f"'{part}' is not an argument of fin_timeout")
        values[key] = parse_number(value, 16)
    return nx_action(NXAST.FIN_TIMEOUT, struct.pack("!HH2x", values["idle_timeout"], values["hard_timeout"]))
