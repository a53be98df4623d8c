# SPDX-License-Identifier: Apache-2.0
"""Flows in blocks, so that what many nodes have alike is put in order and into words once and not for each of them."""
from __future__ import annotations

from functools import cached_property
from operator import attrgetter
from typing import Iterable

from ..ovs.flow import Flow, render_flow
from .tables import FLOW_TABLES

_TABLE_NUMBER = {name: number for number, name in FLOW_TABLES.items()}


class FlowBlock:
    """Flows of one table and priority."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        self.flows = tuple(sorted(flows, key=attrgetter("match")))
        first = self.flows[0]
        self.order = _TABLE_NUMBER[first.table], -first.priority, first.match
        """Sorts blocks as a packet meets them: by table number, then falling priority; those that are tried at once by match."""

    @cached_property
    def text(self) -> str:
        """Its flows as lines."""
        return flows_text(self.flows)


def blocks(flows: Iterable[Flow]) -> list[FlowBlock]:
    """A block for each table and priority."""
    tried: dict[tuple[str, int], list[Flow]] = {}
    for flow in flows:
        tried.setdefault((flow.table, flow.priority), []).append(flow)
    return list(map(FlowBlock, tried.values()))


def flows_text(flows: Iterable[Flow]) -> str:
    """One flow a line, in the syntax of ovs-ofctl with the names of the tables."""
    return "".join([render_flow(flow) + "\n" for flow in flows])
