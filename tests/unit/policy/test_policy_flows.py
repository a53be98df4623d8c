# SPDX-License-Identifier: Apache-2.0
"""A case a file: objects, and the flows that one node gets for them (but for those that every node has, in base.yml).

``python tests/unit/policy/test_policy_flows.py`` writes the flows anew; review the difference with git.
"""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))
from policy_states import policy_state
from sluice.compile.fabric import Fabric
from sluice.ovs.flow import render_flow
from sluice.pipeline.tables import FLOW_TABLES
from sluice.policy.contribute import policy_flows, rule_index

CASES = sorted(Path(__file__).parent.glob("cases/*.yml"))
NUMBERS = {name: number for number, name in FLOW_TABLES.items()}


def flows_of(case: dict[str, Any]) -> list[str]:
    """The flows of node1, with the names of rules for cookies."""
    families = case.get("families", [4])
    fabric = Fabric(policy_state(case["objects"], {"node1": {}, "node2": {}}, families))
    node = fabric.state.nodes["node1"]
    rules = {int(cookie, 16): entry["rule"] for cookie, entry in rule_index(fabric, node).items()}
    flows = sorted(policy_flows(fabric, node).all, key=lambda flow: (NUMBERS[flow.table], -flow.priority, flow.match))
    return [render_flow(flow).partition("table=")[2] + (f"  # {rules[flow.cookie]}" if flow.cookie in rules else "")
            for flow in flows if case.get("all") or (flow.priority and flow.table != "policy_exempt")]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_flows_are_the_reviewed_ones(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    assert flows_of(case) == case["flows"].splitlines()


if __name__ == "__main__":
    for file in CASES:
        text = file.read_text().partition("flows: |")[0]
        file.write_text(text + "flows: |\n" + "".join(f"  {line}\n" for line in flows_of(yaml.safe_load(text))))
