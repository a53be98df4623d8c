# SPDX-License-Identifier: Apache-2.0
"""Flows with which the bridge itself answers who has an address, so that no ARP or ND packet ever crosses it."""
from __future__ import annotations

from ..ovs.flow import Flow
from ..pipeline.build import flow, goto
from ..pipeline.cookie import OWNER_PROGRAM
from ..pipeline.tables import ARP, ND, ND_ANSWER

ARP_REPLY = 2
NEIGHBOR_ADVERTISEMENT = 136
TARGET_LINK_LAYER_ADDRESS = 2
SOLICITED_OVERRIDE = 0x60000000
"""The S and O flags of a neighbor advertisement (RFC 4861 section 4.4) where the reserved bits of the solicitation were."""


def answer(address: str, mac: str, name: str, owner: int = OWNER_PROGRAM) -> Flow:
    """The flow that turns an ARP request (RFC 826) or a neighbor solicitation (RFC 4861) for ``address`` into its answer."""
    return _advertise(address, mac, name, owner) if ":" in address else _reply(address, mac, name, owner)


def _reply(address: str, mac: str, name: str, owner: int) -> Flow:
    return flow(ARP, 200, ["arp", "arp_op=1", f"arp_tpa={address}"], [
        "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]", f"set_field:{mac}->eth_src",
        f"set_field:{ARP_REPLY}->arp_op",
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]", "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
        f"set_field:{mac}->arp_sha", f"set_field:{address}->arp_spa",
        "IN_PORT"], name, owner)


def _advertise(address: str, mac: str, name: str, owner: int) -> Flow:
    return flow(ND, 200, ["icmp6", "icmp_type=135", "icmp_code=0", f"nd_target={address}"], [
        "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]", f"set_field:{mac}->eth_src",
        "move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]", f"set_field:{address}->ipv6_src",
        f"set_field:{mac}->nd_sll",
        # By way of a register: with a kernel's datapath, which cannot set them, OVS refuses set_field of these two, and moves to them by itself.
        f"set_field:{SOLICITED_OVERRIDE:#x}->reg1", "move:NXM_NX_REG1[]->ERICOXM_OF_ICMPV6_ND_RESERVED[]",
        f"set_field:{TARGET_LINK_LAYER_ADDRESS}->reg1", "move:NXM_NX_REG1[0..7]->ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE[]",
        f"set_field:{NEIGHBOR_ADVERTISEMENT}->icmpv6_type",
        goto(ND_ANSWER)], name, owner)


def advertisement_flow() -> Flow:
    """The second half of every neighbor advertisement: OpenFlow lets nd_tll be set only once the packet is one."""
    return flow(ND_ANSWER, 200, ["icmp6", f"icmp_type={NEIGHBOR_ADVERTISEMENT}", "icmp_code=0"], [
        "move:NXM_OF_ETH_SRC[]->NXM_NX_ND_TLL[]", "IN_PORT"], "baseline")
