# SPDX-License-Identifier: Apache-2.0
"""Which nodes come first in a change, and which changes are more than flows."""
from __future__ import annotations

from pathlib import Path

from sluice.compile.order import beyond_flows, receivers

DIRECTORY = Path("/inventory/artifacts/demo")
ALLOWS_IN = "cookie=0x1, table=ingress_policy, priority=200,ip,nw_src=10.0.0.2 actions=conjunction(7,1/2)"
ALLOWS_OUT = "cookie=0x1, table=egress_policy, priority=200,ip,nw_dst=10.0.0.2 actions=conjunction(7,2/2)"


def files(**flows: str) -> dict[Path, str]:
    return {DIRECTORY / node / "flows.txt": text + "\n" for node, text in flows.items()}


def test_nodes_that_accept_something_else_come_first() -> None:
    before = files(node1=ALLOWS_IN, node2="", node3=ALLOWS_OUT)
    after = files(node1=ALLOWS_IN, node2=ALLOWS_IN, node3="")
    assert receivers(["node3", "node2", "node1"], DIRECTORY, before, after) == ["node2"]


def test_a_node_that_stops_accepting_comes_first_too() -> None:
    assert receivers(["node1"], DIRECTORY, files(node1=ALLOWS_IN), files(node1=ALLOWS_OUT)) == ["node1"]


def test_flows_groups_and_the_names_of_rules_are_all_that_policies_change() -> None:
    kept = DIRECTORY / "facts.json"
    flows = [DIRECTORY / "node1" / name for name in ("flows.txt", "groups.txt", "rules.json")]
    shared = [DIRECTORY / name for name in ("services.txt", "services-groups.txt", "meters.txt", "peers-all.txt")]
    host = DIRECTORY / "node1" / "host.json"
    assert beyond_flows([*flows, *shared, kept], [kept]) == []
    assert beyond_flows([*flows, host], [kept]) == [host]
