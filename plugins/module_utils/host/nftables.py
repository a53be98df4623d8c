# SPDX-License-Identifier: Apache-2.0
"""The host's nftables rules, as the text inside a table."""
from __future__ import annotations

from typing import Sequence

from ..pipeline.build import family
from ..plan.addresses import GATEWAY

_WORD = {4: "ip", 6: "ip6"}


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


def kernel_bypass_rules(interface: str) -> str:
    """The userspace datapath takes packets from a port by a packet socket, and the kernel gets them too: it would answer ARP, refuse
    tunnel packets by ICMP and forward past the bridge. The ingress hook comes after packet sockets, so only the kernel's copy is dropped."""
    return f"""chain transport {{
  type filter hook ingress device "{interface}" priority -500; policy drop;
}}
"""
