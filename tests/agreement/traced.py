# SPDX-License-Identifier: Apache-2.0
"""What ofproto/trace prints about a packet, and what it says of policies."""
from __future__ import annotations

import ipaddress
import re
from typing import Any, Mapping, NamedTuple, Optional

from sluice.pipeline.notify import REJECT
from sluice.pipeline.tables import (
    ALLOWED,
    EGRESS_ADMIN,
    EGRESS_BASELINE,
    EGRESS_POLICY,
    FLOW_TABLES,
    INGRESS_ADMIN,
    INGRESS_BASELINE,
    INGRESS_POLICY,
    POLICY_EXEMPT,
)

EGRESS, INGRESS = "egress", "ingress"
_STAGES = {EGRESS: (POLICY_EXEMPT, EGRESS_ADMIN, EGRESS_POLICY, EGRESS_BASELINE), INGRESS: (INGRESS_ADMIN, INGRESS_POLICY, INGRESS_BASELINE)}
_BEYOND = {EGRESS: {INGRESS_ADMIN, ALLOWED}, INGRESS: {ALLOWED}}
"""A packet that comes to one of these was allowed in the direction."""

_STEP = re.compile(r"^ *(\d+)\. (?:No match|.*priority \d+(?:, cookie (0x[0-9a-f]+))?)", re.MULTILINE)
_OUTPUT = re.compile(r"-> output port is (\d+)")
_COPY = re.compile(r"controller\(.*userdata=([0-9a-f]{2})")
_GROUP = re.compile(r"^ +group:(\d+)$", re.MULTILINE)
_FLOW = re.compile(r"^(?:Final flow|Flow): (?!unchanged)(.*)$", re.MULTILINE)
ENDPOINT = re.compile(r"nat\(dst=\[?([0-9a-f.:]+?)\]?:(\d+)\)")
"""An endpoint in the text of an action that translates to it."""


class Seen(NamedTuple):
    """What a switch did in one direction, with the names of the rules whose flows it was."""

    action: str
    """Allow | Drop | Reject"""
    rule: str
    """Empty: no rule's flow was met."""
    passed: tuple[str, ...]
    claimed: str
    """The action of that rule, as the node's rules.json has it."""


class Trace(NamedTuple):
    """A packet's way through one switch, recirculations and all."""

    steps: tuple[tuple[str, int], ...]
    """Each table, with the cookie of the flow that was found there; 0 if none was."""
    output: int
    """The port by which it leaves; 0: it does not."""
    rejects: bool
    """Whether the agent gets a copy, to refuse the packet."""
    copies: int
    groups: tuple[int, ...]
    endpoint: Optional[tuple[str, int]]
    """What a Service has translated the destination to: address and port."""
    source: str
    """Addresses, at the end."""
    destination: str
    mark: int
    """The Service by which its connection was balanced; 0: by none."""
    text: str

    def seen(self, direction: str, rules: Mapping[int, Mapping[str, Any]]) -> Optional[Seen]:
        """What was done in a direction; None if the packet did not come that far. ``rules``: rules.json by number."""
        visited = {table for table, _cookie in self.steps}
        met = [rules[cookie] for table, cookie in self.steps if table in _STAGES[direction] and cookie in rules]
        if visited & _BEYOND[direction]:
            action = "Allow"
        elif visited.intersection(_STAGES[direction]):
            action = "Reject" if self.rejects else "Drop"
        else:
            return None
        deciding = [rule for rule in met if rule["action"] != "Pass"]
        last = deciding[-1] if deciding else {"rule": "", "action": action}
        return Seen(action, last["rule"], tuple(rule["rule"] for rule in met if rule["action"] == "Pass"), last["action"])


def read_trace(text: str) -> Trace:
    """The trace that ovs-vswitchd has printed. Raises ValueError if it is none."""
    flows = _FLOW.findall(text)
    if not flows:
        raise ValueError(f"this is no trace: {text}")
    last = dict(part.partition("=")[::2] for part in flows[-1].split(","))
    outputs = _OUTPUT.findall(text)
    endpoint = ENDPOINT.search(text)
    copies = [int(copy, 16) for copy in _COPY.findall(text)]
    return Trace(
        tuple((FLOW_TABLES[int(table)], int(cookie or "0", 16)) for table, cookie in _STEP.findall(text)),
        int(outputs[-1]) if outputs else 0,
        any(copy & REJECT for copy in copies),
        len(copies),
        tuple(map(int, _GROUP.findall(text))),
        (str(ipaddress.ip_address(endpoint[1])), int(endpoint[2])) if endpoint else None,
        last.get("nw_src") or last.get("ipv6_src", ""),
        last.get("nw_dst") or last.get("ipv6_dst", ""),
        int(last.get("ct_mark", "0"), 0),
        text)
