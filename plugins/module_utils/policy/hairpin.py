# SPDX-License-Identifier: Apache-2.0
"""What pods may send to themselves: all, as Kubernetes has it (NetworkPolicy: "a Pod cannot block access to itself"), but through a Service
that a rule forbids them by its name (toServices)."""
from __future__ import annotations

from typing import Iterator

from ..intent.state import Node, Pod
from ..ovs.flow import Flow
from ..pipeline.build import family, flow, goto
from ..pipeline.tables import ALLOWED, EGRESS_ADMIN, EGRESS_BASELINE, POLICY_EXEMPT
from .model import PolicyModel
from .rules import Rule
from .traffic import Match, ToService
from .verdicts import verdict_flows

PRIORITY_EXEMPT = 200
PRIORITY_FORBIDDEN = 210


def hairpin_flows(model: PolicyModel, node: Node, pods: list[Pod]) -> list[Flow]:
    """The flows for what the node's ``pods`` send to themselves."""
    flows = [flow(POLICY_EXEMPT, PRIORITY_EXEMPT, match, [goto(ALLOWED)], f"pod/{pod.key}") for pod in pods for match in _to_itself(pod)]
    for pod, service, rule in _deciding(model, node.name):
        if rule.action in ("Drop", "Reject"):
            for match in _to_itself(pod):
                condition = (*match, *service.match)
                flows += [one._replace(table=POLICY_EXEMPT) for one in verdict_flows(rule, PRIORITY_FORBIDDEN, condition)]
    return flows


def _deciding(model: PolicyModel, node: str) -> Iterator[tuple[Pod, ToService, Rule]]:
    """For a pod and a Service that may lead back to it, the first rule that applies to the one and names the other. After a Pass it is the
    first of the baseline."""
    decided: dict[tuple[str, str], tuple[Pod, ToService, Rule]] = {}
    for table in (EGRESS_ADMIN, EGRESS_BASELINE):
        first: dict[tuple[str, str], tuple[Pod, ToService, Rule]] = {}
        for rule, part in ((placed.rule, placed.part) for placed in model.parts(node, table)):
            for service in (one for one in part.traffic or () if isinstance(one, ToService)):
                for pod in part.subjects.pods:
                    if pod.node == node and service.may_lead_to(pod):
                        first.setdefault((pod.key, service.key), (pod, service, rule))
        decided.update((key, found) for key, found in first.items() if key not in decided or decided[key][-1].action == "Pass")
    yield from decided.values()


def _to_itself(pod: Pod) -> Iterator[Match]:
    for address in () if pod.host_network else pod.ips:
        ip = family(address)
        yield (ip.ip, f"{ip.source}={address}", f"{ip.destination}={address}")
