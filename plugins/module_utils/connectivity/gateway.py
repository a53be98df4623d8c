# SPDX-License-Identifier: Apache-2.0
"""Flows for the node's own end in the pod network, and for all that leaves the pod network through it."""
from __future__ import annotations

from typing import Sequence

from ..conntrack.state import NO_SERVICE
from ..ovs.flow import Flow
from ..pipeline.build import family, flow, goto
from ..pipeline.tables import (
    ARP,
    CLASSIFY,
    CONNTRACK,
    CONNTRACK_STATE,
    ENDPOINT,
    FIRST_IP,
    FROM_GATEWAY,
    FROM_POD,
    FROM_TUNNEL,
    GATEWAY_MAC,
    HAIRPIN_ADDRESS,
    ND,
    ND_ANSWER,
    NODE_PORT_ADDRESS,
    OUTPUT,
    PEER_MAC,
    PEER_NEXT_HOP,
    ROUTE,
    SNAT,
    SPOOF_GUARD,
    set_output,
    set_source,
    source_is,
)
from ..plan.addresses import OFPORT_GATEWAY, gateway_address
from .answer import advertisement_flow, answer

NAME = "gateway"

CLOSED = (CLASSIFY, SPOOF_GUARD, ARP, ND, ND_ANSWER, CONNTRACK, CONNTRACK_STATE, ENDPOINT, ROUTE, OUTPUT)
"""Tables in which a packet that no flow knows is dropped. In the others it goes on."""


def gateway_flows(node_cidrs: Sequence[str]) -> list[Flow]:
    """Flows between the pods of a node whose pod CIDRs are ``node_cidrs`` and its host; pods' packets to anywhere else go to the host.

    The host is trusted with any IP source address, since it forwards what comes from outside.
    """
    sender = [f"in_port={OFPORT_GATEWAY}"]
    to_gateway = [f"set_field:{GATEWAY_MAC}->eth_dst", set_output(OFPORT_GATEWAY), goto(SNAT)]
    flows = [
        flow(CLASSIFY, 200, sender, [set_source(FROM_GATEWAY), goto(SPOOF_GUARD)], NAME),
        # Linux asks with any of its addresses as sender, so only the hardware address is held to.
        flow(SPOOF_GUARD, 200, [*sender, "arp", f"arp_sha={GATEWAY_MAC}"], [goto(ARP)], NAME),
        flow(SPOOF_GUARD, 200, [*sender, "ip"], [goto(FIRST_IP)], NAME),
        flow(SPOOF_GUARD, 200, [*sender, "ipv6"], [goto(FIRST_IP)], NAME),
        flow(SPOOF_GUARD, 220, [*sender, "icmp6", "icmp_type=135", "icmp_code=0", f"nd_sll={GATEWAY_MAC}"], [goto(ND)], NAME),
    ]
    for cidr in node_cidrs:
        ip_family = family(cidr)
        address = gateway_address(cidr)
        flows += [
            answer(address, GATEWAY_MAC, NAME),
            answer(PEER_NEXT_HOP[ip_family.version], PEER_MAC, NAME),
            flow(ROUTE, 200, [ip_family.ip, f"{ip_family.destination}={address}"], to_gateway, NAME),
            # An address of this node that no pod has: sending it to the host would only bring it back.
            flow(ROUTE, 190, [ip_family.ip, f"{ip_family.destination}={cidr}"], [], NAME),
            flow(ROUTE, 100, [source_is(FROM_POD), ip_family.ip], to_gateway, NAME),
            # What the host got from a Service: endpoints that are on hosts or outside; and the answers to clients outside.
            flow(ROUTE, 110, [source_is(FROM_GATEWAY), ip_family.ip, NO_SERVICE], [], NAME),
            flow(ROUTE, 100, [source_is(FROM_GATEWAY), ip_family.ip], to_gateway, NAME),
            flow(ROUTE, 185, ["ct_state=+rpl+trk", source_is(FROM_TUNNEL), ip_family.ip], to_gateway, NAME),
            answer(NODE_PORT_ADDRESS[ip_family.version], PEER_MAC, NAME),
            answer(HAIRPIN_ADDRESS[ip_family.version], PEER_MAC, NAME)]
    return flows


def baseline_flows() -> list[Flow]:
    """What holds on every node whatever it runs: no neighbour but the bridge itself is believed, nothing is flooded, no loops."""
    name = "baseline"
    flows = [
        flow(CLASSIFY, 100, [], [set_source(FROM_POD), goto(SPOOF_GUARD)], name),
        # Router and neighbour advertisements and redirects would let a pod speak for others; the bridge answers for everyone.
        *(flow(SPOOF_GUARD, 230, ["icmp6", f"icmp_type={kind}"], [], name) for kind in (133, 134, 136, 137)),
        # A solicitation from the unspecified address is duplicate address detection (RFC 4862), which an answer would make fail.
        flow(SPOOF_GUARD, 240, ["icmp6", "icmp_type=135", "ipv6_src=::"], [], name),
        flow(ROUTE, 230, ["ip", "nw_dst=224.0.0.0/4"], [], name),
        flow(ROUTE, 230, ["ip", "nw_dst=255.255.255.255"], [], name),
        flow(ROUTE, 230, ["ipv6", "ipv6_dst=ff00::/8"], [], name),
        flow(ROUTE, 230, ["ipv6", "ipv6_dst=fe80::/10"], [], name),
        # What came through a tunnel is for this node or for nobody.
        flow(ROUTE, 180, [source_is(FROM_TUNNEL)], [], name),
        advertisement_flow(),
        # A port does not get its own packets back from output, but a pod that is its own Service's endpoint is to.
        flow(OUTPUT, 200, [], ["load:0->NXM_OF_IN_PORT[]", "output:reg1"], name)]
    return flows + [flow(table, 0, [], [], name) for table in CLOSED]
