# SPDX-License-Identifier: Apache-2.0
"""Where a Service's endpoint could not answer its client directly, it gets to see an address through which it can.

A node's gateway address stands in for clients outside the cluster whose endpoint is on another node (the answer has to come back through
this one), and for a pod that is its own endpoint. Local endpoints see their clients' own addresses.
"""
from __future__ import annotations

from typing import Iterable, Sequence

from ..ovs.flow import Flow
from ..pipeline.build import V4, V6, family, flow, goto
from ..pipeline.tables import (
    COMMIT,
    CONNTRACK,
    FROM_GATEWAY,
    GENERATED,
    HAIRPIN_ADDRESS,
    OUTPUT,
    OUTPUT_PORT,
    SNAT,
    SNAT_ZONE,
    UNSNAT,
    ZONE,
    bit_is,
    source_is,
)
from ..plan.addresses import OFPORT_GATEWAY, OFPORT_TUNNEL, gateway_address, with_port
from .state import NO_SERVICE

NAME = "snat"
ORIGINAL = "ct_state=-rpl+trk"
PORTS = "1024-32767"
"""Source ports with the gateway's address: below those that Linux gives the host's own connections (net.ipv4.ip_local_port_range), which have
that address, too, and are not known in SNAT_ZONE. With a port of theirs an endpoint's answers would go astray."""


def snat_flows(node_cidrs: Sequence[str]) -> list[Flow]:
    """Both ways: what gets another source, and what brings answers to it back."""
    flows = [flow(UNSNAT, 0, [], [goto(CONNTRACK)], NAME), flow(SNAT, 0, [], [goto(COMMIT)], NAME)]
    for cidr in node_cidrs:
        ip, gateway = family(cidr), gateway_address(cidr)
        hairpin = HAIRPIN_ADDRESS[ip.version]
        from_gateway = [ORIGINAL, source_is(FROM_GATEWAY), ip.ip]
        back = f"ct(table={CONNTRACK},zone={SNAT_ZONE:#x},nat)"
        flows += [
            flow(UNSNAT, 200, [ip.ip, f"{ip.destination}={gateway}"], [back], NAME),
            flow(UNSNAT, 200, [ip.ip, f"{ip.destination}={hairpin}"], [back], NAME),
            # What no Service has balanced keeps its source.
            flow(SNAT, 210, [NO_SERVICE, ip.ip], [goto(COMMIT)], NAME),
            flow(SNAT, 200, [*from_gateway, f"{OUTPUT_PORT}={OFPORT_TUNNEL}"], [_translate(with_port(gateway, PORTS))], NAME),
            flow(SNAT, 200, [*from_gateway, f"{OUTPUT_PORT}={OFPORT_GATEWAY}"], [_translate(hairpin)], NAME)]
    return flows


def pod_hairpin_flows(namespace: str, name: str, ips: Iterable[str], node_cidrs: Sequence[str]) -> list[Flow]:
    """A pod that a Service sends to itself sees its node's gateway as the client."""
    gateways = {family(cidr).version: gateway_address(cidr) for cidr in node_cidrs}
    flows = []
    for address in ips:
        ip = family(address)
        flows.append(flow(SNAT, 200, [ORIGINAL, ip.ip, f"{ip.source}={address}", f"{ip.destination}={address}"],
                          [_translate(with_port(gateways[ip.version], PORTS))], f"pod/{namespace}/{name}"))
    return flows


def commit_flows() -> list[Flow]:
    """A connection that was let through is remembered. Those of Services were when their endpoint was chosen.

    A Service's reply gets the Service's address as its source: on its way out, so that it need not be looked up once more."""
    flows = [flow(COMMIT, 210, [bit_is(GENERATED, True)], [goto(OUTPUT)], NAME), flow(COMMIT, 195, [NO_SERVICE], [goto(OUTPUT)], NAME)]
    for ip in (V4, V6):
        flows += [
            flow(COMMIT, 200, ["ct_state=+new+trk", NO_SERVICE, ip.ip], [f"ct(commit,table={OUTPUT},zone={ZONE:#x})"], NAME),
            flow(COMMIT, 190, ["ct_state=-rel+rpl+trk", ip.ip], [f"ct(zone={ZONE:#x},nat)", goto(OUTPUT)], NAME)]
    return [*flows, flow(COMMIT, 0, [], [goto(OUTPUT)], NAME)]


def _translate(address: str) -> str:
    return f"ct(commit,table={OUTPUT},zone={SNAT_ZONE:#x},nat(src={address}))"
