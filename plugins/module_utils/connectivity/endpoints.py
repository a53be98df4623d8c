# SPDX-License-Identifier: Apache-2.0
"""Flows for one pod on this node: what it may send, what the bridge answers for it, and the way to it."""
from __future__ import annotations

from typing import NamedTuple, Sequence

from ..ovs.flow import Flow
from ..pipeline.build import Family, family, flow, goto
from ..pipeline.cookie import OWNER_PROGRAM
from ..pipeline.tables import ARP, FIRST_IP, GATEWAY_MAC, ND, ROUTE, SNAT, SPOOF_GUARD, set_output
from .answer import answer


class Endpoint(NamedTuple):
    """A pod's place on the bridge; ``ips`` has at most one address a family."""

    namespace: str
    name: str
    ips: Sequence[str]
    mac: str
    ofport: int


def link_local(mac: str) -> str:
    """The IPv6 address that an interface gives itself (modified EUI-64, RFC 4291 appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets[0] ^= 2
    groups = [octets[0] << 8 | octets[1], octets[2] << 8 | 0xFF, 0xFE00 | octets[3], octets[4] << 8 | octets[5]]
    return "fe80::" + ":".join(f"{group:x}" for group in groups)


def endpoint_flows(endpoint: Endpoint, owner: int = OWNER_PROGRAM) -> list[Flow]:
    """All flows of ``endpoint``; they depend on nothing but it, so another pod's coming and going never changes them."""
    name = f"pod/{endpoint.namespace}/{endpoint.name}"
    flows = []
    for ip in endpoint.ips:
        flows += _spoof_guard(endpoint, family(ip), ip, name, owner)
        flows += _delivery(endpoint, family(ip), ip, name, owner)
        flows.append(answer(ip, endpoint.mac, name, owner))
    return flows


def _spoof_guard(endpoint: Endpoint, ip_family: Family, ip: str, name: str, owner: int) -> list[Flow]:
    sender = [f"in_port={endpoint.ofport}", f"dl_src={endpoint.mac}"]
    guard = [flow(SPOOF_GUARD, 200, [*sender, ip_family.ip, f"{ip_family.source}={ip}"], [goto(FIRST_IP)], name, owner)]
    if ip_family.version == 4:
        arp = [*sender, "arp", f"arp_spa={ip}", f"arp_sha={endpoint.mac}"]
        return [*guard, flow(SPOOF_GUARD, 200, arp, [goto(ARP)], name, owner)]
    for source in (ip, link_local(endpoint.mac)):
        solicitation = [*sender, "icmp6", f"ipv6_src={source}", "icmp_type=135", "icmp_code=0", f"nd_sll={endpoint.mac}"]
        guard.append(flow(SPOOF_GUARD, 220, solicitation, [goto(ND)], name, owner))
    return guard


def _delivery(endpoint: Endpoint, ip_family: Family, ip: str, name: str, owner: int) -> list[Flow]:
    destination = [ip_family.ip, f"{ip_family.destination}={ip}"]
    deliver = [set_output(endpoint.ofport), goto(SNAT)]
    return [
        # Already addressed to the pod's MAC: a neighbour on the same link (or the host, which has routed it) sent it.
        flow(ROUTE, 210, [f"dl_dst={endpoint.mac}", *destination], deliver, name, owner),
        flow(ROUTE, 200, destination, [
            f"set_field:{GATEWAY_MAC}->eth_src", f"set_field:{endpoint.mac}->eth_dst", "dec_ttl", *deliver], name, owner)]
