# SPDX-License-Identifier: Apache-2.0
"""One change of a switch, with the addresses and routes that go along: the same with a rollback as without."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from ...errors import InputError, Problem
from ..remote import Remote
from ..switch.apply import Outcome, Prepare, apply
from .addresses import Network, as_text, difference, moved


class Request(NamedTuple):
    """The options of sluice.fabric.switch that say what to change."""

    database: Union[str, Remote]
    config: Mapping[str, Any]
    state: str
    owner: str
    wait_timeout: float
    adopt: bool = False
    move_addresses: Mapping[str, str] = {}
    """By device, the bridge to whose local port its addresses and routes go."""
    confirm_timeout: Optional[int] = None
    """Seconds after which it is rolled back unless confirmed; None: never."""


class Moves(NamedTuple):
    """The addresses and routes that a change moves."""

    commands: Tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    warnings: Tuple[str, ...] = ()


class Result(NamedTuple):
    """What a change did, or in check mode is going to do."""

    outcome: Outcome
    moves: Moves = Moves()

    @property
    def changed(self) -> bool:
        return self.outcome.changed or bool(self.moves.commands)

    def shown(self, diff: bool) -> Dict[str, Any]:
        """As the module returns it, without the warnings."""
        result: Dict[str, Any] = {
            "changed": self.changed, "before": self.outcome.before, "after": self.outcome.after,
            "plan": [*self.outcome.commands, *(f"ip {command}" for command in self.moves.commands)]}
        if diff:
            result["diff"] = [*self.outcome.diff(), *self._moves_diff()]
        return result

    @property
    def warnings(self) -> Tuple[str, ...]:
        return (*self.outcome.warnings, *self.moves.warnings)

    def _moves_diff(self) -> List[Dict[str, str]]:
        if not self.moves.commands:
            return []
        header = "addresses and routes"
        return [{"before_header": header, "before": self.moves.before, "after_header": header, "after": self.moves.after},
                {"prepared": "".join(f"ip {command}\n" for command in self.moves.commands)}]


def make(request: Request, check: bool = False, prepare: Optional[Prepare] = None) -> Result:
    """Make the change; with ``check``, only say what it would do. Raises what `switch.apply.apply` does, and SluiceError for addresses."""
    if request.confirm_timeout is not None:
        local_socket(request.database, "confirm_timeout")
        if request.confirm_timeout < 1:
            raise InputError([Problem("", "", "confirm_timeout", f"is {request.confirm_timeout}", "a number of seconds, at least 1")])
    options = (request.database, request.config, request.state, request.owner, request.wait_timeout)
    if not request.move_addresses:
        return Result(apply(*options, check=check, adopt=request.adopt, prepare=prepare))
    # Imported here, as few runs need it.
    from . import kernel
    local_socket(request.database, "move_addresses")
    # What is wrong with the moves has to be known before anything is changed.
    planned = apply(*options, check=True, adopt=request.adopt)
    moves = plan_moves(request.move_addresses, planned, kernel.read())
    if check:
        return Result(planned, moves)
    outcome = apply(*options, adopt=request.adopt, prepare=prepare)
    if moves.commands:
        kernel.move(request.move_addresses)
        moves = moves._replace(warnings=tuple(_other_macs(request.move_addresses, kernel.read().macs)))
    return Result(outcome, moves)


def plan_moves(wanted: Mapping[str, str], planned: Outcome, have: Network) -> Moves:
    """What moving addresses as ``wanted`` changes on a host that is as ``have``; raises InputError."""
    bridges = {bridge["name"]: bridge for bridge in planned.after.get("bridges") or ()}
    problems = list(_problems(wanted, bridges, have))
    if problems:
        raise InputError(problems)
    goal = moved(have, wanted)
    commands = difference(have, goal).all
    if not commands:
        return Moves()
    devices = [*wanted, *wanted.values()]
    hwaddr = {name: (bridge.get("other_config") or {}).get("hwaddr") for name, bridge in bridges.items()}
    macs = {**have.macs, **{name: str(mac).lower() for name, mac in hwaddr.items() if mac}}
    return Moves(commands, as_text(have, devices), as_text(goal, devices), tuple(_other_macs(wanted, macs)))


def local_socket(remote: Union[str, Remote], option: str) -> str:
    """The database as text; raises InputError where ``option`` would change another node than the one on which this runs."""
    database = remote if isinstance(remote, str) else remote.database
    if not database.startswith("unix:") or (isinstance(remote, Remote) and remote.target):
        raise InputError([Problem("", "", option, f"works on the node itself, and the database is {remote}", "a database unix:PATH, and no target")])
    return database


def _problems(wanted: Mapping[str, str], bridges: Mapping[str, Any], have: Network) -> Iterator[Problem]:
    for device, bridge in wanted.items():
        place = f"move_addresses.{device}"
        if not isinstance(bridge, str) or not bridge:
            yield Problem("", "", place, f"is {bridge!r}", "the name of a bridge")
            continue
        if device not in have.macs:
            yield Problem("", "", place, "this host has no such device", "a device that has addresses")
        if bridge == device or bridge in wanted:
            yield Problem("", "", place, f"{bridge} is itself to give its addresses away", "a bridge")
        elif bridge not in bridges and bridge not in have.macs:
            yield Problem("", "", place, f"there is no bridge {bridge}, and config has none", "a bridge")


def _other_macs(wanted: Mapping[str, str], macs: Mapping[str, str]) -> Iterator[str]:
    """What to say of bridges whose MAC is not the device's. Open vSwitch takes the lowest one of a new bridge's ports."""
    for device, bridge in wanted.items():
        if bridge in macs and macs[bridge] != macs[device]:
            yield (f"{bridge} has the MAC {macs[bridge]} and {device} has {macs[device]}: switches that know ports by MAC, and DHCP servers, "
                   f"take this for another host; set other_config hwaddr of {bridge} to {macs[device]} to keep it")
