# SPDX-License-Identifier: Apache-2.0
"""The clauses of many rules as flows: what several of them match is one flow with the actions of all."""
from __future__ import annotations

from typing import Iterable, Sequence

from ..ovs.flow import Flow
from ..pipeline.cookie import OWNER_PROGRAM, cookie
from ..pipeline.tables import EGRESS_ADMIN, EGRESS_BASELINE, EGRESS_POLICY, INGRESS_ADMIN, INGRESS_BASELINE, INGRESS_POLICY
from .placed import PlacedPart
from .traffic import Match

_COOKIES = {table: cookie(OWNER_PROGRAM, f"clauses {table}") for table in (
    EGRESS_ADMIN, EGRESS_POLICY, EGRESS_BASELINE, INGRESS_ADMIN, INGRESS_POLICY, INGRESS_BASELINE)}


def clause_flows(table: str, priority: int, parts: Iterable[PlacedPart], node: str, shared: dict[tuple[object, ...], Flow]) -> list[Flow]:
    """The flows for the clauses of ``parts``, all of one table and priority, on a node. Flows that are in ``shared`` are not made again."""
    # Most rules have sets of addresses and ports in common: first the actions of each set, then those of each match.
    by_set: dict[int, tuple[Sequence[Match], list[str]]] = {}
    for part in parts:
        for matches, action in part.clauses(node):
            known = by_set.get(id(matches))
            if known is None:
                by_set[id(matches)] = matches, [action]
            else:
                known[1].append(action)
    by_match: dict[Match, tuple[str, ...]] = {}
    for matches, action_list in by_set.values():
        actions = tuple(action_list)
        for match in matches:
            before = by_match.get(match)
            by_match[match] = actions if before is None else before + actions
    flows = []
    number = _COOKIES[table]
    for match, actions in by_match.items():
        key = table, priority, match, actions
        flow = shared.get(key)
        if flow is None:
            flow = shared[key] = Flow(table, priority, match, actions, number)
        flows.append(flow)
    return flows
