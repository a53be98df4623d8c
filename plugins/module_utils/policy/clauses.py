# SPDX-License-Identifier: Apache-2.0
"""The clauses of many rules as flows: what several of them match is one flow with the actions of all."""
from __future__ import annotations

from typing import Iterable, Sequence

from ..ovs.flow import Flow
from ..pipeline.block import FlowBlock
from ..pipeline.cookie import OWNER_PROGRAM, cookie
from .placed import PlacedPart
from .traffic import Match


class ClauseFlows:
    """Makes them for the nodes of one fabric, which have many in common."""

    def __init__(self, parts: Iterable[PlacedPart]) -> None:
        """``parts`` are all that there are."""
        # A set of matches none of which is in another set gives the same flows wherever the same rules use it: no need to look at each.
        first: dict[Match, int] = {}
        self._overlapping: set[int] = set()
        for matches in {id(matches): matches for part in parts for matches, _action in part.clauses}.values():
            for match in matches:
                other = first.setdefault(match, id(matches))
                if other != id(matches):
                    self._overlapping.update((other, id(matches)))
        self._made: dict[tuple[str, int, int, tuple[str, ...]], FlowBlock] = {}

    def blocks(self, table: str, priority: int, parts: Iterable[PlacedPart], node: str) -> list[FlowBlock]:
        """The flows for the clauses of ``parts``, all of one table and priority, on a node: a block for each list of actions.

        Whether other nodes have a block alike makes no difference to it, nor to its place among a node's flows.
        """
        by_set: dict[int, tuple[Sequence[Match], list[str]]] = {}
        by_match: dict[Match, list[str]] = {}
        for part in parts:
            for match in part.subjects[node]:
                by_match.setdefault(match, []).append(part.subject_action)
            for matches, action in part.clauses:
                known = by_set.get(id(matches))
                if known is None:
                    by_set[id(matches)] = matches, [action]
                else:
                    known[1].append(action)
        number = cookie(OWNER_PROGRAM, f"clauses {table}")
        made_blocks: list[FlowBlock] = []
        for identity, (matches, actions) in by_set.items():
            if identity in self._overlapping:
                for match in matches:
                    by_match.setdefault(match, []).extend(actions)
            else:
                key = table, priority, identity, tuple(actions)
                made = self._made.get(key)
                if made is None:
                    made = self._made[key] = FlowBlock([Flow(table, priority, match, key[3], number) for match in matches])
                made_blocks.append(made)
        by_actions: dict[tuple[str, ...], list[Flow]] = {}
        for match, taken in by_match.items():
            by_actions.setdefault(tuple(taken), []).append(Flow(table, priority, match, tuple(taken), number))
        return made_blocks + list(map(FlowBlock, by_actions.values()))
