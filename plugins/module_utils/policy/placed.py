# SPDX-License-Identifier: Apache-2.0
"""A part of a rule with the numbers that it has on the switch: its clauses and verdict as flows."""
from __future__ import annotations

from functools import cached_property
from typing import Sequence

from ..pipeline.block import FlowBlock
from .address_set import DESTINATION, SOURCE
from .rules import EGRESS, Part, Rule
from .traffic import Match, traffic_matches
from .verdicts import verdict_flows


class PlacedPart:
    """Its clauses make a conjunctive match (ovs-fields(7), "Conjunctive Match Fields"): a rule of S subjects, P peers and T ports costs
    S + P + T flows, not their product.
    """

    def __init__(self, rule: Rule, part: Part, priority: int, number: int) -> None:
        self.rule = rule
        self.part = part
        self.priority = priority
        self.number = number
        """The id of its conjunction."""
        subject_end, peer_end = (SOURCE, DESTINATION) if rule.direction == EGRESS else (DESTINATION, SOURCE)
        versions = part.versions
        sides: list[Sequence[Match]] = []
        if part.peers is not None:
            sides.append(part.peers.matches(peer_end, versions))
        if part.traffic is not None:
            sides.append(traffic_matches(part.traffic, versions))
        self.unconditional = not sides
        """Whether it is about everything to or from its subjects: one clause is no conjunction."""
        self.subjects = part.subjects.matches_by_node(subject_end, versions)
        """The matches for its subjects by node."""
        self.subject_action = f"conjunction({number},1/{len(sides) + 1})"
        """The action of the clause of its subjects."""
        self.clauses = tuple((side, f"conjunction({number},{position}/{len(sides) + 1})") for position, side in enumerate(sides, 2))
        """The matches and the action of each other clause, the same on all nodes."""

    @cached_property
    def verdict(self) -> FlowBlock:
        """The flows for packets that have met all clauses, the same on all nodes."""
        return FlowBlock(verdict_flows(self.rule, self.priority, (f"conj_id={self.number}",)))
