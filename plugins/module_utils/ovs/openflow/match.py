# SPDX-License-Identifier: Apache-2.0
"""Matches: ovs-ofctl's tokens to the bytes that Open vSwitch would send back for them, and those bytes to tokens."""
from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional, Sequence, Tuple

from ...errors import SluiceError
from .fields import ALIASES, BY_HEADER, FIELDS, HAS_MASK, Field, encode_oxm
from .values import format_value, parse_value, plain_converter

_CFI = 0x1000  # OpenFlow's OFPVID_PRESENT: there is a VLAN tag


class _Protocol(NamedTuple):
    eth_type: Optional[int]
    ip_proto: Optional[int]


_NO_PROTOCOL = _Protocol(None, None)
_IPV4, _IPV6, _ARP, _RARP = 0x0800, 0x86DD, 0x0806, 0x8035
_ICMP, _TCP, _UDP, _ICMPV6, _SCTP = 1, 6, 17, 58, 132

_SHORTHANDS = {
    "ip": _Protocol(_IPV4, None), "icmp": _Protocol(_IPV4, _ICMP), "tcp": _Protocol(_IPV4, _TCP), "udp": _Protocol(_IPV4, _UDP),
    "sctp": _Protocol(_IPV4, _SCTP), "ipv6": _Protocol(_IPV6, None), "ip6": _Protocol(_IPV6, None), "icmp6": _Protocol(_IPV6, _ICMPV6),
    "tcp6": _Protocol(_IPV6, _TCP), "udp6": _Protocol(_IPV6, _UDP), "sctp6": _Protocol(_IPV6, _SCTP),
    "arp": _Protocol(_ARP, None), "rarp": _Protocol(_RARP, None)}
_SHORTHAND_OF = {protocol: name for name, protocol in reversed(list(_SHORTHANDS.items()))}

_TRANSPORTS = {_TCP: "tcp", _UDP: "udp", _SCTP: "sctp"}
_FIELDS_BY_ETH_TYPE = {
    _ARP: {"nw_src": "arp_spa", "nw_dst": "arp_tpa", "nw_proto": "arp_op", "ip_src": "arp_spa", "ip_dst": "arp_tpa"},
    _RARP: {"nw_src": "arp_spa", "nw_dst": "arp_tpa", "nw_proto": "arp_op", "ip_src": "arp_spa", "ip_dst": "arp_tpa"},
    _IPV6: {"icmp_type": "icmpv6_type", "icmp_code": "icmpv6_code"}}

_VLAN_KEYS = ("dl_vlan", "dl_vlan_pcp", "vlan_pcp", "vlan_tci")
_TOS_KEYS = ("nw_tos", "ip_dscp")
_PARSED_SPECIALLY = (*_VLAN_KEYS, *_TOS_KEYS)
_PROTOCOL_FIELDS = {"dl_type": "eth_type", "eth_type": "eth_type", "nw_proto": "nw_proto", "ip_proto": "nw_proto"}

# What fields need the flow to match before them: Ethernet types, IP protocol, and how one says so (ovs-fields(7), "Prerequisites").
_IP_ANY = ((_IPV4, _IPV6), None, "ip or ipv6")
_NEEDS: dict[str, tuple[tuple[int, ...], Optional[int], str]] = {
    "ip_src": ((_IPV4,), None, "ip (or, for addresses in ARP, arp)"), "ip_dst": ((_IPV4,), None, "ip (or, for addresses in ARP, arp)"),
    **dict.fromkeys(("ip_frag", "ip_dscp", "nw_ecn", "nw_ttl", "nw_proto"), _IP_ANY),
    **dict.fromkeys(("ipv6_src", "ipv6_dst", "ipv6_label"), ((_IPV6,), None, "ipv6")),
    **dict.fromkeys(("tcp_src", "tcp_dst", "tcp_flags"), ((_IPV4, _IPV6), _TCP, "tcp or tcp6")),
    **dict.fromkeys(("udp_src", "udp_dst"), ((_IPV4, _IPV6), _UDP, "udp or udp6")),
    **dict.fromkeys(("sctp_src", "sctp_dst"), ((_IPV4, _IPV6), _SCTP, "sctp or sctp6")),
    **dict.fromkeys(("icmp_type", "icmp_code"), ((_IPV4,), _ICMP, "icmp or icmp6")),
    **dict.fromkeys(("icmpv6_type", "icmpv6_code", "nd_target", "nd_sll", "nd_tll"), ((_IPV6,), _ICMPV6, "icmp6")),
    **dict.fromkeys(("arp_op", "arp_spa", "arp_tpa", "arp_sha", "arp_tha"), ((_ARP, _RARP), None, "arp"))}

# The names that ovs-ofctl prints, where they are not the field's own.
_PRINTED = {"eth_src": "dl_src", "eth_dst": "dl_dst", "eth_type": "dl_type", "in_port_oxm": "in_port", "ip_src": "nw_src",
            "ip_dst": "nw_dst", "ip_frag": "nw_frag", "vlan_pcp": "dl_vlan_pcp", "icmpv6_type": "icmp_type",
            "icmpv6_code": "icmp_code", "tcp_src": "tp_src", "tcp_dst": "tp_dst", "udp_src": "tp_src", "udp_dst": "tp_dst",
            "sctp_src": "tp_src", "sctp_dst": "tp_dst"}

# Where a match's text begins, as ovs-ofctl writes it; the rest follows in the order of the fields.
_PRINTED_FIRST = tuple(FIELDS[name] for name in (
    "packet_type", "pkt_mark", "recirc_id", "dp_hash", "conj_id", "actset_output", "ct_state", "ct_zone", "ct_mark", "ct_label",
    "ct_nw_src", "ct_ipv6_src", "ct_nw_dst", "ct_ipv6_dst", "ct_nw_proto", "ct_tp_src", "ct_tp_dst"))
_PRINTED_AFTER_PROTOCOL = tuple(FIELDS[name] for name in (
    *(f"xreg{i}" for i in range(8)), "tun_id", "tun_src", "tun_dst", "tun_ipv6_src", "tun_ipv6_dst", "tun_gbp_id", "tun_gbp_flags",
    "tun_flags", "metadata", "in_port_oxm", "vlan_vid", "vlan_pcp", "eth_src", "eth_dst", "eth_type", "arp_spa", "arp_tpa"))

# A condition on one field: value and mask as numbers. Its place in the match is the field's order.
Term = tuple[Field, int, int]


class _KnownTokens(Dict[str, Tuple[Tuple[int, bytes], ...]]):
    """Order and bytes of each term of every token that was met with one shorthand; a new token is encoded when it is first looked up."""

    def __init__(self, shorthand: Optional[str]) -> None:
        super().__init__()
        self._protocol = _SHORTHANDS.get(shorthand or "", _NO_PROTOCOL)
        self._plain: dict[str, tuple[int, bytes, Callable[[str], bytes], bytes]] = {}

    def __missing__(self, token: str) -> tuple[tuple[int, bytes], ...]:
        key, _separator, text = token.partition("=")
        if key in self._plain:
            order, before, convert, after = self._plain[key]
            try:
                plain = self[token] = ((order, before + convert(text) + after),)
                return plain
            except (ValueError, OSError, OverflowError):
                pass
        if _refines_protocol(token, self._protocol):
            raise SluiceError(f"'{token}' changes what other tokens mean")
        terms = _parse_token(token, self._protocol)
        if len(terms) == 1 and key not in self._plain and token not in _SHORTHANDS and key not in _PARSED_SPECIALLY:
            self._meet(key)
        entries = self[token] = tuple((field.order, encode_oxm(field, value, mask)) for field, value, mask in terms if mask)
        return entries

    def _meet(self, key: str) -> None:
        """Remember how values of this key without a mask become bytes."""
        field = _resolve(key, self._protocol)
        convert = plain_converter(field)
        if convert and field.name.startswith("reg"):
            (whole, _value, mask), = _register_terms(field, 0, (1 << 32) - 1)
            exact = encode_oxm(whole, 0, mask)
            start = 4 if mask >> 32 else 8
            self._plain[key] = (whole.order, exact[:start], convert, exact[start + 4:])
        elif convert:
            self._plain[key] = (field.order, field.oxm.to_bytes(4, "big"), convert, b"")


class MatchEncoder:
    """Encodes matches; remembers every token that it has met, since the flows of a program share most of theirs."""

    def __init__(self) -> None:
        self._known: dict[Optional[str], _KnownTokens] = {None: _KnownTokens(None)}

    def encode(self, tokens: Sequence[str]) -> bytes:
        """The OXM fields (no header, no padding) in Open vSwitch's order.

        Raises SluiceError, which names the token, for what is not a condition or contradicts another one.
        """
        # The shorthand comes first in what Sluice writes, which saves the search.
        shorthand = tokens[0] if tokens else None
        if shorthand not in _SHORTHANDS:
            shorthand = next((token for token in tokens if token in _SHORTHANDS), None)
        known = self._known.get(shorthand)
        if known is None:
            known = self._known[shorthand] = _KnownTokens(shorthand)
        entries: list[tuple[int, bytes]] = []
        try:
            for token in tokens:
                entries += known[token]
        except SluiceError:
            return _encode_merged(tokens, shorthand)
        by_order = dict(entries)
        if len(by_order) < len(entries):
            return _encode_merged(tokens, shorthand)
        return b"".join([by_order[order] for order in sorted(by_order)])


def _encode_merged(tokens: Sequence[str], shorthand: Optional[str]) -> bytes:
    """The match of tokens that depend on each other: several on one field, or protocols said as numbers."""
    protocol = _protocol_of(tokens, shorthand)
    merged: dict[Field, tuple[int, int]] = {}
    for token in tokens:
        for field, value, mask in _parse_token(token, protocol):
            value_before, mask_before = merged.get(field, (0, 0))
            if (value ^ value_before) & mask & mask_before:
                raise SluiceError(f"'{token}' contradicts another condition on {field.name} in the same flow")
            merged[field] = (value | value_before, mask | mask_before)
    return b"".join([encode_oxm(field, *merged[field]) for field in sorted(merged, key=lambda field: field.order) if merged[field][1]])


def decode_match(oxm: bytes) -> tuple[str, ...]:
    """The tokens of a match, in the order and with the words of ovs-ofctl; fields unknown here are given as hexadecimal bytes."""
    terms: dict[Field, tuple[int, int]] = {}
    unknown = []
    position = 0
    while position + 4 <= len(oxm):
        header = int.from_bytes(oxm[position:position + 4], "big")
        length = header & 0xFF
        payload = oxm[position + 4:position + 4 + length]
        field = BY_HEADER.get(header & ~HAS_MASK & ~0xFF | (length // 2 if header & HAS_MASK else length))
        if field is None:
            unknown.append(f"oxm:{oxm[position:position + 4 + length].hex()}")
        elif header & HAS_MASK:
            half = length // 2
            terms[field] = (int.from_bytes(payload[:half], "big"), int.from_bytes(payload[half:], "big"))
        else:
            terms[field] = (int.from_bytes(payload, "big"), (1 << field.bits) - 1)
        position += 4 + length
    return (*_format_terms(terms), *unknown)


def _refines_protocol(token: str, named: _Protocol) -> bool:
    """Whether the token says more of the flow's protocol than a shorthand does."""
    return named.ip_proto is None and named.eth_type not in (_ARP, _RARP) and token.partition("=")[0] in _PROTOCOL_FIELDS


def _protocol_of(tokens: Sequence[str], shorthand: Optional[str]) -> _Protocol:
    """What the shorthand, ``eth_type=`` and ``ip_proto=`` say together."""
    named = _SHORTHANDS.get(shorthand or "", _NO_PROTOCOL)
    numbers: dict[str, int] = {}
    for token in tokens:
        if _refines_protocol(token, named):
            key, _separator, value = token.partition("=")
            name = _PROTOCOL_FIELDS[key]
            numbers[name] = parse_value(FIELDS[name], value)[0]
    return _Protocol(named.eth_type or numbers.get("eth_type"), named.ip_proto or numbers.get("nw_proto"))


def _parse_token(token: str, protocol: _Protocol) -> list[Term]:
    shorthand = _SHORTHANDS.get(token)
    if shorthand:
        terms = [_exact("eth_type", shorthand.eth_type or 0)]
        return terms if shorthand.ip_proto is None else [*terms, _exact("nw_proto", shorthand.ip_proto)]
    key, equals, text = token.partition("=")
    if not equals or not text:
        raise SluiceError(f"'{token}' is not a condition; expected a form like in_port=5, or a protocol like ip, tcp6 or arp")
    try:
        return _parse_condition(key, text, protocol)
    except SluiceError as error:
        raise SluiceError(f"'{token}': {error}") from None


def _parse_condition(key: str, text: str, protocol: _Protocol) -> list[Term]:
    if key in _VLAN_KEYS:
        return _parse_vlan(key, text)
    if key in _TOS_KEYS:
        value, _mask = parse_value(FIELDS[key], text)
        if key == "nw_tos" and value & 3:
            raise SluiceError("the two low bits are ECN; give them as nw_ecn")
        _require(FIELDS["ip_dscp"], protocol)
        return [_exact("ip_dscp", value >> 2 if key == "nw_tos" else value)]
    field = _resolve(key, protocol)
    _require(field, protocol)
    value, mask = parse_value(field, text)
    return _register_terms(field, value, mask) if field.name[:3] in ("reg", "xxr") else [(field, value, mask)]


def _resolve(key: str, protocol: _Protocol) -> Field:
    """The field that a name stands for, which may depend on the flow's protocol."""
    if key == "in_port":
        return FIELDS["in_port_oxm"]
    if key in ("tp_src", "tp_dst"):
        transport = _TRANSPORTS.get(protocol.ip_proto or 0)
        if transport:
            return FIELDS[transport + key[2:]]
        if protocol.ip_proto in (_ICMP, _ICMPV6):
            return FIELDS[("icmp" if protocol.ip_proto == _ICMP else "icmpv6") + ("_type" if key == "tp_src" else "_code")]
        raise SluiceError("the flow matches no protocol with ports; add tcp, udp, sctp, tcp6, udp6 or sctp6")
    by_type = _FIELDS_BY_ETH_TYPE.get(protocol.eth_type or 0, {})
    name = by_type.get(key) or ALIASES.get(key, key)
    if name not in FIELDS:
        raise SluiceError(f"'{key}' is not a field that Sluice can match")
    return FIELDS[name]


def _require(field: Field, protocol: _Protocol) -> None:
    if field.name in _NEEDS:
        eth_types, ip_proto, words = _NEEDS[field.name]
        if protocol.eth_type not in eth_types or ip_proto not in (None, protocol.ip_proto):
            raise SluiceError(f"{field.name} has a meaning only in a flow that matches {words}")


def _parse_vlan(key: str, text: str) -> list[Term]:
    tag, pcp = FIELDS["vlan_vid"], FIELDS["vlan_pcp"]
    if key == "dl_vlan":
        number, _mask = parse_value(FIELDS["vlan_tci"], text)
        if number == 0xFFFF:
            return [(tag, 0, 0x1FFF)]
        if number > 0xFFF:
            raise SluiceError("a VLAN is at most 4095; 0xffff means no VLAN tag")
        return [(tag, number | _CFI, 0x1FFF)]
    if key == "vlan_tci":
        value, mask = parse_value(FIELDS["vlan_tci"], text)
        terms = [(tag, value & 0x1FFF, mask & 0x1FFF)]
        # Without a tag there is no priority to match: Open vSwitch drops that part as well.
        return [*terms, (pcp, value >> 13, 7)] if mask >> 13 and value & _CFI else terms
    value, _mask = parse_value(pcp, text)
    return [(tag, _CFI, _CFI), (pcp, value, 7)]


def _register_terms(field: Field, value: int, mask: int) -> list[Term]:
    """A register as parts of the 64-bit ones, which is what OpenFlow 1.5 matches (and Open vSwitch sends)."""
    number = int(field.name.lstrip("xreg"))
    if field.bits == 32:
        shift = 0 if number % 2 else 32
        return [(FIELDS[f"xreg{number // 2}"], value << shift, mask << shift)]
    low = (1 << 64) - 1
    return [(FIELDS[f"xreg{2 * number}"], value >> 64, mask >> 64), (FIELDS[f"xreg{2 * number + 1}"], value & low, mask & low)]


def _exact(name: str, value: int) -> Term:
    field = FIELDS[name]
    return field, value, (1 << field.bits) - 1


def _format_terms(terms: dict[Field, tuple[int, int]]) -> list[str]:
    tokens = [_format_term(field, *terms.pop(field)) for field in _PRINTED_FIRST if field in terms]
    eth_type, _mask = terms.get(FIELDS["eth_type"], (None, 0))
    ip_proto, _mask = terms.get(FIELDS["nw_proto"], (None, 0))
    for protocol, covered in ((_Protocol(eth_type, ip_proto), ("eth_type", "nw_proto")), (_Protocol(eth_type, None), ("eth_type",))):
        if protocol in _SHORTHAND_OF:
            tokens.append(_SHORTHAND_OF[protocol])
            for name in covered:
                terms.pop(FIELDS[name], None)
            break
    for field in _PRINTED_AFTER_PROTOCOL:
        if field in terms:
            if field.name == "vlan_vid" and terms[field] == (_CFI, _CFI) and FIELDS["vlan_pcp"] in terms:
                del terms[field]  # dl_vlan_pcp says already that there is a tag
                continue
            tokens += _format_later_term(field, *terms.pop(field))
    for field in sorted(terms, key=lambda field: field.order):
        tokens += _format_later_term(field, *terms[field])
    return tokens


def _format_later_term(field: Field, value: int, mask: int) -> list[str]:
    if field.name.startswith("xreg"):
        number = 2 * int(field.name[4:])
        low = 0xFFFFFFFF
        return [_format_term(FIELDS[f"reg{index}"], part, part_mask) for index, part, part_mask in
                ((number, value >> 32, mask >> 32), (number + 1, value & low, mask & low)) if part_mask]
    if field.name == "vlan_vid" and mask == 0x1FFF and value & _CFI:
        return [f"dl_vlan={value & 0xFFF}"]
    if field.name == "vlan_vid":
        return [f"vlan_tci={value:#06x}/{mask:#06x}"]
    if field.name == "ip_dscp":
        return [f"nw_tos={value << 2}"]
    return [_format_term(field, value, mask)]


def _format_term(field: Field, value: int, mask: int) -> str:
    return f"{_PRINTED.get(field.name, field.name)}={format_value(field, value, mask)}"
