# SPDX-License-Identifier: Apache-2.0
"""Makes a live switch what its config says: read, plan, one transaction, wait, read back and compare."""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ...errors import InputError, Problem, SluiceError
from ..ovsdb import Conflict, Connection, NotInstalled, Operation, Remote
from .config import parse
from .database import selects, switch_from
from .describe import as_text
from .plan import Plan, left_over, plan
from .record import Switch
from .target import Intent

Prepare = Callable[[Switch, Switch], None]

ATTEMPTS = 10
"""How often a concurrent writer may come between before the run gives up."""


class Outcome(NamedTuple):
    """What a run did, or in check mode is going to do."""

    changed: bool
    before: Dict[str, Any]
    after: Dict[str, Any]
    commands: Tuple[str, ...]
    """The changes as ovs-vsctl commands, in the order of the plan."""
    warnings: Tuple[str, ...] = ()

    def diff(self) -> List[Dict[str, str]]:
        """As Ansible shows it: the configuration line by line, and the commands that would do it."""
        commands = "".join(f"ovs-vsctl {command}\n" for command in self.commands)
        return [{"before": as_text(self.before), "after": as_text(self.after)}, *([{"prepared": commands}] if commands else [])]


class NotRealised(SluiceError):
    """The database has what was wanted, but the switch does not do it."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(message)


def intent_of(config: Mapping[str, Any], state: str, owner: str, adopt: bool = False) -> Tuple[Intent, Tuple[str, ...]]:
    """What a run wants, and warnings about it; raises InputError with all that is wrong in itself."""
    if not owner:
        raise InputError([Problem("", "", "owner", "is empty", "a name")])
    wanted, warnings, doubts = parse(config, complete=state == "overridden")
    return Intent(wanted, state, owner, adopt, doubts), warnings


def rendered(config: Mapping[str, Any], owner: str) -> Outcome:
    """What would make the config on a host with an empty switch; touches nothing. Raises InputError."""
    intent, warnings = intent_of(config, "merged", owner)
    return _outcome(plan(intent, Switch()), warnings)


def apply(
        remote: Union[str, Remote], config: Mapping[str, Any], state: str, owner: str, wait_timeout: float, check: bool = False,
        adopt: bool = False, prepare: Optional[Prepare] = None) -> Outcome:
    """Make the switch behind the OVSDB ``remote`` what ``config`` says; with ``check``, only say what that would do.

    The change is one transaction, guarded by everything that it relies on: where another writer came between, it is planned anew.
    Then ovs-vswitchd has ``wait_timeout`` seconds to realise it. Where it does not, or reports an error of an interface that is
    named, NotRealised is raised, and the database keeps what was committed: it is what was wanted, and the next run goes on from
    there. Also raises InputError and SluiceError. ``prepare`` is called with what is there and what will be, before each attempt to commit.
    """
    intent, warnings = intent_of(config, state, owner, adopt)
    try:
        connection = Connection(remote)
    except NotInstalled:
        if not check:
            raise
        return _outcome(plan(intent, Switch()), warnings)
    with connection:
        if check:
            planned = plan(intent, read(connection))
            return _outcome(planned, (*warnings, *_errors(intent, planned.have)))
        planned, sequence = _commit(connection, intent, prepare)
        outcome, have = _outcome(planned, warnings), planned.have
        if have.cur_cfg < sequence:
            if not connection.wait_configured(sequence, wait_timeout):
                raise NotRealised(
                    f"the database holds the configuration, but ovs-vswitchd did not take it within {wait_timeout:g} s: "
                    "look whether it runs (systemctl status ovs-vswitchd) and at its log; then run again", outcome)
            have = read(connection)
            left = left_over(intent, have)
            if left:
                again = "; ".join(change.command() for change in left)
                raise NotRealised(f"another writer changed the database right after this run: to do again is {again}", outcome)
        errors = list(_errors(intent, have))
        if errors:
            raise NotRealised("the database holds the configuration, but " + "; ".join(errors), outcome)
        return outcome


def switch_at(remote: Union[str, Remote], statistics: bool = False) -> Switch:
    """The switch as it is; an empty one where Open vSwitch is not installed. Raises SluiceError."""
    try:
        with Connection(remote) as connection:
            return read(connection, statistics)
    except NotInstalled:
        return Switch()


def read(connection: Connection, statistics: bool = False) -> Switch:
    """The switch as the database has it now."""
    columns = connection.columns()
    return switch_from(columns, connection.transact(selects(columns, statistics)))


def _commit(connection: Connection, intent: Intent, prepare: Optional[Prepare]) -> Tuple[Plan, int]:
    """Commit what is to change; gives the plan, and the configuration number that ovs-vswitchd has to reach."""
    conflict = ""
    for _attempt in range(ATTEMPTS):
        planned = plan(intent, read(connection))
        if not planned.changes:
            return planned, planned.have.next_cfg
        if prepare:
            prepare(planned.have, planned.goal)
        try:
            return planned, commit(connection, planned.transaction().operations())
        except Conflict as error:
            conflict = str(error)
    raise SluiceError(f"nothing was changed: {conflict}, {ATTEMPTS} times in a row, each after reading the database anew")


def commit(connection: Connection, operations: Sequence[Operation]) -> int:
    """Commit the operations as one transaction; gives the configuration number that ovs-vswitchd has to reach. Raises Conflict."""
    numbering: Tuple[Operation, ...] = (
        {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
        {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]})
    return int(connection.transact([*operations, *numbering])[-1]["rows"][0]["next_cfg"])


def _outcome(planned: Plan, warnings: Tuple[str, ...] = ()) -> Outcome:
    return Outcome(bool(planned.changes), planned.before, planned.after, tuple(change.command() for change in planned.changes), warnings)


def _errors(intent: Intent, have: Switch) -> Iterator[str]:
    """What is wrong with interfaces of ports that are wanted: in the words of ovs-vswitchd, or a number other than that wanted."""
    for name, wanted in intent.named_bridges.items() if intent.state != "deleted" else ():
        there = have.bridges[name].of("ports") if name in have.bridges else {}
        for port in sorted({name, *wanted.of("ports")} & set(there)):
            for member, interface in there[port].of("interfaces").items():
                request, number = interface.values["ofport_request"], interface.status.get("ofport")
                if interface.status.get("error"):
                    yield f"ovs-vswitchd reports for interface {member}: {interface.status['error']}"
                elif request is not None and number is not None and number != request:
                    yield f"interface {member} has OpenFlow port number {number}, because the requested {request} is taken"
