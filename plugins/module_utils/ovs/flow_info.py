# SPDX-License-Identifier: Apache-2.0
"""Read what a bridge has in flows, groups and meters, as text."""
from __future__ import annotations

from typing import Mapping, NamedTuple

from .openflow.connection import Connection
from .openflow.groups import decode_group_descs
from .openflow.messages import read_flow_statistics, read_group_descs, read_meter_descs
from .openflow.meters import decode_meter_descs
from .program import Owner
from .render import Renderer, flow_order


class BridgeText(NamedTuple):
    """Lines in ovs-ofctl's syntax; ``counters`` are packets and bytes of each of ``flows``."""

    flows: list[str]
    counters: list[tuple[int, int]]
    groups: list[str]
    meters: list[str]


def read_bridge(address: str, tables: Mapping[int, str], owner: Owner, timeout: float = 10.0) -> BridgeText:
    """The owner's flows on the bridge at ``address``, and all its groups and meters. Raises SluiceError if it cannot be reached."""
    with Connection(address, timeout) as connection:
        flows = read_flow_statistics(connection, owner.value, owner.mask)
        groups = decode_group_descs(read_group_descs(connection))
        meters = decode_meter_descs(read_meter_descs(connection))
    renderer = Renderer(tables)
    descs = sorted(flows, key=flow_order)
    return BridgeText([renderer.line(desc) for desc in descs], [flows[desc] for desc in descs],
                      [renderer.group(identifier, group) for identifier, group in sorted(groups.items())],
                      [renderer.meter(identifier, meter) for identifier, meter in sorted(meters.items())])
