# SPDX-License-Identifier: Apache-2.0
"""Whether what arrived is what was allowed at the time."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from live.path import ICMP, Path, Record

QUEUED_SECONDS = 0.5
"""So long a packet may have been waiting for the switch on a busy machine: one that was sent before a change is judged after it."""


@dataclass(frozen=True)
class Period:
    """From when on all nodes had been given a state, and what it says of a path."""

    begun: float
    done: float
    allowed: bool


@dataclass
class Judgement:
    """Of one path."""

    sent: int = 0
    arrived: int = 0
    lost: list[float] = field(default_factory=list)
    """When packets were sent that had to arrive, and did not (or whose answer did not)."""
    leaked: list[float] = field(default_factory=list)
    """When packets were sent that must not arrive, and did."""
    closing: list[float] = field(default_factory=list)
    """For each change that ended the path's permission, for how many seconds after it packets that arrived were sent."""
    opening: list[float] = field(default_factory=list)
    """For each change that began it, for how many seconds after it packets that did not arrive were sent."""


def judge(path: Path, record: Record, periods: Sequence[Period], warm: float) -> Judgement:
    """``periods`` in their order; before ``warm`` nothing has to arrive yet, as neighbours are still being learned."""
    judgement = Judgement(len(record.sent), len(record.arrived))
    starts = [period.begun for period in periods]
    lags: dict[int, float] = {number: 0.0 for number in range(1, len(periods)) if periods[number].allowed != periods[number - 1].allowed}
    for number, sent in enumerate(record.sent):
        arrived = number in record.arrived
        complete = arrived and (path.protocol != ICMP or number in record.answered)
        index = max(bisect_right(starts, sent) - 1, 0)
        period = periods[index]
        if (complete if period.allowed else not arrived) or (index in lags and sent < period.done):
            continue
        if index + 1 in lags and (record.arrived[number] >= periods[index + 1].begun if arrived else sent > periods[index + 1].begun - QUEUED_SECONDS):
            continue
        if index in lags and sent - period.done < QUEUED_SECONDS:
            lags[index] = max(lags[index], sent - period.done)
        elif not period.allowed:
            judgement.leaked.append(sent)
        elif sent >= warm:
            judgement.lost.append(sent)
    for index, lag in lags.items():
        (judgement.opening if periods[index].allowed else judgement.closing).append(lag)
    return judgement
