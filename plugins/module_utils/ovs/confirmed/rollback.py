# SPDX-License-Identifier: Apache-2.0
"""Takes a change back: its rows of the database, and the addresses and routes of the devices that it touched."""
from __future__ import annotations

import time
from typing import Any, FrozenSet, Iterator, Mapping, NamedTuple, Optional, Tuple

from ...errors import SluiceError
from ..ovsdb import Conflict, Connection
from ..switch.apply import ATTEMPTS, commit, read
from ..switch.plan import difference as switch_difference
from ..switch.plan import transaction
from ..switch.record import Switch
from ..switch.revert import from_json as switch_from_json
from ..switch.revert import reverted
from ..switch.revert import to_json as switch_to_json
from . import addresses, kernel
from .addresses import Network, difference, restored

REALISE_SECONDS = 20.0
"""How long ovs-vswitchd may take to make devices again, before addresses are put back on those that are there."""


class Snapshot(NamedTuple):
    """What a change is about to change, and to what."""

    at: float
    """On the monotonic clock."""
    network_before: Network
    network_goal: Network
    moves: Mapping[str, str]
    switch: Optional[Tuple[Switch, Switch]] = None
    """Before and goal of the transaction; None before there is one."""

    @property
    def devices(self) -> FrozenSet[str]:
        """Whose addresses and routes are to be again what they were: those moved, and those that the switch takes away or makes anew."""
        gone = frozenset(_devices(self.switch[0])) - frozenset(_devices(self.switch[1])) if self.switch else frozenset()
        return frozenset(name for name, *_rest in gone) | frozenset(self.moves) | frozenset(self.moves.values())

    def to_json(self) -> Mapping[str, Any]:
        return {
            "at": self.at, "moves": dict(self.moves), "network_before": addresses.to_json(self.network_before),
            "network_goal": addresses.to_json(self.network_goal),
            "switch": [switch_to_json(switch) for switch in self.switch] if self.switch else None}


def snapshot_from_json(data: Mapping[str, Any]) -> Snapshot:
    switch = (switch_from_json(data["switch"][0]), switch_from_json(data["switch"][1])) if data["switch"] else None
    return Snapshot(data["at"], addresses.from_json(data["network_before"]), addresses.from_json(data["network_goal"]), data["moves"], switch)


def roll_back(database: str, snapshot: Snapshot) -> None:
    """Undo what leads from before to goal; what others have changed since stays. Doing it twice is no harm.

    Raises SluiceError, for instance while ovsdb-server is away. ovs-vswitchd has to be there only for devices that it makes.
    """
    # Where the old device has kept the address, it answers while the switch is changed.
    restore_network(snapshot, strict=False)
    if snapshot.switch:
        with Connection(database) as connection:
            sequence = _revert(connection, *snapshot.switch)
            if sequence:
                connection.wait_configured(sequence, REALISE_SECONDS)
    restore_network(snapshot, strict=True)


def _revert(connection: Connection, before: Switch, goal: Switch) -> int:
    """Commit; gives the configuration number that ovs-vswitchd has to reach, or 0 if there is nothing to undo."""
    conflict = ""
    for _attempt in range(ATTEMPTS):
        now = read(connection)
        old = reverted(now, before, goal)
        changes = tuple(switch_difference(now, old))
        if not changes:
            return now.next_cfg if now.cur_cfg < now.next_cfg else 0
        try:
            return commit(connection, transaction(changes, now, old).operations())
        except Conflict as error:
            conflict = str(error)
    raise SluiceError(f"others kept changing the database: {conflict}")


def restore_network(snapshot: Snapshot, strict: bool) -> None:
    """Put addresses and routes back; only if ``strict``, raise SluiceError where one cannot be."""
    try:
        kernel.run(difference(*_network(snapshot)))
        now, goal = _network(snapshot)
        missing = sorted(name for name in snapshot.devices if name in snapshot.network_before.macs and name not in now.macs)
        if missing:
            raise SluiceError(f"ovs-vswitchd has not made {', '.join(missing)} again")
        left = difference(now, goal).all
        if left:
            raise SluiceError(f"addresses or routes could not be put back: still to do is `ip {'`, `ip '.join(left)}`")
    except SluiceError:
        if strict:
            raise


def _network(snapshot: Snapshot) -> Tuple[Network, Network]:
    """What is there now, and what is to be."""
    now = kernel.read()
    return now, restored(now, snapshot.network_before, snapshot.network_goal, snapshot.devices, time.monotonic() - snapshot.at)


def _devices(switch: Switch) -> Iterator[Tuple[str, str, str]]:
    """Interfaces by what ovs-vswitchd makes another device for: name, type, and the kind of the bridge's datapath."""
    for bridge in switch.bridges.values():
        for port in bridge.of("ports").values():
            for name, interface in port.of("interfaces").items():
                yield name, str(interface.values.get("type")), str(bridge.values.get("datapath_type"))
