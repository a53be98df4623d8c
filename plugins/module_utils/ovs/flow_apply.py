# SPDX-License-Identifier: Apache-2.0
"""Make a bridge's flows, groups and meters what a program says: read, compare, one atomic bundle of the difference, read again."""
from __future__ import annotations

from typing import Generic, Mapping, NamedTuple, Optional, TypeVar

from ..errors import SluiceError
from .openflow.connection import HEADER, VERSION, Connection, NoSocketError
from .openflow.errors import describe_error
from .openflow.groups import Group, decode_group_descs, encode_group_mod
from .openflow.messages import (
    ADD,
    DELETE_STRICT,
    FLOW_MOD,
    GROUP_ADD,
    GROUP_DELETE,
    GROUP_MOD,
    GROUP_MODIFY,
    METER_ADD,
    METER_DELETE,
    METER_MOD,
    METER_MODIFY,
    Bundle,
    FlowEntry,
    flow_mod,
    read_flows,
    read_group_descs,
    read_meter_descs,
)
from .openflow.meters import Meter, decode_meter_descs, encode_meter_mod
from .program import Owner, Program, Renderer, flow_order

STATES = ("overridden", "merged", "deleted")
_SHOWN = 5

_K = TypeVar("_K")
_V = TypeVar("_V")


class Changes(Generic[_K, _V]):
    """What differs: before by key, after by key. A key in both is modified."""

    def __init__(self, before: dict[_K, _V], after: dict[_K, _V]) -> None:
        self.before = before
        self.after = after

    @property
    def added(self) -> list[_K]:
        """Keys that are only in ``after``."""
        return [key for key in self.after if key not in self.before]

    @property
    def removed(self) -> list[_K]:
        """Keys that are only in ``before``."""
        return [key for key in self.before if key not in self.after]

    @property
    def modified(self) -> list[_K]:
        """Keys that are in both."""
        return [key for key in self.after if key in self.before]


class Plan(NamedTuple):
    """The differences between a bridge and a program."""

    flows: Changes[bytes, bytes]
    groups: Changes[int, Group]
    meters: Changes[int, Meter]

    @property
    def changed(self) -> bool:
        """Whether there is any."""
        return any(part.before or part.after for part in (self.flows, self.groups, self.meters))

    def count(self, which: str) -> int:
        """How many flows, groups and meters are ``added``, ``removed`` or ``modified``."""
        return sum(len(getattr(part, which)) for part in (self.flows, self.groups, self.meters))


def apply_program(address: str, want: Program, tables: Mapping[int, str], owner: Owner = Owner(), state: str = "overridden",  # noqa: B008
                  check: bool = False, timeout: float = 10.0) -> Plan:
    """Make the bridge at ``address`` what ``want`` says, and give what differed; with ``check``, only the latter.

    ``state``: ``overridden``, the owner has exactly these; ``merged``, these are there, others stay; ``deleted``, these are not there
    (all of the owner's if none is given). Groups and meters have no owner: where the program has them, they are taken as all the bridge's.
    In check mode a bridge whose socket does not exist counts as empty: the node is pristine, ovs-vswitchd is down, or the bridge is yet
    to be made, and Open vSwitch begins without flows in each case. Nothing is changed on an error.

    Raises SluiceError if the switch cannot be reached, refuses a change (named with its flow), or does not keep what it took.
    """
    try:
        opened = Connection(address, timeout)
    except NoSocketError:
        if check:
            return make_plan(empty_like(want), want, state)
        raise
    with opened as connection:
        plan = make_plan(read_program(connection, want, owner), want, state)
        if plan.changed and owner.mask:
            _refuse_foreign(connection, plan, owner, Renderer(tables))
        if plan.changed and not check:
            _commit(connection, plan, Renderer(tables))
            _verify(make_plan(read_program(connection, want, owner), want, state), plan, Renderer(tables))
        return plan


def read_program(connection: Connection, like: Program, owner: Owner) -> Program:
    """The owner's flows on the bridge, and its groups and meters if ``like`` has them. Raises SluiceError if the switch fails."""
    return Program(read_flows(connection, owner.value, owner.mask),
                   None if like.groups is None else decode_group_descs(read_group_descs(connection)),
                   None if like.meters is None else decode_meter_descs(read_meter_descs(connection)))


def empty_like(want: Program) -> Program:
    """A bridge with nothing on it."""
    return Program({}, None if want.groups is None else {}, None if want.meters is None else {})


def make_plan(have: Program, want: Program, state: str) -> Plan:
    """What is to be done so that ``have`` becomes what ``want`` means under ``state``."""
    everything = state == "deleted" and not (want.flows or want.groups or want.meters)
    return Plan(_compare(have.flows, want.flows, state, everything), _compare(have.groups or {}, want.groups or {}, state, everything),
                _compare(have.meters or {}, want.meters or {}, state, everything))


def plan_lines(plan: Plan, tables: Mapping[int, str]) -> list[str]:
    """The plan as lines that begin with ``-`` for what goes and ``+`` for what comes; in a stable order."""
    renderer = Renderer(tables)
    lines = []
    for meter_id in sorted({*plan.meters.before, *plan.meters.after}):
        lines += [f"{sign} {renderer.meter(meter_id, side[meter_id])}" for sign, side in _sides(plan.meters) if meter_id in side]
    for group_id in sorted({*plan.groups.before, *plan.groups.after}):
        lines += [f"{sign} {renderer.group(group_id, side[group_id])}" for sign, side in _sides(plan.groups) if group_id in side]
    for key in sorted({*plan.flows.before, *plan.flows.after}, key=flow_order):
        lines += [f"{sign} {renderer.line(FlowEntry(key, side[key]))}" for sign, side in _sides(plan.flows) if key in side]
    return lines


def _sides(changes: Changes[_K, _V]) -> tuple[tuple[str, dict[_K, _V]], tuple[str, dict[_K, _V]]]:
    return ("-", changes.before), ("+", changes.after)


def _compare(have: dict[_K, _V], want: dict[_K, _V], state: str, everything: bool) -> Changes[_K, _V]:
    if state == "deleted":
        return Changes({key: value for key, value in have.items() if everything or key in want}, {})
    if have == want:
        return Changes({}, {})
    after = {key: value for key, value in want.items() if have.get(key) != value}
    before = {key: value for key, value in have.items() if key in after or (state == "overridden" and key not in want)}
    return Changes(before, after)


def _refuse_foreign(connection: Connection, plan: Plan, owner: Owner, renderer: Renderer) -> None:
    """Adding a flow where another owner has one with the same match would silently replace that."""
    added = plan.flows.added
    if not added:
        return
    have = read_flows(connection)
    foreign = [FlowEntry(key, have[key]) for key in added if key in have]
    if foreign:
        lines = "".join(f"\n  {renderer.line(entry)}" for entry in foreign[:_SHOWN])
        more = f"\n  … and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        raise SluiceError(f"{len(foreign)} of the flows would replace one that is not the owner's ({owner}):{lines}{more}")


def _commit(connection: Connection, plan: Plan, renderer: Renderer) -> None:
    """Meters cannot be in a bundle (Open vSwitch refuses it): those to add come before it, and are undone if it fails."""
    meters = plan.meters
    undo: list[tuple[int, int, Meter]] = []
    try:
        for identifier, meter in sorted(meters.after.items()):
            before = meters.before.get(identifier)
            _modify_meter(connection, METER_ADD if before is None else METER_MODIFY, identifier, meter, renderer)
            undo.append((METER_DELETE, identifier, meter) if before is None else (METER_MODIFY, identifier, before))
        messages = _messages(plan)
        errors = Bundle(connection).run([(message.kind, message.body) for message in messages]) if messages else []
        if errors:
            raise SluiceError(_explain(errors, messages, plan, renderer))
    except SluiceError:
        for command, identifier, meter in reversed(undo):
            _modify_meter(connection, command, identifier, meter, renderer)
        raise
    for identifier in meters.removed:
        _modify_meter(connection, METER_DELETE, identifier, meters.before[identifier], renderer)


class _Message(NamedTuple):
    """A message of a bundle, and what it is about: a group's id, or a flow's key."""

    kind: int
    body: bytes
    group: int = 0
    flow: bytes = b""


def _messages(plan: Plan) -> list[_Message]:
    """The bundle: groups come before the flows that use them, and go after those that used them."""
    flows, groups = plan.flows, plan.groups
    return [*(_Message(GROUP_MOD, encode_group_mod(GROUP_MODIFY if group_id in groups.before else GROUP_ADD, group_id, group), group_id)
              for group_id, group in groups.after.items()),
            # The first 16 bytes of a value are all but the instructions, which a deletion does not have.
            *(_Message(FLOW_MOD, flow_mod(DELETE_STRICT, FlowEntry(key, flows.before[key][:16])), flow=key) for key in flows.removed),
            *(_Message(FLOW_MOD, flow_mod(ADD, FlowEntry(key, value)), flow=key) for key, value in flows.after.items()),
            *(_Message(GROUP_MOD, encode_group_mod(GROUP_DELETE, group_id, (groups.before[group_id][0], b"", b"")), group_id)
              for group_id in groups.removed)]


def _explain(errors: list[tuple[int, bytes]], messages: list[_Message], plan: Plan, renderer: Renderer) -> str:
    """How many changes the switch refused, and which. That the bundle as a whole fails with them need not be said."""
    own = [(index, body) for index, body in errors if index >= 0]
    if not own:
        return f"the switch refused the changes, so nothing was changed: {describe_error(errors[0][1])}"
    lines = [f"\n  {_subject(messages[index], plan, renderer)}: {describe_error(body)}" for index, body in own[:_SHOWN]]
    if len(own) > _SHOWN:
        lines.append(f"\n  … and {len(own) - _SHOWN} more")
    return f"the switch refused {len(own)} of the changes, so nothing was changed:{''.join(lines)}"


def _subject(message: _Message, plan: Plan, renderer: Renderer) -> str:
    """The line of the flow or the group that a message is about."""
    if message.flow:
        return renderer.line(FlowEntry(message.flow, plan.flows.after.get(message.flow) or plan.flows.before[message.flow]))
    return renderer.group(message.group, plan.groups.after.get(message.group) or plan.groups.before[message.group])


def _modify_meter(connection: Connection, command: int, identifier: int, meter: Meter, renderer: Renderer) -> None:
    body = encode_meter_mod(command, identifier, (0, b"") if command == METER_DELETE else meter)
    errors = [reply for kind, _xid, reply in connection.exchange(
        HEADER.pack(VERSION, METER_MOD, 8 + len(body), connection.next_xid()) + body) if kind == 1]
    if errors:
        raise SluiceError(f"the switch refused {renderer.meter(identifier, meter)}: {describe_error(errors[0])}")


def _verify(left: Plan, plan: Plan, renderer: Renderer) -> None:
    """What was changed must be as wanted now. What others, or learning flows, did meanwhile is not our concern."""
    wrong: list[str] = []
    for key, value in left.flows.after.items():
        if key in plan.flows.after:
            wrong.append(f"+ {renderer.line(FlowEntry(key, value))}")
            found: Optional[bytes] = left.flows.before.get(key)
            wrong += [f"- {renderer.line(FlowEntry(key, found))}"] if found is not None else []
    wrong += [f"- {renderer.line(FlowEntry(key, value))}" for key, value in left.flows.before.items() if key in plan.flows.removed]
    wrong += [f"+ {renderer.group(key, group)}" for key, group in left.groups.after.items() if key in plan.groups.after]
    wrong += [f"+ {renderer.meter(key, meter)}" for key, meter in left.meters.after.items() if key in plan.meters.after]
    if wrong:
        lines = "".join(f"\n  {line}" for line in wrong[:2 * _SHOWN])
        raise SluiceError(f"the switch took the changes but does not have them (+ is missing, - is there instead):{lines}")
