# SPDX-License-Identifier: Apache-2.0
"""What the policy tables of real bridges say of a packet, asked with ofproto/trace: no device, no packet, no other table."""
from __future__ import annotations

import re
from typing import NamedTuple, Optional, Sequence

from ovs_sandbox import OvsSandbox

from sluice.compile.fabric import Fabric
from sluice.intent.state import ClusterState
from sluice.ovs.encode import encode_program
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.program import Owner
from sluice.ovs.unixctl import Control
from sluice.pipeline.cookie import OWNER_MASK, OWNER_PROGRAM
from sluice.pipeline.stable_id import stable_id
from sluice.pipeline.tables import ALLOWED, CLASSIFY, FLOW_TABLES, POLICY_EXEMPT, REPLY
from sluice.plan.addresses import gateway_address
from sluice.policy.contribute import policy_flows, rule_index

OWNER = Owner(OWNER_PROGRAM << 48, OWNER_MASK)
NUMBERS = {name: number for number, name in FLOW_TABLES.items()}
PROTOCOLS = {"TCP": {4: "tcp", 6: "tcp6"}, "UDP": {4: "udp", 6: "udp6"}, "SCTP": {4: "sctp", 6: "sctp6"}, "ICMP": {4: "icmp", 6: "icmp6"}}
ANSWERS = {8: 0, 13: 14, 128: 129}
_STEP = re.compile(r"^ *(\d+)\. .*priority (\d+)(?:, cookie (0x[0-9a-f]+))?$", re.MULTILINE)


class Row(NamedTuple):
    """Who opens a connection to whom, and what is to become of it: ``source destination protocol port [sport N] [via Service] verdict [rule]``."""

    source: str
    destination: str
    protocol: str
    port: str
    source_port: int
    service: str
    verdict: str
    rule: str
    versions: tuple[int, ...]


class Verdict(NamedTuple):
    """``verdict``: allow, drop or reject; ``rule``: the one that decided, empty if none did; ``copies``: how often the agent gets a copy."""

    verdict: str
    rule: str
    copies: int


def read_row(line: str) -> Row:
    """The row of a line. A verdict with a number behind it, such as drop6, is for that IP version alone."""
    source, destination, protocol, port, *rest = line.split()
    options = {"sport": "50000", "via": ""}
    while rest[0] in options:
        options[rest[0]] = rest[1]
        rest = rest[2:]
    literals = {6 if end.count(":") > 1 else 4 for end in (source, destination) if end.startswith("ip:")}
    versions = (int(rest[0][-1]),) if rest[0][-1].isdigit() else tuple(literals) or (4, 6)
    return Row(source, destination, protocol, port, int(options["sport"]), options["via"], rest[0].rstrip("46"), " ".join(rest[1:]), versions)


class Judge:
    """One bridge a node, with the policy tables alone: a packet enters them in its connection's direction, and leaves them if it is allowed."""

    def __init__(self, ovs: OvsSandbox, control: Control, nodes: Sequence[str]) -> None:
        self.ovs = ovs
        self.control = control
        for node in nodes:
            ovs.vsctl("add-br", node, "--", "set", "bridge", node, "datapath_type=dummy", "fail_mode=secure")

    def load(self, state: ClusterState) -> None:
        """Put the policies of a state in force on all nodes, and check that each switch gives back what it was told."""
        self.fabric = Fabric(state)
        self.rules: dict[str, str] = {}
        for node in state.nodes.values():
            enter = f"cookie={OWNER.value:#x}, table={CLASSIFY}, priority=0 actions=goto_table:{POLICY_EXEMPT}"
            flows = [enter, *map(str, policy_flows(self.fabric, node).all)]
            program = encode_program(flows, None, ["meter=1 pktps burst bands=type=drop rate=500 burst_size=1000"], FLOW_TABLES, OWNER)
            apply_program(f"unix:{self.ovs.directory}/{node.name}.mgmt", program, FLOW_TABLES, OWNER)
            again = apply_program(f"unix:{self.ovs.directory}/{node.name}.mgmt", program, FLOW_TABLES, OWNER)
            assert not again.changed
            self.rules.update({cookie: entry["rule"] for cookie, entry in rule_index(self.fabric, node).items()})

    def new(self, row: Row, version: int) -> Verdict:
        """What becomes of the packet that opens the connection."""
        return self._judge(row, version, "trk|new", False)

    def established(self, row: Row, version: int, reply: bool) -> Verdict:
        """What becomes of its later packets, had it been allowed before."""
        return self._judge(row, version, "trk|est|rpl" if reply else "trk|est", reply)

    def untracked(self, row: Row, version: int, reply: bool) -> Verdict:
        """What becomes of packets that conntrack does not know, such as SCTP's on the userspace datapath."""
        return self._judge(row, version, "0", reply)

    def _judge(self, row: Row, version: int, state: str, reply: bool) -> Verdict:
        """The sender's node judges first, then the receiver's."""
        packet = self._packet(row, version, state, reply)
        copies = 0
        last = Verdict("allow", "", 0)
        for node in dict.fromkeys(node for node in map(self._node_of, (row.source, row.destination)) if node):
            found = self._trace(node, packet)
            copies += found.copies
            last = Verdict(found.verdict, found.rule or last.rule, copies)
            if found.verdict != "allow":
                break
        return last

    def _trace(self, node: str, packet: str) -> Verdict:
        text = self.control.run("ofproto/trace", node, packet)
        steps = [(int(table), int(priority), cookie) for table, priority, cookie in _STEP.findall(text)]
        decided = [self.rules[cookie] for _table, priority, cookie in steps if priority and cookie in self.rules]
        copies = re.findall(r"controller\(.*userdata=(\d\d)", text)
        allowed = any(table == NUMBERS[ALLOWED] for table, _priority, _cookie in steps) or f"{NUMBERS[ALLOWED]}. No match" in text
        verdict = "allow" if allowed else "reject" if any(int(copy, 16) & 2 for copy in copies) else "drop"
        return Verdict(verdict, decided[-1] if decided else "", len(copies))

    def _packet(self, row: Row, version: int, state: str, reply: bool) -> str:
        ends = ("nw_src", "nw_dst") if version == 4 else ("ipv6_src", "ipv6_dst")
        parts = [PROTOCOLS[row.protocol][version], f"ct_state={state}", f"reg0={REPLY if reply else 0}",
                 *(f"{field}={self._address(end, other, version)}"
                   for field, end, other in zip(ends, (row.source, row.destination), (row.destination, row.source), strict=True))]
        if row.service:
            parts.append(f"ct_mark={stable_id(row.service)}")
        if row.protocol == "ICMP":
            kind, code = map(int, row.port.split("/"))
            word = "icmp" if version == 4 else "icmpv6"
            return ",".join([*parts, f"{word}_type={ANSWERS[kind] if reply else kind}", f"{word}_code={code}"])
        here, there = ("dst", "src") if reply else ("src", "dst")
        word = row.protocol.lower()
        return ",".join([*parts, f"{word}_{here}={row.source_port}", f"{word}_{there}={row.port}"])

    def _address(self, end: str, other: str, version: int) -> str:
        kind, _colon, rest = end.partition(":")
        state = self.fabric.state
        if kind == "ip":
            return rest
        if kind == "node":
            return next(address.partition("/")[0] for address in state.nodes[rest].transport.addresses if (":" in address) == (version == 6))
        if kind == "gateway":
            node = state.nodes[rest or state.pods[other].node]
            return next(gateway_address(cidr) for cidr in node.pod_cidrs if (":" in cidr) == (version == 6))
        return next(ip for ip in state.pods[end].ips if (":" in ip) == (version == 6))

    def _node_of(self, end: str) -> Optional[str]:
        return self.fabric.state.pods[end].node if "/" in end else None
