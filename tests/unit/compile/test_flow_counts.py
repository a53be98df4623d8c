# SPDX-License-Identifier: Apache-2.0
"""How many flows a node has, beside OVN with the same number of nodes, pods, policies and load balancers.

OVN 23.03 was counted on one chassis of a cluster with one router and all load balancers on all switches, where every switch is local to
every chassis; ``tests/bench/policy_scale.py`` counts it anew. Ours are always the same, so a change that makes more of them shows here.
"""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from scale_model import SIZES, scale_state
from sluice.compile.fabric import Fabric
from sluice.compile.node import compile_node


@pytest.mark.parametrize(("size", "most"), [("small", 58_037 / 5), ("large", 2_183_448 / 50)])
def test_a_node_has_few_flows(size: str, most: float) -> None:
    fabric = Fabric(scale_state(SIZES[size]))
    program = compile_node(fabric, "node1")
    shared = len(fabric.service_flows) + len(fabric.peer_flows[program.peer_group])
    assert len(program.flows) + shared <= most


@pytest.mark.parametrize("size", SIZES)
def test_a_service_port_costs_one_flow_and_one_group(size: str) -> None:
    fabric = Fabric(scale_state(SIZES[size]))
    without_services = len(fabric.service_flows) - SIZES[size].services
    assert len(fabric.service_groups) == SIZES[size].services
    assert 0 < without_services < 20
