# SPDX-License-Identifier: Apache-2.0
"""OpenFlow priorities for rules that are evaluated in order, chosen so that a new rule leaves almost all others' as they are."""
from __future__ import annotations

from typing import Iterable

from ..errors import SluiceError
from .rules import BASELINE, Position

HIGHEST = 65000
LOWEST = 100
"""Below are the flows that hand on what no rule has matched."""

_TIER_ROOM = 200
"""Priorities between a tier and the next: there are 250 tiers."""
_STEP = 20
_STEPS = {220: 6, 250: 100}
"""Priorities between policies whose priority differs by one. Tier 220 (admin policies) has 1000 priorities and 30 tiers' room; tier 250,
where most policies are, has all that is left."""
_BASELINE = {253: (0, 100), 254: (32500, 32)}
"""First priority below HIGHEST, and step, of the tiers of the baseline stage."""


def priorities(positions: Iterable[Position], stage: str) -> dict[Position, int]:
    """A priority of its own for every position, falling in their order, from HIGHEST to LOWEST.

    Each gets the one that follows from it alone, unless those before have taken it: then the next lower one. So only a crowd
    (same tier and priority, or more rules than fit between two) depends on other rules. Raises SluiceError if there are too many.
    """
    ordered = sorted(positions)
    if len(ordered) > HIGHEST - LOWEST:
        raise SluiceError(f"{len(ordered)} ordered rules are more than the {HIGHEST - LOWEST} that a switch can tell apart; use fewer or wider rules")
    given: list[int] = []
    for position in ordered:
        wanted = _wanted(position, stage)
        given.append(min(wanted, given[-1] - 1) if given else wanted)
    # Where that went too low, the last ones move up as far as they have to.
    return {position: max(priority, LOWEST + len(ordered) - 1 - number)
            for number, (position, priority) in enumerate(zip(ordered, given))}


def _wanted(position: Position, stage: str) -> int:
    if stage == BASELINE:
        start, step = _BASELINE[position.tier]
    else:
        start, step = position.tier * _TIER_ROOM, _STEPS.get(position.tier, _STEP)
    return max(LOWEST, HIGHEST - start - int(step * position.priority) - position.number)
