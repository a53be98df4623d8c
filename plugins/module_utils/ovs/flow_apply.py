# SPDX-License-Identifier: Apache-2.0
"""Make a bridge's flows, groups and meters what a program says: read, compare, one atomic bundle of the difference, read again."""
from __future__ import annotations

from ..sluice_error import SluiceError
from .openflow.connection import ERROR, HEADER, VERSION, Connection, NoSocketError
from .openflow.errors import describe_error
from .openflow.groups import decode_group_descs, encode_group_mod
from .openflow.messages import (
    GROUP_ADD,
    GROUP_DELETE,
    GROUP_MOD,
    GROUP_MODIFY,
    METER_ADD,
    METER_DELETE,
    METER_MOD,
    METER_MODIFY,
    add_flow,
    bundle_message,
    commit,
    delete_flow,
    flow_key,
    read_flows,
    read_group_descs,
    read_meter_descs,
)
from .openflow.meters import decode_meter_descs, encode_meter_mod
from .program import Owner, Program

TYPE_CHECKING = False  # to import typing takes as long as much else that is done here
if TYPE_CHECKING:
    from typing import Any, Mapping, Optional, Union

    from .openflow.meters import Meter
    from .render import Renderer

    # What a message of the bundle is about: a flow, or a group's id.
    _Subject = Union[bytes, int]

STATES = ("overridden", "merged", "deleted")
_SHOWN = 5
_ANY_BIT = (1 << 64) - 1
# With more flows or cookies than these, reading all flows costs less than asking for each cookie.
_FEW_FLOWS, _FEW_COOKIES = 1_000, 16


class Changes:
    """What differs in groups, or in meters: before by id, after by id. An id in both is modified."""

    def __init__(self, before: dict[int, Any], after: dict[int, Any]) -> None:
        self.before = before
        self.after = after

    @property
    def added(self) -> list[int]:
        """Ids that are only in ``after``."""
        return [key for key in self.after if key not in self.before]

    @property
    def removed(self) -> list[int]:
        """Ids that are only in ``before``."""
        return [key for key in self.before if key not in self.after]

    @property
    def modified(self) -> list[int]:
        """Ids that are in both."""
        return [key for key in self.after if key in self.before]


class FlowChanges:
    """What differs in flows, as `flow_desc` gives them: those that go, or whose key has another one then, and those that come."""

    def __init__(self, before: list[bytes], after: list[bytes]) -> None:
        self.before = before
        self.after = after
        if before and after:
            before_by_key, after_by_key = {flow_key(desc): desc for desc in before}, {flow_key(desc): desc for desc in after}
            self.added = [desc for key, desc in after_by_key.items() if key not in before_by_key]
            self.removed = [desc for key, desc in before_by_key.items() if key not in after_by_key]
        else:
            self.added, self.removed = after, before

    @property
    def modified(self) -> list[bytes]:
        """Those of ``after`` that replace one of ``before``."""
        added = set(self.added)
        return [desc for desc in self.after if desc not in added]


class Plan:
    """The differences between a bridge and a program."""

    def __init__(self, flows: FlowChanges, groups: Changes, meters: Changes) -> None:
        self.flows = flows
        self.groups = groups
        self.meters = meters

    @property
    def _parts(self) -> tuple[FlowChanges, Changes, Changes]:
        return self.flows, self.groups, self.meters

    @property
    def changed(self) -> bool:
        """Whether there is any."""
        return any(part.before or part.after for part in self._parts)

    def count(self, which: str) -> int:
        """How many flows, groups and meters are ``added``, ``removed`` or ``modified``."""
        return sum(len(getattr(part, which)) for part in self._parts)


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
        # Flows of others are of interest where one of ours might replace them.
        have = read_program(connection, want, owner if state == "deleted" else Owner())
        plan = make_plan(have, want, state, owner)
        if plan.flows.added and owner.mask:
            _refuse_foreign(have, plan, owner, tables)
        if plan.changed and not check:
            _commit(connection, plan, want, tables)
            _verify(connection, plan, tables)
        return plan


def read_program(connection: Connection, like: Program, owner: Owner) -> Program:
    """The owner's flows on the bridge, and its groups and meters if ``like`` has them. Raises SluiceError if the switch fails."""
    return Program(read_flows(connection, owner.value, owner.mask),
                   None if like.groups is None else decode_group_descs(read_group_descs(connection)),
                   None if like.meters is None else decode_meter_descs(read_meter_descs(connection)))


def empty_like(want: Program) -> Program:
    """A bridge with nothing on it."""
    return Program({}, None if want.groups is None else {}, None if want.meters is None else {})


def make_plan(have: Program, want: Program, state: str, owner: Owner = Owner()) -> Plan:  # noqa: B008 - immutable
    """What is to be done so that ``have`` becomes what ``want`` means under ``state``; flows of others than ``owner`` stay."""
    everything = state == "deleted" and not (want.flows or want.groups or want.meters)
    return Plan(_compare_flows(have.flows, want.flows, state, everything, owner),
                _compare(have.groups or {}, want.groups or {}, state, everything),
                _compare(have.meters or {}, want.meters or {}, state, everything))


def plan_lines(plan: Plan, tables: Mapping[int, str], most: Optional[int] = None, signs: str = "-+") -> list[str]:
    """The plan as lines that begin with ``-`` for what goes and ``+`` for what comes, or those with one of the signs; in a stable order.

    At most ``most`` lines, if that is given: to put ten thousand flows into words takes longer than to apply them.
    """
    from .render import Renderer, flow_order

    renderer = Renderer(tables)
    lines = []
    for meter_id in sorted({*plan.meters.before, *plan.meters.after}):
        lines += [f"{sign} {renderer.meter(meter_id, side[meter_id])}" for sign, side in _sides(plan.meters) if sign in signs and meter_id in side]
    for group_id in sorted({*plan.groups.before, *plan.groups.after}):
        lines += [f"{sign} {renderer.group(group_id, side[group_id])}" for sign, side in _sides(plan.groups) if sign in signs and group_id in side]
    # In ASCII, + is before -, and a flow that is modified goes before it comes.
    flows = [(flow_order(desc), sign == "+", desc) for sign, side in (("-", plan.flows.before), ("+", plan.flows.after)) if sign in signs for desc in side]
    return (lines + [f"{'-+'[comes]} {renderer.line(desc)}" for _order, comes, desc in sorted(flows)[:most]])[:most]


def _sides(changes: Changes) -> tuple[tuple[str, dict[int, Any]], tuple[str, dict[int, Any]]]:
    return ("-", changes.before), ("+", changes.after)


def _compare(have: Mapping[int, Any], want: Mapping[int, Any], state: str, everything: bool) -> Changes:
    if state == "deleted":
        return Changes({key: value for key, value in have.items() if everything or key in want}, {})
    if have == want:
        return Changes({}, {})
    after = {key: value for key, value in want.items() if have.get(key) != value}
    before = {key: value for key, value in have.items() if key in after or (state == "overridden" and key not in want)}
    return Changes(before, after)


def _compare_flows(have: dict[bytes, None], want: dict[bytes, None], state: str, everything: bool, owner: Owner) -> FlowChanges:
    if state == "deleted":
        keys = {flow_key(desc) for desc in want}
        return FlowChanges([desc for desc in have if everything or flow_key(desc) in keys], [])
    if have.keys() == want.keys():
        return FlowChanges([], [])
    after = [desc for desc in want if desc not in have]
    before = [desc for desc in have if desc not in want and owner.owns(_cookie(desc))]
    if state == "merged":
        keys = {flow_key(desc) for desc in after}
        before = [desc for desc in before if flow_key(desc) in keys]
    return FlowChanges(before, after)


def _cookie(desc: bytes) -> int:
    return int.from_bytes(desc[12:20], "big")


def _refuse_foreign(have: Program, plan: Plan, owner: Owner, tables: Mapping[int, str]) -> None:
    """Adding a flow where another owner has one with the same match would silently replace that."""
    added = {flow_key(desc) for desc in plan.flows.added}
    foreign = [desc for desc in have.flows if not owner.owns(_cookie(desc)) and flow_key(desc) in added]
    if foreign:
        renderer = _renderer(tables)
        lines = "".join(f"\n  {renderer.line(desc)}" for desc in foreign[:_SHOWN])
        more = f"\n  … and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        raise SluiceError(f"{len(foreign)} of the flows would replace one that is not the owner's ({owner}):{lines}{more}")


def _renderer(tables: Mapping[int, str]) -> Renderer:
    # Imported only for what is told in words: most runs tell nothing.
    from .render import Renderer

    return Renderer(tables)


def _commit(connection: Connection, plan: Plan, want: Program, tables: Mapping[int, str]) -> None:
    """Meters cannot be in a bundle (Open vSwitch refuses it): those to add come before it, and are undone if it fails."""
    meters = plan.meters
    undo: list[tuple[int, int, Meter]] = []
    try:
        for identifier, meter in sorted(meters.after.items()):
            before = meters.before.get(identifier)
            _modify_meter(connection, METER_ADD if before is None else METER_MODIFY, identifier, meter, tables)
            undo.append((METER_DELETE, identifier, meter) if before is None else (METER_MODIFY, identifier, before))
        messages, subjects = _messages(plan, want)
        errors = commit(connection, messages) if messages else []
        if errors:
            raise SluiceError(_explain(errors, subjects, plan, _renderer(tables)))
    except SluiceError:
        for command, identifier, meter in reversed(undo):
            _modify_meter(connection, command, identifier, meter, tables)
        raise
    for identifier in meters.removed:
        _modify_meter(connection, METER_DELETE, identifier, meters.before[identifier], tables)


def _messages(plan: Plan, want: Program) -> tuple[bytes, list[_Subject]]:
    """The bundle, and what the message with each xid is about, from xid 1 on.

    Groups come before the flows that use them, and go after those that used them. Flows that come have the first xids, as in the
    messages that the program brings with it where all its flows come.
    """
    flows, groups = plan.flows, plan.groups
    subjects: list[_Subject] = list(flows.after)
    additions: bytes | memoryview
    if want.messages and len(flows.after) == len(want.flows):
        additions = want.messages
    else:
        additions = b"".join([add_flow(desc, xid) for xid, desc in enumerate(flows.after, 1)])
    first, last = [], []
    for group_id, group in groups.after.items():
        subjects.append(group_id)
        command = GROUP_MODIFY if group_id in groups.before else GROUP_ADD
        first.append(bundle_message(GROUP_MOD, encode_group_mod(command, group_id, group), len(subjects)))
    for desc in flows.removed:
        subjects.append(desc)
        first.append(delete_flow(desc, len(subjects)))
    for group_id in groups.removed:
        subjects.append(group_id)
        last.append(bundle_message(GROUP_MOD, encode_group_mod(GROUP_DELETE, group_id, (groups.before[group_id][0], b"", b"")), len(subjects)))
    return b"".join([*first, additions, *last]), subjects


def _explain(errors: list[tuple[int, bytes]], subjects: list[_Subject], plan: Plan, renderer: Renderer) -> str:
    """How many changes the switch refused, and which. That the bundle as a whole fails with them need not be said."""
    own = [(subjects[xid - 1], body) for xid, body in errors if 1 <= xid <= len(subjects)]
    if not own:
        return f"the switch refused the changes, so nothing was changed: {describe_error(errors[0][1])}"
    lines = [f"\n  {_tell(subject, plan, renderer)}: {describe_error(body)}" for subject, body in own[:_SHOWN]]
    if len(own) > _SHOWN:
        lines.append(f"\n  … and {len(own) - _SHOWN} more")
    return f"the switch refused {len(own)} of the changes, so nothing was changed:{''.join(lines)}"


def _tell(subject: _Subject, plan: Plan, renderer: Renderer) -> str:
    """The line of a flow or a group."""
    if isinstance(subject, bytes):
        return renderer.line(subject)
    return renderer.group(subject, plan.groups.after.get(subject) or plan.groups.before[subject])


def _modify_meter(connection: Connection, command: int, identifier: int, meter: Meter, tables: Mapping[int, str]) -> None:
    body = encode_meter_mod(command, identifier, (0, b"") if command == METER_DELETE else meter)
    errors = [reply for kind, _xid, reply in connection.exchange(
        HEADER.pack(VERSION, METER_MOD, 8 + len(body), connection.next_xid()) + body) if kind == ERROR]
    if errors:
        raise SluiceError(f"the switch refused {_renderer(tables).meter(identifier, meter)}: {describe_error(errors[0])}")


def _verify(connection: Connection, plan: Plan, tables: Mapping[int, str]) -> None:
    """What was changed must be as wanted now. What others, or learning flows, did meanwhile is not our concern."""
    have = Program(_changed_flows(connection, plan.flows),
                   decode_group_descs(read_group_descs(connection)) if plan.groups.before or plan.groups.after else {},
                   decode_meter_descs(read_meter_descs(connection)) if plan.meters.before or plan.meters.after else {})
    missing = [desc for desc in plan.flows.after if desc not in have.flows]
    surplus = [desc for desc in plan.flows.removed if desc in have.flows]
    groups = {key: group for key, group in plan.groups.after.items() if (have.groups or {}).get(key) != group}
    meters = {key: meter for key, meter in plan.meters.after.items() if (have.meters or {}).get(key) != meter}
    if not (missing or surplus or groups or meters):
        return
    renderer = _renderer(tables)
    there = {flow_key(desc): desc for desc in read_flows(connection)} if missing else {}
    wrong: list[str] = []
    for desc in missing:
        wrong.append(f"+ {renderer.line(desc)}")
        wrong += [f"- {renderer.line(there[flow_key(desc)])}"] if flow_key(desc) in there else []
    wrong += [f"- {renderer.line(desc)}" for desc in surplus]
    wrong += [f"+ {renderer.group(key, group)}" for key, group in groups.items()]
    wrong += [f"+ {renderer.meter(key, meter)}" for key, meter in meters.items()]
    lines = "".join(f"\n  {line}" for line in wrong[:2 * _SHOWN])
    raise SluiceError(f"the switch took the changes but does not have them (+ is missing, - is there instead):{lines}")


def _changed_flows(connection: Connection, changes: FlowChanges) -> dict[bytes, None]:
    """What the bridge has now of the flows that were changed; it may give others as well."""
    changed = changes.after + changes.removed
    cookies = {_cookie(desc) for desc in changed[:_FEW_FLOWS]}
    if len(changed) > _FEW_FLOWS or len(cookies) > _FEW_COOKIES:
        return read_flows(connection)
    flows: dict[bytes, None] = {}
    for cookie in sorted(cookies):
        flows.update(read_flows(connection, cookie, _ANY_BIT))
    return flows
