# SPDX-License-Identifier: Apache-2.0
"""SCTP on the userspace datapath, whose conntrack knows it by addresses alone: any two peers would have one connection.

So its state is in flows: a packet that was allowed teaches the switch which packets are its replies.
"""
from __future__ import annotations

from ..ovs.flow import Flow
from ..pipeline.build import V4, V6, Family, flow, goto
from ..pipeline.cookie import OWNER_LEARNED, cookie
from ..pipeline.tables import ALLOWED, CONNTRACK, CONNTRACK_STATE, FROM_TUNNEL, POLICY_EXEMPT, REPLY, ROUTE, SCTP_REPLY, bit_is, source_is
from .state import exchange

NAME = "sctp"
WORD = {4: "sctp", 6: "sctp6"}
UNREACHABLE = {4: ("icmp", "icmp_type=3"), 6: ("icmp6", "icmp_type=1")}
"""RFC 792, RFC 4443 section 3.1."""
IDLE_SECONDS = 210
"""How long a silent association is remembered: Linux' nf_conntrack_sctp_timeout_established, which its heartbeats keep alive."""
ASSOCIATIONS_MAX = 20000
"""No more of them are remembered, so that a scan cannot fill the switch; the replies to what comes after are judged like new packets."""


def sctp_flows(established: str) -> list[Flow]:
    """The flows that stand in for conntrack; ``established``: revalidate | keep."""
    flows = []
    for ip in (V4, V6):
        sctp = WORD[ip.version]
        reply = [*exchange(ip), goto(POLICY_EXEMPT)] if established == "revalidate" else [goto(ROUTE)]
        flows += [
            flow(CONNTRACK, 210, [sctp], [f"resubmit(,{SCTP_REPLY})", goto(CONNTRACK_STATE)], NAME),
            flow(CONNTRACK_STATE, 260, [bit_is(REPLY, True), sctp], reply, NAME),
            flow(CONNTRACK_STATE, 255, [bit_is(REPLY, False), sctp, "ct_state=-trk"], [goto(POLICY_EXEMPT)], NAME),
            flow(ALLOWED, 210, [bit_is(REPLY, False), sctp, "ct_state=-trk"], [_learn(ip), goto(ROUTE)], NAME)]
        # The agent of another node, or a router there, says that a packet of SCTP was refused. No connection is known that this is about, so
        # it counts as invalid; but what another node's switch lets into the tunnel was judged there.
        flows.append(flow(CONNTRACK_STATE, 235, ["ct_state=+inv+trk", source_is(FROM_TUNNEL), *UNREACHABLE[ip.version]], [goto(ROUTE)], NAME))
    return flows


def _learn(ip: Family) -> str:
    addresses = {
        4: "eth_type=0x800,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],NXM_OF_IP_DST[]=NXM_OF_IP_SRC[]",
        6: "eth_type=0x86dd,NXM_NX_IPV6_SRC[]=NXM_NX_IPV6_DST[],NXM_NX_IPV6_DST[]=NXM_NX_IPV6_SRC[]"}[ip.version]
    return (f"learn(table={SCTP_REPLY},idle_timeout={IDLE_SECONDS},priority=200,cookie={cookie(OWNER_LEARNED, NAME):#x},limit={ASSOCIATIONS_MAX},"
            f"{addresses},nw_proto=132,OXM_OF_SCTP_SRC[]=OXM_OF_SCTP_DST[],OXM_OF_SCTP_DST[]=OXM_OF_SCTP_SRC[],"
            f"load:1->NXM_NX_REG0[{REPLY.bit_length() - 1}])")
