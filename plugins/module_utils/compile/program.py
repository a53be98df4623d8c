# SPDX-License-Identifier: Apache-2.0
"""NodeProgram: everything one node has to be, as plain data, and its text in the files of ``artifacts/<cluster>/<node>/``."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ..ovs.flow import Flow
from ..pipeline.block import FlowBlock

IPSEC_FILE = "ipsec.json"


@dataclass(frozen=True)
class NodeProgram:
    """One node's desired state; each part is the input of the module of the same name (``pods`` of the CNI plugin)."""

    node: str
    switch: Mapping[str, Any]
    blocks: tuple[FlowBlock, ...]
    """Its flows in the order of the pipeline."""
    groups: tuple[str, ...]
    """Groups of this node alone, in the syntax of ovs-ofctl, sorted."""
    rules: Mapping[str, Any]
    """Cookie (0x…) to the rule of a policy whose verdict the flows with it execute."""
    peer_group: str
    """The name of the flows to other nodes that this one shares with others (see Fabric.peer_flows); empty if it has none."""
    host: Mapping[str, Any]
    cni: Mapping[str, Any]
    pods: Mapping[str, Any]
    files: Mapping[str, str]
    """Path to text of what has to be on the node before the rest is applied: certificates and settings of IPsec, where it has it."""

    @property
    def flows(self) -> tuple[Flow, ...]:
        return tuple(flow for block in self.blocks for flow in block.flows)


def render(program: NodeProgram) -> dict[str, str]:
    """File name to text. The same program gives the same bytes on every machine and Python."""
    return {
        **({IPSEC_FILE: json_text(program.files)} if program.files else {}),
        "switch.json": json_text(program.switch),
        "flows.txt": "".join([block.text for block in program.blocks]),
        "groups.txt": lines_text(program.groups),
        "rules.json": lines_of_json(program.rules),
        "host.json": json_text(program.host),
        "cni.conflist": json_text(program.cni),
        "pods.json": json_text(program.pods),
    }


def lines_text(lines: Iterable[str]) -> str:
    return "".join([line + "\n" for line in lines])


def json_text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


_ENCODER = json.JSONEncoder(sort_keys=True)


def lines_of_json(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """One entry a line, for many small ones without depth: they are compared by line, and to indent them takes Python several times as long."""
    # Within a string of JSON a quotation mark has a backslash before it, so this is between entries and nowhere else.
    return _ENCODER.encode(entries).replace('}, "', '},\n "') + "\n"
