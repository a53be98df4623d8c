# SPDX-License-Identifier: Apache-2.0
"""A bridge without datapath devices, to set flows on with ovs-ofctl and with Sluice."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ovs_sandbox import OvsSandbox

from sluice.ovs.encode import encode_program
from sluice.ovs.flow_apply import Plan, apply_program
from sluice.ovs.openflow.connection import Connection
from sluice.ovs.openflow.groups import Group, decode_group_descs
from sluice.ovs.openflow.messages import read_flows, read_group_descs, read_meter_descs
from sluice.ovs.openflow.meters import Meter, decode_meter_descs
from sluice.ovs.program import Owner

CASES = Path(__file__).parent


def case_lines(name: str) -> list[str]:
    """The lines of a file of cases."""
    return [line for line in (CASES / name).read_text().splitlines() if not line.startswith("#")]


class FlowBridge:
    """Bridge ``br0`` of a sandbox; ``address`` is where it speaks OpenFlow."""

    def __init__(self, ovs: OvsSandbox) -> None:
        self.ovs = ovs
        ovs.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure")
        self.address = f"unix:{ovs.directory}/br0.mgmt"

    def clear(self) -> None:
        """No flows, groups or meters."""
        for command in ("del-flows", "del-groups", "del-meters"):
            self.ovs.ofctl(command, "br0")

    def flows(self) -> dict[bytes, None]:
        """The set of flows as bytes."""
        with Connection(self.address) as connection:
            return read_flows(connection)

    def groups(self) -> dict[int, Group]:
        """The groups as bytes."""
        with Connection(self.address) as connection:
            return decode_group_descs(read_group_descs(connection))

    def meters(self) -> dict[int, Meter]:
        """The meters as bytes."""
        with Connection(self.address) as connection:
            return decode_meter_descs(read_meter_descs(connection))

    def dump(self) -> list[str]:
        """The flows as ovs-ofctl tells them, without statistics, sorted."""
        return sorted(line.strip() for line in self.ovs.ofctl("--no-stats", "dump-flows", "br0").splitlines())

    def apply(self, flows: Iterable[str], groups: Iterable[str] | None = None, meters: Iterable[str] | None = None, *,
              state: str = "overridden", owner: Owner = Owner(), tables: Mapping[int, str] | None = None,  # noqa: B008 - immutable
              check: bool = False) -> Plan:
        """Apply lines."""
        names = tables or {}
        return apply_program(self.address, encode_program(flows, groups, meters, names, owner), names, owner, state, check)
