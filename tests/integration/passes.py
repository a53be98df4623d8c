# SPDX-License-Identifier: Apache-2.0
"""How often a userspace switch looks up what to do with a packet."""
from __future__ import annotations

import re
from typing import NamedTuple


class Passes(NamedTuple):
    """Packets that came to userspace switches, and how often those looked for what to do with them: once, and again after each step of conntrack."""

    packets: int
    lookups: int


def read_passes(stats: str) -> Passes:
    """What a switch has done so far, from what its ``dpif-netdev/pmd-stats-show`` prints (ovs-vswitchd(8))."""
    packets, again = (sum(int(count) for count in re.findall(rf"packet{what}: (\d+)", stats)) for what in ("s received", " recirculations"))
    return Passes(packets, packets + again)
