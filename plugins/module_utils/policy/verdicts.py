# SPDX-License-Identifier: Apache-2.0
"""What becomes of packets that a rule, or the isolation of a pod, is about."""
from __future__ import annotations

from typing import Iterator

from ..ovs.flow import Flow
from ..pipeline.build import goto
from ..pipeline.notify import LOG, METER_RULES, REJECT, notify
from ..pipeline.tables import ALLOWED, EGRESS_POLICY, INGRESS_ADMIN, INGRESS_POLICY, REPLY, bit_is
from .address_set import DESTINATION, SOURCE, pod_matches
from .rules import EGRESS, Isolated, Rule
from .traffic import Match

NEW = "ct_state=+new+trk"
NOT_NEW = "ct_state=-new"
"""Apart, so that the packets of the flow for new ones are the sessions of a rule's statistics. Untracked packets are not new."""

PRIORITY_RULES = 200
"""All rules with clauses in a policy table: they only allow, so it does not matter which is found."""
PRIORITY_UNCONDITIONAL = 190
"""Rules there that allow all to or from their subjects. Below the others, as one match cannot be a clause and a verdict at one priority."""
PRIORITY_ISOLATION = 100


def allowed_by(direction: str) -> str:
    """The table in which a packet goes on once its direction has allowed it."""
    return INGRESS_ADMIN if direction == EGRESS else ALLOWED


def verdict_flows(rule: Rule, priority: int, condition: Match) -> Iterator[Flow]:
    """The flows that execute a rule's verdict on the packets that ``condition`` matches.

    The agent gets copies of packets that open what is refused, to answer them, or of any whose rule is logged; never of replies.
    """
    if rule.action in ("Allow", "Pass"):
        onwards = goto(allowed_by(rule.direction) if rule.action == "Allow" else EGRESS_POLICY if rule.direction == EGRESS else INGRESS_POLICY)
        yield Flow(rule.table, priority, (*condition, NEW), (*_copy(LOG if rule.log else 0), onwards), rule.cookie)
        yield Flow(rule.table, priority, (*condition, NOT_NEW), (onwards,), rule.cookie)
        return
    copy = _copy((LOG if rule.log else 0) | (REJECT if rule.action == "Reject" else 0))
    yield Flow(rule.table, priority, (*condition, NEW), copy, rule.cookie)
    if copy:
        yield Flow(rule.table, priority, (*condition, bit_is(REPLY, False), NOT_NEW), copy, rule.cookie)
        yield Flow(rule.table, priority, (*condition, bit_is(REPLY, True), NOT_NEW), (), rule.cookie)
    else:
        yield Flow(rule.table, priority, (*condition, NOT_NEW), (), rule.cookie)


def isolation_flows(isolated: Isolated) -> Iterator[Flow]:
    """The flows that drop what no NetworkPolicy has allowed an isolated pod."""
    table, end = (EGRESS_POLICY, SOURCE) if isolated.direction == EGRESS else (INGRESS_POLICY, DESTINATION)
    for match in pod_matches(isolated.pod, end, (4, 6)):
        if isolated.log:
            yield Flow(table, PRIORITY_ISOLATION, (*match, bit_is(REPLY, False)), _copy(LOG), isolated.cookie)
            yield Flow(table, PRIORITY_ISOLATION, (*match, bit_is(REPLY, True)), (), isolated.cookie)
        else:
            yield Flow(table, PRIORITY_ISOLATION, match, (), isolated.cookie)


def _copy(what: int) -> tuple[str, ...]:
    return (notify(what, METER_RULES),) if what else ()
