# SPDX-License-Identifier: Apache-2.0
"""The host's nftables rules, as the text inside a table."""
from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

from ..pipeline.build import family
from ..pipeline.tables import HAIRPIN_ADDRESS, NODE_PORT_ADDRESS
from ..plan.addresses import GATEWAY

_WORD = {4: "ip", 6: "ip6"}
_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}


def forward_rules() -> str:
    """Packets that the pod network and the outside exchange are the bridge's to judge, not the host's."""
    return f"""chain forward {{
  type filter hook forward priority filter; policy accept;
  iifname "{GATEWAY}" accept
  oifname "{GATEWAY}" accept
}}
"""


def masquerade_rules(node_cidrs: Sequence[str], cluster_cidrs: Sequence[str]) -> str:
    """Pods leave the pod network with their node's address; so does the host's own traffic that names another source than the gateway.

    The second: a pod on another node would answer such a source past the tunnel, and the host would not know the answer.
    """
    rules = []
    for own, cluster in zip(node_cidrs, cluster_cidrs):
        word = _WORD[family(own).version]
        rules.append(f'  oifname != "{GATEWAY}" {word} saddr {own} {word} daddr != {cluster} masquerade')
        rules.append(f'  oifname "{GATEWAY}" {word} saddr != {cluster} fib saddr type local masquerade')
    return "chain postrouting {\n  type nat hook postrouting priority srcnat; policy accept;\n" + "\n".join(rules) + "\n}\n"


class OwnPort(NamedTuple):
    """A port at which the host gives packets to the bridge, because a Service has it."""

    version: int
    protocol: str
    port: int
    address: str = ""
    """One of the node's addresses; empty: any."""


def service_rules(versions: Iterable[int], own_ports: Iterable[OwnPort]) -> str:
    """What comes to one of the host's own addresses at a port of a Service goes to the bridge, also from the host itself (but not over
    the loopback network, whose addresses must not leave the host: RFC 1122 section 3.2.1.3); and answers find their way back.

    Pods' packets to nodes' addresses were balanced by the bridge before they came out of it.
    """
    own_ports = sorted(own_ports)
    sets, redirections, sources = [], [], []
    for version in versions:
        word, loopback = _WORD[version], {4: "127.0.0.0/8", 6: "::1"}[version]
        own = f"{word} daddr != {loopback} fib daddr type local"
        to_bridge = f"dnat {word} to {NODE_PORT_ADDRESS[version]}"
        everywhere = [f"{port.protocol} . {port.port}" for port in own_ports if port.version == version and not port.address]
        somewhere = [f"{port.address} . {port.protocol} . {port.port}" for port in own_ports if port.version == version and port.address]
        if somewhere:
            sets.append(_set(f"external_ports_{version}", f"{_ADDRESS_TYPE[version]} . inet_proto . inet_service", somewhere))
            redirections.append(f"  {own} {word} daddr . meta l4proto . th dport @external_ports_{version} {to_bridge}")
        if everywhere:
            sets.append(_set(f"node_ports_{version}", "inet_proto . inet_service", everywhere))
            redirections.append(f"  {own} meta l4proto . th dport @node_ports_{version} {to_bridge}")
        if everywhere or somewhere:
            # Its own address is what a host's packet to itself has as source.
            sources.append(f'  oifname "{GATEWAY}" {word} daddr {NODE_PORT_ADDRESS[version]} fib saddr type local masquerade')
        sources.append(f'  oifname != "{GATEWAY}" {word} saddr {HAIRPIN_ADDRESS[version]} masquerade')
    chains = [_nat_chain("services_source", "postrouting priority srcnat", sources)]
    if redirections:
        from_elsewhere = [f'  iifname "{GATEWAY}" accept', *redirections]
        chains += [_nat_chain("services", "prerouting priority dstnat", from_elsewhere), _nat_chain("services_own", "output priority -100", redirections)]
    return "".join(sets + chains)


def _set(name: str, kind: str, elements: Sequence[str]) -> str:
    lines = ",\n".join(f"    {element}" for element in elements)
    return f"set {name} {{\n  type {kind}\n  elements = {{\n{lines}\n  }}\n}}\n"


def _nat_chain(name: str, hook: str, rules: Sequence[str]) -> str:
    return f"chain {name} {{\n  type nat hook {hook}; policy accept;\n" + "\n".join(rules) + "\n}\n"


def kernel_bypass_rules(interface: str) -> str:
    """The userspace datapath takes packets from a port by a packet socket, and the kernel gets them too: it would answer ARP, refuse
    tunnel packets by ICMP and forward past the bridge. The ingress hook comes after packet sockets, so only the kernel's copy is dropped."""
    return f"""chain transport {{
  type filter hook ingress device "{interface}" priority -500; policy drop;
}}
"""
