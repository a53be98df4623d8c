# SPDX-License-Identifier: Apache-2.0
"""Situations written by hand: what a real switch makes of the flows of policies, for every packet of a connection."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ovs_sandbox import OvsSandbox
from policy.judge import ANSWERS, Judge, Row, read_row

sys.path.insert(0, str(Path(__file__).parents[2]))
from policy_states import policy_state

HERE = Path(__file__).parent
CLUSTER: dict[str, Any] = yaml.safe_load((HERE / "cluster.yml").read_text())
SITUATIONS = sorted((HERE / "situations").glob("*.yml"))


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Bridges for all situations."""
    with OvsSandbox() as sandbox:
        yield Judge(sandbox, list(CLUSTER["nodes"]))


@pytest.mark.parametrize("path", SITUATIONS, ids=lambda path: path.stem)
def test_the_switch_judges_as_was_said(judge: Judge, path: Path) -> None:
    situation = yaml.safe_load(path.read_text())
    judge.load(policy_state([*CLUSTER["objects"], *situation["objects"]], CLUSTER["nodes"]))
    rows = [read_row(line) for line in situation["rows"].splitlines()]
    wrong = [problem for row in rows for version in row.versions for problem in disagreements(judge, row, version)]
    assert not wrong, "\n".join(wrong)


def disagreements(judge: Judge, row: Row, version: int) -> Iterator[str]:
    """Where the switch says otherwise of the first packet, of later ones or of replies."""
    first = judge.new(row, version)
    if first.verdict != row.verdict or (row.rule and first.rule != row.rule):
        yield f"{row} (IPv{version}): {first}"
    later = judge.established(row, version, reply=False)
    if later[:2] != first[:2]:
        yield f"{row} (IPv{version}), later packet: {later}, but the first: {first}"
    if row.protocol != "ICMP" or int(row.port.partition("/")[0]) in ANSWERS:
        reply = judge.established(row, version, reply=True)
        if (reply.verdict, reply.rule) != ("allow" if row.verdict == "allow" else "drop", first.rule) or reply.copies:
            yield f"{row} (IPv{version}), reply: {reply}, but the first: {first}"
