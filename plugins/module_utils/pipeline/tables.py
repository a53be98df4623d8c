# SPDX-License-Identifier: Apache-2.0
"""The stages of the pipeline, the registers between them, and the fixed addresses that flows and host agree on.

Numbers are spaced, so that a stage which a later capability adds never renumbers another. A packet goes

    classify → spoof_guard → (arp | nd → nd_answer: answered here)
      → unsnat → conntrack → conntrack_state → node_address → service (→ affinity, endpoint)
      → policy_exempt → egress_admin → egress_policy → egress_baseline → ingress_admin → ingress_policy → ingress_baseline → allowed
      → route → snat → commit → output

Policies judge every packet, also those of established connections. For that, a reply is turned round in conntrack_state (its addresses are
exchanged, REPLY is set) and turned back in allowed: the flows of a rule see every packet of a connection in the direction in which it was opened.
"""
from __future__ import annotations

CLASSIFY = "classify"
SPOOF_GUARD = "spoof_guard"
ARP = "arp"
ND = "nd"
ND_ANSWER = "nd_answer"
UNSNAT = "unsnat"
CONNTRACK = "conntrack"
SCTP_REPLY = "sctp_reply"
CONNTRACK_STATE = "conntrack_state"
NODE_ADDRESS = "node_address"
SERVICE = "service"
AFFINITY = "affinity"
ENDPOINT = "endpoint"
POLICY_EXEMPT = "policy_exempt"
EGRESS_ADMIN = "egress_admin"
EGRESS_POLICY = "egress_policy"
EGRESS_BASELINE = "egress_baseline"
INGRESS_ADMIN = "ingress_admin"
INGRESS_POLICY = "ingress_policy"
INGRESS_BASELINE = "ingress_baseline"
ALLOWED = "allowed"
ROUTE = "route"
SNAT = "snat"
COMMIT = "commit"
OUTPUT = "output"

FLOW_TABLES = {
    0: CLASSIFY, 10: SPOOF_GUARD, 20: ARP, 30: ND, 35: ND_ANSWER,
    40: UNSNAT, 45: CONNTRACK, 48: SCTP_REPLY, 50: CONNTRACK_STATE,
    53: NODE_ADDRESS, 55: SERVICE, 56: AFFINITY, 57: ENDPOINT,
    60: POLICY_EXEMPT, 61: EGRESS_ADMIN, 62: EGRESS_POLICY, 63: EGRESS_BASELINE,
    65: INGRESS_ADMIN, 66: INGRESS_POLICY, 67: INGRESS_BASELINE, 70: ALLOWED,
    100: ROUTE, 110: SNAT, 120: COMMIT, 200: OUTPUT,
}
"""Number to name, as in the Flow_Table rows of the bridge."""

FIRST_IP = UNSNAT
"""Where IP packets go once their sender is believed."""

SOURCE = "reg0=0x{:x}/0xf"
"""reg0[0..3]: where the packet came in."""
FROM_TUNNEL, FROM_GATEWAY, FROM_POD = 1, 2, 3

REPLY = 0x10
"""Bit of reg0: the packet is a reply, and its addresses are exchanged while policies judge it."""
GENERATED = 0x20
"""Bit of reg0: the agent made the packet as an answer to one that was refused; no policy judges it."""
TO_NODE = 0x40
"""Bit of reg0: it is addressed to a node itself, so its port may be a NodePort."""
EXTERNAL = 0x80
"""Bit of reg0: it comes from outside the cluster."""
TRANSLATED = 0x100
"""Bit of reg0: the lookup of its connection has translated it, if a Service has balanced that."""

ZONE = 0x51C3
"""Conntrack zone of all IP traffic; destination NAT to endpoints happens in it."""
SNAT_ZONE = 0x51C4
"""Conntrack zone in which source addresses are translated where an endpoint could not answer the client directly."""

SERVICE_MARK = "ct_mark"
"""ct_mark in ZONE: which Service a connection was balanced by (plan.stable_id of its key), 0 for none."""
AFFINITY_ENDPOINT = "reg4"
"""reg4: the endpoint that session affinity or a group has chosen."""
AFFINITY_GROUP = "reg5"
"""reg5: the group that chooses where session affinity knows no endpoint."""

OUTPUT_PORT = "reg1"
"""reg1: the ofport the packet leaves by."""

GATEWAY_MAC = "0a:51:1c:e0:00:01"
"""The MAC of every node's gateway. It never leaves the node's bridge (tunnelled packets are rewritten on arrival), so one value serves
all nodes, and the flows towards a peer are the same on every node."""
PEER_MAC = "0a:51:1c:e0:00:02"
"""What stands in for any other node: the MAC of the next hop to the rest of the pod network."""
PEER_NEXT_HOP = {4: "169.254.83.1", 6: "fe80::83:1"}
"""The host's next hop to pods on other nodes; the bridge answers ARP and ND for it with PEER_MAC."""

NODE_PORT_ADDRESS = {4: "169.254.83.2", 6: "fd51:1ce::83:2"}
"""Where the host sends packets that came to a NodePort of one of its own addresses, so that the bridge balances them."""
HAIRPIN_ADDRESS = {4: "169.254.83.3", 6: "fd51:1ce::83:3"}
"""The source of packets that come from the host and that a Service sends back to it: it would not take packets from itself."""


def source_is(origin: int) -> str:
    """Match token: the packet came from ``origin`` (FROM_TUNNEL, FROM_GATEWAY or FROM_POD)."""
    return SOURCE.format(origin)


def set_source(origin: int) -> str:
    """Action token that records where the packet came from."""
    return f"set_field:0x{origin:x}/0xf->reg0"


def bit_is(bit: int, value: bool) -> str:
    """Match token: ``bit`` of reg0 (REPLY, GENERATED, TO_NODE, EXTERNAL, TRANSLATED) is set, or is not."""
    return f"reg0=0x{bit if value else 0:x}/0x{bit:x}"


def bits_are(value: int, mask: int) -> str:
    """Match token over several parts of reg0 at once, which may appear in a match only once."""
    return f"reg0=0x{value:x}/0x{mask:x}"


def set_bit(bit: int) -> str:
    """Action token that sets ``bit`` of reg0."""
    return f"set_field:0x{bit:x}/0x{bit:x}->reg0"


def set_output(ofport: int) -> str:
    """Action token that chooses the port the packet will leave by."""
    return f"set_field:0x{ofport:x}->{OUTPUT_PORT}"
