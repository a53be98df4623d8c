# SPDX-License-Identifier: Apache-2.0
"""What a bridge has as text, in the syntax of ovs-ofctl."""
from __future__ import annotations

import struct
from typing import Mapping

from .flow import FLAGS, Flow, render_flow
from .openflow.actions_text import ActionDecoder
from .openflow.groups import Group
from .openflow.groups_text import format_group
from .openflow.match import decode_match
from .openflow.messages import FLAG_BITS, flow_key, flow_parts
from .openflow.meters import Meter
from .openflow.meters_text import format_meter
from .program import Program


class Renderer:
    """Gives what a switch has back as text."""

    def __init__(self, tables: Mapping[int, str]) -> None:
        self._decoder = ActionDecoder(tables)

    def flow(self, desc: bytes) -> Flow:
        """The flow of a description."""
        table, priority, times, cookie, oxm, instructions = flow_parts(desc)
        idle, hard, flags, importance = struct.unpack("!HHHH", times)
        return Flow(self._decoder.table(table), priority, decode_match(oxm), self._decoder.instructions(instructions),
                    int.from_bytes(cookie, "big"), idle, hard, importance, tuple(name for name in FLAGS if flags & FLAG_BITS[name]))

    def line(self, desc: bytes) -> str:
        """The line of a description."""
        return render_flow(self.flow(desc))

    def lines(self, program: Program) -> list[str]:
        """All of a program: meters, groups, then flows by table, falling priority and match."""
        return ([self.meter(identifier, meter) for identifier, meter in sorted((program.meters or {}).items())]
                + [self.group(identifier, group) for identifier, group in sorted((program.groups or {}).items())]
                + [self.line(desc) for desc in sorted(program.flows, key=flow_order)])

    def group(self, identifier: int, group: Group) -> str:
        """The line of a group."""
        return format_group(identifier, group, self._decoder)

    def meter(self, identifier: int, meter: Meter) -> str:
        """The line of a meter."""
        return format_meter(identifier, meter)


def flow_order(desc: bytes) -> tuple[int, int, bytes]:
    """Sorts flows as a switch tries them: by table, then the highest priority first."""
    return desc[0], -int.from_bytes(desc[2:4], "big"), flow_key(desc)[8:]
