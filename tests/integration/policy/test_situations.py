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
from sluice.ovs.unixctl import Control

HERE = Path(__file__).parent
CLUSTER: dict[str, Any] = yaml.safe_load((HERE / "cluster.yml").read_text())
SITUATIONS = sorted((HERE / "situations").glob("*.yml"))


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Bridges for all situations."""
    with OvsSandbox() as sandbox, Control(str(sandbox.directory)) as control:
        yield Judge(sandbox, control, list(CLUSTER["nodes"]))


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


@pytest.mark.parametrize("name", ["rules-with-clauses-in-common", "named-ports-of-subjects", "overlapping-blocks"])
def test_it_does_so_with_more_rules_than_fit_into_a_flow(judge: Judge, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("sluice.policy.contribute.RULES_TOGETHER", 1)
    test_the_switch_judges_as_was_said(judge, HERE / "situations" / f"{name}.yml")


def test_what_conntrack_does_not_know_is_judged_all_the_same(judge: Judge) -> None:
    situation = yaml.safe_load((HERE / "situations" / "ports-ranges-and-protocols.yml").read_text())
    judge.load(policy_state([*CLUSTER["objects"], *situation["objects"]], CLUSTER["nodes"]))
    for line in situation["rows"].splitlines():
        row = read_row(line)
        if row.protocol == "SCTP":
            for version, reply in ((4, False), (4, True), (6, False), (6, True)):
                assert judge.untracked(row, version, reply).verdict == row.verdict


def test_the_agent_gets_copies_of_what_is_logged_or_refused(judge: Judge) -> None:
    def policy(**rule: object) -> dict[str, Any]:
        spec = {"priority": 5, "appliedTo": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ingress": [{"name": "rule", **rule}]}
        return {"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": {"name": "one"}, "spec": spec}

    row = read_row("shop/web shop/db TCP 80 allow")
    for rule, first, later in (
        (policy(action="Allow"), 0, 0),
        (policy(action="Allow", enableLogging=True), 1, 0),
        (policy(action="Drop"), 0, 0),
        (policy(action="Drop", enableLogging=True), 1, 1),
        (policy(action="Reject"), 1, 1),
        (policy(action="Reject", enableLogging=True, ports=[{"protocol": "TCP", "port": 80}]), 1, 1),
    ):
        judge.load(policy_state([*CLUSTER["objects"], rule], CLUSTER["nodes"]))
        copies = judge.new(row, 4).copies, judge.established(row, 4, reply=False).copies, judge.established(row, 4, reply=True).copies
        assert copies == (first, later, 0), rule
