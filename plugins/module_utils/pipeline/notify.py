# SPDX-License-Identifier: Apache-2.0
"""Copies of packets for the node's agent: what it is to do with one is in the copy's userdata, which rule it is about in its cookie."""
from __future__ import annotations

LOG = 1
REJECT = 2
"""Bits of the userdata's one byte."""

METER_RULES = 1
METER_SERVICES = 2
"""Meters that limit the copies, so that no flood of packets can keep the switch or the agent busy. The packets themselves are not metered."""

METERS = (
    f"meter={METER_RULES} pktps burst bands=type=drop rate=500 burst_size=1000",
    f"meter={METER_SERVICES} pktps burst bands=type=drop rate=500 burst_size=1000",
)

COPY_LENGTH = 128
"""Bytes of the packet that are asked for: all its headers, and what an ICMP error has to quote. Open vSwitch 3.1 gives more."""


def notify(what: int, meter: int) -> str:
    """Action token that gives the agent a copy of the packet; ``what`` is LOG, REJECT or both."""
    return f"controller(max_len={COPY_LENGTH},userdata={what:02x},meter_id={meter})"
