# SPDX-License-Identifier: Apache-2.0
"""The flows of policies on one node, and what each of their cookies stands for."""
from __future__ import annotations

from typing import Any, NamedTuple

from ..compile.fabric import Fabric
from ..intent.state import Node
from ..ovs.flow import Flow
from ..pipeline.block import FlowBlock
from ..pipeline.build import family, flow, goto
from ..pipeline.tables import (
    ALLOWED,
    EGRESS_ADMIN,
    EGRESS_BASELINE,
    EGRESS_POLICY,
    INGRESS_ADMIN,
    INGRESS_BASELINE,
    INGRESS_POLICY,
    POLICY_EXEMPT,
)
from ..plan.addresses import gateway_address
from .hairpin import hairpin_flows
from .model import PolicyModel
from .placed import PlacedPart
from .traffic import Match
from .verdicts import isolation_flows, verdict_flows

NAME = "policy"
RULES_TOGETHER = 3000
"""A flow's actions have at most 64 KiB, and a conjunction 16 bytes. Where a node has more NetworkPolicies' rules than that, which may all have
a port in common, the clauses of the rest come one priority lower: they only allow, so their order is no matter."""
STAGES = (POLICY_EXEMPT, EGRESS_ADMIN, EGRESS_POLICY, EGRESS_BASELINE, INGRESS_ADMIN, INGRESS_POLICY, INGRESS_BASELINE, ALLOWED)
"""What no rule has decided in one of them goes on in the next."""


class PolicyFlows(NamedTuple):
    """The flows of policies on a node."""

    own: list[Flow]
    blocks: list[FlowBlock]
    """Those of verdicts and clauses, many of which other nodes have, too."""

    @property
    def all(self) -> list[Flow]:
        return self.own + [flow for block in self.blocks for flow in block.flows]


def policy_flows(fabric: Fabric, node: Node) -> PolicyFlows:
    """The flows that judge what the node's pods send and get, and those that exempt from it what always works."""
    model = fabric.policies
    flows = PolicyFlows([flow(table, 0, [], [goto(following)], NAME) for table, following in zip(STAGES, STAGES[1:])], [])
    flows.own.extend(_gateway_flows(node))
    flows.own.extend(hairpin_flows(model, node, fabric.pods_by_node[node.name]))
    for table in STAGES[1:-1]:
        _add_rules(flows, model, table, node.name)
    for isolated in model.isolated(node.name):
        flows.own.extend(isolation_flows(isolated))
    return flows


def rule_index(fabric: Fabric, node: Node) -> dict[str, dict[str, Any]]:
    """What the cookies of flows with verdicts stand for on the node: by cookie the rule, its policy, name, direction, action and logging."""
    model = fabric.policies
    found = dict(placed.rule.entry for table in STAGES[1:-1] for placed in model.parts(node.name, table))
    found.update(isolated.entry for isolated in model.isolated(node.name))
    return found


def _gateway_flows(node: Node) -> list[Flow]:
    """A node reaches its own pods (probes), whatever policies say."""
    return [flow(POLICY_EXEMPT, 200, [family(cidr).ip, f"{family(cidr).source}={gateway_address(cidr)}"], [goto(ALLOWED)], NAME)
            for cidr in node.pod_cidrs]


def _add_rules(flows: PolicyFlows, model: PolicyModel, table: str, node: str) -> None:
    conditional: dict[int, list[PlacedPart]] = {}
    # Unconditional rules of one priority that share a subject say the same of it: the first is the one that counts.
    judged: set[tuple[int, Match]] = set()
    for part in model.parts(node, table):
        if not part.unconditional:
            conditional.setdefault(part.priority, []).append(part)
            flows.blocks.append(part.verdict)
            continue
        for match in part.subjects[node]:
            if (part.priority, match) not in judged:
                judged.add((part.priority, match))
                flows.own.extend(verdict_flows(part.rule, part.priority, match))
    for priority, parts in conditional.items():
        for number, some in enumerate(_portions(parts) if table in (EGRESS_POLICY, INGRESS_POLICY) else [parts]):
            flows.blocks.extend(model.clauses.blocks(table, priority - number, some, node))


def _portions(parts: list[PlacedPart]) -> list[list[PlacedPart]]:
    """Rules of one priority, in portions whose clauses can be in one flow each."""
    return [parts[start:start + RULES_TOGETHER] for start in range(0, len(parts), RULES_TOGETHER)]
