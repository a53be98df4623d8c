# SPDX-License-Identifier: Apache-2.0
"""The stages of the pipeline, the registers between them, and the fixed addresses that flows and host agree on.

Numbers are spaced, so that a stage which a later capability adds never renumbers another. A packet goes

    classify → spoof_guard → (arp | nd → nd_answer: answered here) → route → output
"""
from __future__ import annotations

CLASSIFY = "classify"
SPOOF_GUARD = "spoof_guard"
ARP = "arp"
ND = "nd"
ND_ANSWER = "nd_answer"
ROUTE = "route"
OUTPUT = "output"

FLOW_TABLES = {0: CLASSIFY, 10: SPOOF_GUARD, 20: ARP, 30: ND, 35: ND_ANSWER, 100: ROUTE, 200: OUTPUT}
"""Number to name, as in the Flow_Table rows of the bridge."""

SOURCE = "reg0=0x{:x}/0xf"
"""reg0[0..3]: where the packet came in."""
FROM_TUNNEL, FROM_GATEWAY, FROM_POD = 1, 2, 3

OUTPUT_PORT = "reg1"
"""reg1: the ofport the packet leaves by."""

GATEWAY_MAC = "0a:51:1c:e0:00:01"
"""The MAC of every node's gateway. It never leaves the node's bridge (tunnelled packets are rewritten on arrival), so one value serves
all nodes, and the flows towards a peer are the same on every node."""
PEER_MAC = "0a:51:1c:e0:00:02"
"""What stands in for any other node: the MAC of the next hop to the rest of the pod network."""
PEER_NEXT_HOP = {4: "169.254.83.1", 6: "fe80::83:1"}
"""The host's next hop to pods on other nodes; the bridge answers ARP and ND for it with PEER_MAC."""


def source_is(origin: int) -> str:
    """Match token: the packet came from ``origin`` (FROM_TUNNEL, FROM_GATEWAY or FROM_POD)."""
    return SOURCE.format(origin)


def set_source(origin: int) -> str:
    """Action token that records where the packet came from."""
    return f"set_field:0x{origin:x}/0xf->reg0"


def set_output(ofport: int) -> str:
    """Action token that chooses the port the packet will leave by."""
    return f"set_field:0x{ofport:x}->{OUTPUT_PORT}"
