# SPDX-License-Identifier: Apache-2.0
"""Which connection a packet is of, and what is done before and after policies judge it.

Policies judge packets by the addresses between which a connection really runs: a Service's packets after their translation to an
endpoint, its replies before they are translated back. So the lookup translates only what is sent to addresses that are no client's, which
no reply can be; replies are translated back when they leave (table commit).
"""
from __future__ import annotations

from typing import Iterable

from ..ovs.flow import Flow
from ..pipeline.build import V4, V6, Family, family, flow, goto
from ..pipeline.tables import (
    ALLOWED,
    CONNTRACK,
    CONNTRACK_STATE,
    EXTERNAL,
    FROM_GATEWAY,
    GENERATED,
    NODE_ADDRESS,
    NODE_PORT_ADDRESS,
    POLICY_EXEMPT,
    REPLY,
    ROUTE,
    SERVICE_MARK,
    TRANSLATED,
    ZONE,
    bit_is,
    set_bit,
    source_is,
)

NAME = "conntrack"

EXCHANGED = {
    4: ("NXM_OF_IP_SRC[]", "NXM_OF_IP_DST[]", "NXM_NX_REG8[]"),
    6: ("NXM_NX_IPV6_SRC[]", "NXM_NX_IPV6_DST[]", "NXM_NX_XXREG2[]"),
}
"""The two addresses of a packet, and the register through which they are exchanged."""

NO_SERVICE = f"{SERVICE_MARK}=0"


def translate(table: str) -> str:
    """Action token that does to a packet what its Service does to its connection, and goes on in ``table``."""
    return f"ct(table={table},zone={ZONE:#x},nat)"


def exchange(ip: Family) -> list[str]:
    """Actions that exchange a packet's source and destination addresses."""
    source, destination, register = EXCHANGED[ip.version]
    return [f"move:{source}->{register}", f"move:{destination}->{source}", f"move:{register}->{destination}"]


def lookup_flows(service_cidrs: Iterable[str]) -> list[Flow]:
    """Every IP packet is looked up among the connections.

    What is sent to an address that only Services have is translated by the same step, since a further step of conntrack would cost a further
    lookup. Not so to addresses of nodes, load balancers and externalIPs, which may be clients', too."""
    flows = [flow(CONNTRACK, 200, [ip.ip], [f"ct(table={CONNTRACK_STATE},zone={ZONE:#x})"], NAME) for ip in (V4, V6)]
    for destination in (*service_cidrs, *NODE_PORT_ADDRESS.values()):
        ip = family(destination)
        flows.append(flow(CONNTRACK, 205, [ip.ip, f"{ip.destination}={destination}"], [set_bit(TRANSLATED), translate(CONNTRACK_STATE)], NAME))
    return flows


def state_flows(cluster_cidrs: tuple[str, ...], established: str) -> list[Flow]:
    """What the state of a packet's connection says about where it goes on; ``established``: revalidate | keep."""
    flows = [
        # The agent's own answer to a packet that was refused. To the client it has to come from where that was sent.
        flow(CONNTRACK_STATE, 250, [bit_is(GENERATED, True), NO_SERVICE], [goto(ROUTE)], NAME),
        *(flow(CONNTRACK_STATE, 240, [bit_is(GENERATED, True), ip.ip], [translate(ROUTE)], NAME) for ip in (V4, V6)),
        flow(CONNTRACK_STATE, 230, ["ct_state=+inv+trk"], [], NAME),
        # An ICMP error about a connection; the error quotes its packet, so that too is translated.
        *(flow(CONNTRACK_STATE, 220, ["ct_state=+rel+trk", ip.ip], [translate(ROUTE)], NAME) for ip in (V4, V6)),
        flow(CONNTRACK_STATE, 200, ["ct_state=+new+trk"], [goto(NODE_ADDRESS)], NAME),
        flow(CONNTRACK_STATE, 205, ["ct_state=+new+trk", source_is(FROM_GATEWAY)], [set_bit(EXTERNAL), goto(NODE_ADDRESS)], NAME)]
    for cidr in cluster_cidrs:
        ip = family(cidr)
        # The host itself, which has an address of the pod network, and other nodes' pods where no tunnel leads to them.
        flows.append(flow(CONNTRACK_STATE, 210, ["ct_state=+new+trk", source_is(FROM_GATEWAY), ip.ip, f"{ip.source}={cidr}"],
                          [goto(NODE_ADDRESS)], NAME))
    return flows + (_revalidated() if established == "revalidate" else _kept())


def _revalidated() -> list[Flow]:
    """Policies judge every packet; a reply in the direction in which its connection was opened."""
    flows = [
        flow(CONNTRACK_STATE, 190, ["ct_state=-new-rpl+trk", NO_SERVICE], [goto(POLICY_EXEMPT)], NAME),
        flow(CONNTRACK_STATE, 185, ["ct_state=-new-rpl+trk", bit_is(TRANSLATED, True)], [goto(POLICY_EXEMPT)], NAME)]
    for ip in (V4, V6):
        flows += [
            flow(CONNTRACK_STATE, 180, ["ct_state=-new-rpl+trk", ip.ip], [translate(POLICY_EXEMPT)], NAME),
            flow(CONNTRACK_STATE, 190, ["ct_state=+rpl+trk", ip.ip], [*exchange(ip), set_bit(REPLY), goto(POLICY_EXEMPT)], NAME),
            flow(ALLOWED, 200, [bit_is(REPLY, True), ip.ip], [*exchange(ip), goto(ROUTE)], NAME)]
    return [*flows, flow(ALLOWED, 0, [], [goto(ROUTE)], NAME)]


def _kept() -> list[Flow]:
    """What was allowed once goes on."""
    return [
        flow(CONNTRACK_STATE, 190, ["ct_state=-new+trk", NO_SERVICE], [goto(ROUTE)], NAME),
        flow(CONNTRACK_STATE, 190, ["ct_state=+rpl+trk"], [goto(ROUTE)], NAME),
        flow(CONNTRACK_STATE, 185, ["ct_state=-new+trk", bit_is(TRANSLATED, True)], [goto(ROUTE)], NAME),
        *(flow(CONNTRACK_STATE, 180, ["ct_state=-new+trk", ip.ip], [translate(ROUTE)], NAME) for ip in (V4, V6)),
        flow(ALLOWED, 0, [], [goto(ROUTE)], NAME)]
