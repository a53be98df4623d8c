# SPDX-License-Identifier: Apache-2.0
"""The fields that flows match and set: names, sizes and codes (ovs-fields(7); OpenFlow 1.5.1 §7.2.3)."""
from __future__ import annotations

import re
from typing import NamedTuple, Optional

from ...errors import SluiceError

#: The bit of a field's header which says that a mask follows the value.
HAS_MASK = 0x100

NXM_OF, NXM_NX, ERICSSON, OXM_OF, PKT_REG = 0x0000, 0x0001, 0x1000, 0x8000, 0x8001


class Field(NamedTuple):
    """A field; ``order`` is its place in the matches that Open vSwitch sends, and ours (prerequisites come first).

    ``oxm`` is its header in what OpenFlow 1.5 defines, ``nxm`` in Nicira's actions; they differ where both gave it a code.
    """

    name: str
    bits: int
    bytes: int
    kind: str
    oxm: int
    nxm: int
    code_name: str
    order: int


class Subfield(NamedTuple):
    """``width`` bits of a field, from bit ``offset``."""

    field: Field
    offset: int
    width: int


# name, bits, kind, the codes: OXM "class:number" and NXM "class:number", and the name that ovs-ofctl prints in a subfield.
# In the order in which Open vSwitch puts them into a match.
_TABLE: tuple[tuple[str, int, str, Optional[tuple[int, int]], Optional[tuple[int, int]], str], ...] = (
    ("packet_type", 32, "packet_type", (OXM_OF, 44), None, "OXM_OF_PACKET_TYPE"),
    ("dp_hash", 32, "hex", None, (NXM_NX, 35), "NXM_NX_DP_HASH"),
    ("recirc_id", 32, "dec", None, (NXM_NX, 36), "NXM_NX_RECIRC_ID"),
    ("conj_id", 32, "dec", None, (NXM_NX, 37), "NXM_NX_CONJ_ID"),
    ("in_port", 16, "port", None, (NXM_OF, 0), "NXM_OF_IN_PORT"),
    ("in_port_oxm", 32, "port", (OXM_OF, 0), None, "OXM_OF_IN_PORT"),
    ("actset_output", 32, "port", (OXM_OF, 43), None, "OXM_OF_ACTSET_OUTPUT"),
    ("eth_src", 48, "eth", (OXM_OF, 4), (NXM_OF, 2), "NXM_OF_ETH_SRC"),
    ("eth_dst", 48, "eth", (OXM_OF, 3), (NXM_OF, 1), "NXM_OF_ETH_DST"),
    ("eth_type", 16, "hex", (OXM_OF, 5), (NXM_OF, 3), "NXM_OF_ETH_TYPE"),
    ("vlan_vid", 13, "dec", (OXM_OF, 6), None, "OXM_OF_VLAN_VID"),
    ("vlan_pcp", 3, "dec", (OXM_OF, 7), None, "OXM_OF_VLAN_PCP"),
    ("vlan_tci", 16, "hex", None, (NXM_OF, 4), "NXM_OF_VLAN_TCI"),
    ("ip_src", 32, "ipv4", (OXM_OF, 11), (NXM_OF, 7), "NXM_OF_IP_SRC"),
    ("ip_dst", 32, "ipv4", (OXM_OF, 12), (NXM_OF, 8), "NXM_OF_IP_DST"),
    ("ipv6_src", 128, "ipv6", (OXM_OF, 26), (NXM_NX, 19), "NXM_NX_IPV6_SRC"),
    ("ipv6_dst", 128, "ipv6", (OXM_OF, 27), (NXM_NX, 20), "NXM_NX_IPV6_DST"),
    ("ip_frag", 2, "frag", None, (NXM_NX, 26), "NXM_NX_IP_FRAG"),
    ("nw_tos", 8, "dec", None, (NXM_OF, 5), "NXM_OF_IP_TOS"),
    ("ip_dscp", 6, "dec", (OXM_OF, 8), None, "OXM_OF_IP_DSCP"),
    ("nw_ecn", 2, "dec", (OXM_OF, 9), (NXM_NX, 28), "NXM_NX_IP_ECN"),
    ("nw_ttl", 8, "dec", None, (NXM_NX, 29), "NXM_NX_IP_TTL"),
    ("ipv6_label", 20, "hex", (OXM_OF, 28), (NXM_NX, 27), "NXM_NX_IPV6_LABEL"),
    ("nw_proto", 8, "dec", (OXM_OF, 10), (NXM_OF, 6), "NXM_OF_IP_PROTO"),
    ("tcp_src", 16, "dec", (OXM_OF, 13), (NXM_OF, 9), "NXM_OF_TCP_SRC"),
    ("tcp_dst", 16, "dec", (OXM_OF, 14), (NXM_OF, 10), "NXM_OF_TCP_DST"),
    ("tcp_flags", 12, "tcp_flags", (OXM_OF, 42), (NXM_NX, 34), "NXM_NX_TCP_FLAGS"),
    ("udp_src", 16, "dec", (OXM_OF, 15), (NXM_OF, 11), "NXM_OF_UDP_SRC"),
    ("udp_dst", 16, "dec", (OXM_OF, 16), (NXM_OF, 12), "NXM_OF_UDP_DST"),
    ("sctp_src", 16, "dec", (OXM_OF, 17), None, "OXM_OF_SCTP_SRC"),
    ("sctp_dst", 16, "dec", (OXM_OF, 18), None, "OXM_OF_SCTP_DST"),
    ("icmp_type", 8, "dec", (OXM_OF, 19), (NXM_OF, 13), "NXM_OF_ICMP_TYPE"),
    ("icmp_code", 8, "dec", (OXM_OF, 20), (NXM_OF, 14), "NXM_OF_ICMP_CODE"),
    ("icmpv6_type", 8, "dec", (OXM_OF, 29), (NXM_NX, 21), "NXM_NX_ICMPV6_TYPE"),
    ("icmpv6_code", 8, "dec", (OXM_OF, 30), (NXM_NX, 22), "NXM_NX_ICMPV6_CODE"),
    ("nd_target", 128, "ipv6", (OXM_OF, 31), (NXM_NX, 23), "NXM_NX_ND_TARGET"),
    ("nd_sll", 48, "eth", (OXM_OF, 32), (NXM_NX, 24), "NXM_NX_ND_SLL"),
    ("nd_tll", 48, "eth", (OXM_OF, 33), (NXM_NX, 25), "NXM_NX_ND_TLL"),
    ("nd_reserved", 32, "dec", None, (ERICSSON, 1), "ERICOXM_OF_ICMPV6_ND_RESERVED"),
    ("nd_options_type", 8, "dec", None, (ERICSSON, 2), "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE"),
    ("arp_op", 16, "dec", (OXM_OF, 21), (NXM_OF, 15), "NXM_OF_ARP_OP"),
    ("arp_spa", 32, "ipv4", (OXM_OF, 22), (NXM_OF, 16), "NXM_OF_ARP_SPA"),
    ("arp_tpa", 32, "ipv4", (OXM_OF, 23), (NXM_OF, 17), "NXM_OF_ARP_TPA"),
    ("arp_sha", 48, "eth", (OXM_OF, 24), (NXM_NX, 17), "NXM_NX_ARP_SHA"),
    ("arp_tha", 48, "eth", (OXM_OF, 25), (NXM_NX, 18), "NXM_NX_ARP_THA"),
    ("tun_id", 64, "hex", (OXM_OF, 38), (NXM_NX, 16), "NXM_NX_TUN_ID"),
    ("tun_flags", 16, "tun_flags", None, (NXM_NX, 104), "NXM_NX_TUN_FLAGS"),
    ("tun_src", 32, "ipv4", None, (NXM_NX, 31), "NXM_NX_TUN_IPV4_SRC"),
    ("tun_dst", 32, "ipv4", None, (NXM_NX, 32), "NXM_NX_TUN_IPV4_DST"),
    ("tun_ipv6_src", 128, "ipv6", None, (NXM_NX, 109), "NXM_NX_TUN_IPV6_SRC"),
    ("tun_ipv6_dst", 128, "ipv6", None, (NXM_NX, 110), "NXM_NX_TUN_IPV6_DST"),
    ("tun_gbp_id", 16, "dec", None, (NXM_NX, 38), "NXM_NX_TUN_GBP_ID"),
    ("tun_gbp_flags", 8, "hex", None, (NXM_NX, 39), "NXM_NX_TUN_GBP_FLAGS"),
    *((f"reg{i}", 32, "hex", None, (NXM_NX, i), f"NXM_NX_REG{i}") for i in range(16)),
    *((f"xreg{i}", 64, "hex", (PKT_REG, i), None, f"OXM_OF_PKT_REG{i}") for i in range(8)),
    *((f"xxreg{i}", 128, "hex", None, (NXM_NX, 111 + i), f"NXM_NX_XXREG{i}") for i in range(4)),
    ("pkt_mark", 32, "hex", None, (NXM_NX, 33), "NXM_NX_PKT_MARK"),
    ("ct_state", 32, "ct_state", None, (NXM_NX, 105), "NXM_NX_CT_STATE"),
    ("ct_zone", 16, "dec", None, (NXM_NX, 106), "NXM_NX_CT_ZONE"),
    ("ct_mark", 32, "hex", None, (NXM_NX, 107), "NXM_NX_CT_MARK"),
    ("ct_label", 128, "hex", None, (NXM_NX, 108), "NXM_NX_CT_LABEL"),
    ("ct_nw_src", 32, "ipv4", None, (NXM_NX, 120), "NXM_NX_CT_NW_SRC"),
    ("ct_ipv6_src", 128, "ipv6", None, (NXM_NX, 122), "NXM_NX_CT_IPV6_SRC"),
    ("ct_nw_dst", 32, "ipv4", None, (NXM_NX, 121), "NXM_NX_CT_NW_DST"),
    ("ct_ipv6_dst", 128, "ipv6", None, (NXM_NX, 123), "NXM_NX_CT_IPV6_DST"),
    ("ct_nw_proto", 8, "dec", None, (NXM_NX, 119), "NXM_NX_CT_NW_PROTO"),
    ("ct_tp_src", 16, "dec", None, (NXM_NX, 124), "NXM_NX_CT_TP_SRC"),
    ("ct_tp_dst", 16, "dec", None, (NXM_NX, 125), "NXM_NX_CT_TP_DST"),
    ("metadata", 64, "hex", (OXM_OF, 2), None, "OXM_OF_METADATA"),
)

#: Names that mean the same field in every context, and the field.
ALIASES = {
    "dl_src": "eth_src", "dl_dst": "eth_dst", "dl_type": "eth_type", "nw_src": "ip_src", "nw_dst": "ip_dst", "ip_proto": "nw_proto",
    "nw_frag": "ip_frag", "ip_ecn": "nw_ecn", "tp_src": "tcp_src", "tp_dst": "tcp_dst", "tunnel_id": "tun_id", "ip_ttl": "nw_ttl"}


def _header(code: tuple[int, int], size: int) -> int:
    return code[0] << 16 | code[1] << 9 | size


def _fields() -> dict[str, Field]:
    fields = {}
    for order, (name, bits, kind, oxm, nxm, code_name) in enumerate(_TABLE):
        size = 4 if name == "ipv6_label" else (bits + 7) // 8
        oxm, nxm = oxm or nxm, nxm or oxm
        if not (oxm and nxm):
            raise AssertionError(f"field {name} has neither code")
        fields[name] = Field(name, bits, size, kind, _header(oxm, size), _header(nxm, size), code_name, order)
    return fields


#: Every field by its name.
FIELDS = _fields()

#: Every field by the header that it has on the wire (without the mask bit).
BY_HEADER = {header: field for field in FIELDS.values() for header in (field.oxm, field.nxm)}

_BY_ANY_NAME = {**FIELDS, **{alias: FIELDS[name] for alias, name in ALIASES.items()},
                **{field.code_name: field for field in FIELDS.values()},
                **{"OXM_OF_" + name: FIELDS[field] for name, field in (
                    ("ETH_SRC", "eth_src"), ("ETH_DST", "eth_dst"), ("ETH_TYPE", "eth_type"), ("IPV4_SRC", "ip_src"),
                    ("IPV4_DST", "ip_dst"), ("IPV6_SRC", "ipv6_src"), ("IPV6_DST", "ipv6_dst"), ("IP_PROTO", "nw_proto"),
                    ("TCP_SRC", "tcp_src"), ("TCP_DST", "tcp_dst"), ("UDP_SRC", "udp_src"), ("UDP_DST", "udp_dst"),
                    ("ARP_OP", "arp_op"), ("ARP_SPA", "arp_spa"), ("ARP_TPA", "arp_tpa"), ("ARP_SHA", "arp_sha"),
                    ("ARP_THA", "arp_tha"), ("TUNNEL_ID", "tun_id"), ("IPV6_ND_TARGET", "nd_target"), ("IPV6_ND_SLL", "nd_sll"),
                    ("IPV6_ND_TLL", "nd_tll"), ("ICMPV6_TYPE", "icmpv6_type"), ("ICMPV6_CODE", "icmpv6_code"),
                    ("ICMPV4_TYPE", "icmp_type"), ("ICMPV4_CODE", "icmp_code"))}}

_SUBFIELD = re.compile(r"(\w+)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?$")


def field_named(name: str) -> Field:
    """The field of that name, alias or code name. Raises SluiceError if there is none that Sluice knows."""
    try:
        return _BY_ANY_NAME[name]
    except KeyError:
        raise SluiceError(f"'{name}' is not a field that Sluice knows") from None


def encode_oxm(field: Field, value: int, mask: int) -> bytes:
    """The field with its value, and its mask unless that is all ones, as OpenFlow 1.5 has them in matches and in set_field."""
    size = field.bytes
    if mask == (1 << field.bits) - 1:
        return field.oxm.to_bytes(4, "big") + value.to_bytes(size, "big")
    return ((field.oxm | HAS_MASK) + size).to_bytes(4, "big") + value.to_bytes(size, "big") + mask.to_bytes(size, "big")


def parse_subfield(text: str) -> Subfield:
    """``NXM_NX_REG0[0..15]``, ``reg0[3]``, ``eth_src[]`` or ``eth_src``. Raises SluiceError if it is none, or beyond the field."""
    found = _SUBFIELD.match(text)
    if not found:
        raise SluiceError(f"'{text}' is not a field or a part of one; expected a form like reg0[0..15]")
    field = field_named(found[1])
    first = int(found[2]) if found[2] else 0
    last = int(found[3]) if found[3] else first if found[2] else field.bits - 1
    if not first <= last < field.bits:
        raise SluiceError(f"'{text}': bits {first}..{last} are not within the field's {field.bits}")
    return Subfield(field, first, last - first + 1)


def format_subfield(subfield: Subfield) -> str:
    """The subfield as ovs-ofctl writes it."""
    field, offset, width = subfield
    if width == field.bits:
        return f"{field.code_name}[]"
    return f"{field.code_name}[{offset}]" if width == 1 else f"{field.code_name}[{offset}..{offset + width - 1}]"
