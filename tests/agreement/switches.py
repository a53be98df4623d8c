# SPDX-License-Identifier: Apache-2.0
"""The nodes of a cluster as real bridges with their whole compiled programs, to be asked what becomes of a packet."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from ovs_sandbox import OvsSandbox

from agreement.traced import ENDPOINT, Trace, read_trace
from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node
from sluice.intent.state import ClusterState
from sluice.ovs.encode import encode_program
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.openflow.connection import socket_address
from sluice.ovs.program import Owner
from sluice.ovs.unixctl import Control
from sluice.pipeline.cookie import OWNER_MASK, OWNER_PROGRAM
from sluice.pipeline.notify import METERS
from sluice.pipeline.tables import AFFINITY_GROUP, FLOW_TABLES
from sluice.pipeline.tables import ENDPOINT as ENDPOINT_TABLE

OWNER = Owner(OWNER_PROGRAM << 48, OWNER_MASK)
_LOOKUPS = 6
"""No packet is looked up more often on one node."""
_GROUP = re.compile(r"group_id=(\d+),")
_CHOSEN_BY = re.compile(rf"{AFFINITY_GROUP}=(0x[0-9a-f]+)")

Place = tuple[str, int]


class Switches:
    """A context manager: one Open vSwitch with a bridge for each node of one state after another."""

    def __init__(self) -> None:
        self._ovs = OvsSandbox()
        self._bridges: set[str] = set()
        self.rules: dict[str, dict[int, Any]] = {}
        """By node: its rules.json, by number."""
        self.groups: dict[str, dict[int, frozenset[Place]]] = {}
        """By node and id: the endpoints, address and port, among which a group chooses."""

    def __enter__(self) -> Switches:
        self._ovs.start()
        self._control = Control(str(self._ovs.directory))
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._ovs.destroy()

    def load(self, state: ClusterState) -> None:
        """Make the bridges the nodes of a state. No port is needed: a trace names those that a packet would leave by."""
        fabric = Fabric(state)
        self.rules, self.groups = {}, {}
        for name in state.nodes:
            if name not in self._bridges:
                self._ovs.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=dummy", "fail_mode=secure")
                self._bridges.add(name)
            program = compile_node(fabric, name)
            groups = [*program.groups, *fabric.service_groups]
            flows = [*program.flows, *fabric.peer_flows.get(program.peer_group, ()), *fabric.service_flows]
            address = socket_address(name, f"{self._ovs.directory}/{name}.mgmt")
            apply_program(address, encode_program(flows, groups, METERS, FLOW_TABLES, OWNER), FLOW_TABLES, OWNER)
            self.rules[name] = {int(cookie, 16): entry for cookie, entry in program.rules.items()}
            self.groups[name] = dict(map(_endpoints, groups))
            for flow in flows:
                # With session affinity the group only says which endpoint, by a number; a flow for each has its place.
                if flow.table == ENDPOINT_TABLE and (group := _CHOSEN_BY.search(",".join(flow.match))):
                    self.groups[name][int(group[1], 16)] |= _places(",".join(flow.actions))

    def trace(self, node: str, packet: str, state: Iterable[str]) -> Trace:
        """What becomes of a packet (in ovs-ofctl's syntax) whose connection is in a state such as ``trk,new``."""
        return read_trace(self._control.run("ofproto/trace", node, packet, *["--ct-next", ",".join(state)] * _LOOKUPS))


def _endpoints(line: str) -> tuple[int, frozenset[Place]]:
    found = _GROUP.match(line)
    assert found, line
    return int(found[1]), _places(line)


def _places(text: str) -> frozenset[Place]:
    return frozenset((str(ipaddress.ip_address(address)), int(port)) for address, port in ENDPOINT.findall(text))
