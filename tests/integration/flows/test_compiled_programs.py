# SPDX-License-Identifier: Apache-2.0
"""What the compiler writes, a real switch takes: every program among the compiler's cases, one after the other on one bridge."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from flows.flow_bridge import FlowBridge

from sluice.ovs.program import parse_owner, parse_tables

ROOT = Path(__file__).parents[3]
PROGRAMS = sorted((ROOT / "tests" / "unit" / "compile" / "cases").glob("*/expected/*/flows.txt"))
OWNER = parse_owner("0x51c3000000000000/0xffff000000000000")


def test_there_are_programs() -> None:
    assert PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: f"{path.parts[-4]}-{path.parts[-2]}")
def test_a_compiled_program_is_taken_and_kept(shared_bridge: FlowBridge, program: Path) -> None:
    bridges = json.loads((program.parent / "switch.json").read_text())["bridges"]
    tables = parse_tables(next(bridge["flow_tables"] for bridge in bridges if "flow_tables" in bridge))
    lines = program.read_text().splitlines()
    shared_bridge.apply(lines, owner=OWNER, tables=tables)
    assert len(shared_bridge.dump()) == len(lines)
    assert not shared_bridge.apply(lines, owner=OWNER, tables=tables).changed
