# SPDX-License-Identifier: Apache-2.0
"""Makes a live switch what its config says: read, plan, one transaction, wait, read back and compare."""
from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, NamedTuple, Tuple

from ...errors import InputError, Problem, SluiceError
from ..ovsdb import Conflict, Connection, NotInstalled, Operation
from .config import WantedSwitch, parse
from .database import Switch, selects, switch_from
from .describe import as_text
from .plan import Plan, plan
from .transaction import Transaction

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

    def diff(self) -> Dict[str, str]:
        """As Ansible shows it."""
        return {"before": as_text(self.before), "after": as_text(self.after)}


class NotRealised(SluiceError):
    """The database has what was wanted, but the switch does not do it."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(message)


def apply(remote: str, config: Mapping[str, Any], state: str, owner: str, wait_timeout: float, check: bool = False) -> Outcome:
    """Make the switch behind the OVSDB ``remote`` what ``config`` says; with ``check``, only say what that would do.

    The change is one transaction, guarded by everything that it relies on: where another writer came between, it is planned anew.
    Then ovs-vswitchd has ``wait_timeout`` seconds to realise it. Where it does not, or reports an error of an interface that is
    named, NotRealised is raised, and the database keeps what was committed: it is what was wanted, and the next run goes on from
    there. Also raises InputError and SluiceError.
    """
    if not owner:
        raise InputError([Problem("", "", "owner", "is empty", "a name")])
    want = parse(config, complete=state == "overridden")
    try:
        connection = Connection(remote)
    except NotInstalled:
        if not check:
            raise
        return _outcome(plan(want, Switch(), state, owner))
    with connection:
        if check:
            have = read(connection)
            return _outcome(plan(want, have, state, owner), tuple(_errors(want, have)))
        have, planned, sequence = _commit(connection, want, state, owner)
        outcome = _outcome(planned)
        if have.cur_cfg < sequence:
            if not connection.wait_configured(sequence, wait_timeout):
                raise NotRealised(
                    f"the database holds the configuration, but ovs-vswitchd did not take it within {wait_timeout:g} s: "
                    "look whether it runs (systemctl status ovs-vswitchd) and at its log; then run again", outcome)
            have = read(connection)
            if plan(want, have, state, owner).changes:
                left = "; ".join(change.command() for change in plan(want, have, state, owner).changes)
                raise NotRealised(f"another writer changed the database right after this run: to do again is {left}", outcome)
        errors = [] if state == "deleted" else list(_errors(want, have))
        if errors:
            raise NotRealised("the database holds the configuration, but " + "; ".join(errors), outcome)
        return outcome


def read(connection: Connection, statistics: bool = False) -> Switch:
    """The switch as the database has it now."""
    return switch_from(connection.transact(selects(statistics)))


def _commit(connection: Connection, want: WantedSwitch, state: str, owner: str) -> Tuple[Switch, Plan, int]:
    """Commit what is to change; gives also what was there, and the configuration number that ovs-vswitchd has to reach."""
    conflict = ""
    for _attempt in range(ATTEMPTS):
        have = read(connection)
        planned = plan(want, have, state, owner)
        if not planned.changes:
            return have, planned, have.next_cfg
        transaction = Transaction()
        for change in planned.changes:
            change.edit(transaction)
        numbering: Tuple[Operation, ...] = (
            {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
            {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]})
        try:
            results = connection.transact([*transaction.operations(), *numbering])
        except Conflict as error:
            conflict = str(error)
            continue
        return have, planned, int(results[-1]["rows"][0]["next_cfg"])
    raise SluiceError(f"nothing was changed: {conflict}, {ATTEMPTS} times in a row, each after reading the database anew")


def _outcome(planned: Plan, warnings: Tuple[str, ...] = ()) -> Outcome:
    return Outcome(bool(planned.changes), planned.before, planned.after, tuple(change.command() for change in planned.changes), warnings)


def _errors(want: WantedSwitch, have: Switch) -> Iterator[str]:
    """What is wrong with interfaces of ports that are wanted: in the words of ovs-vswitchd, or a number other than that wanted."""
    for wanted in want.bridges:
        there = have.bridges[wanted.name].ports if wanted.name in have.bridges else {}
        for name in sorted({wanted.name, *(port.name for port in wanted.ports)} & set(there)):
            for member, interface in there[name].interfaces.items():
                request, number = interface.values["ofport_request"], interface.status.get("ofport")
                if interface.status.get("error"):
                    yield f"ovs-vswitchd reports for interface {member}: {interface.status['error']}"
                elif request is not None and number is not None and number != request:
                    yield f"interface {member} has OpenFlow port number {number}, because the requested {request} is taken"
