# SPDX-License-Identifier: Apache-2.0
"""The verdicts for machines."""
from __future__ import annotations

from typing import Any, Dict, Sequence

from .verdict import Verdict, failures


def report(verdicts: Sequence[Verdict]) -> Dict[str, Any]:
    """Plain data: whether all is as expected, how many probes and how many are not, those in words, and every probe with the rule that decides."""
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    return {"ok": not wrong, "probes": len(verdicts), "wrong": wrong, "failures": failures(verdicts),
            "results": [_result(verdict) for verdict in verdicts]}


def _result(verdict: Verdict) -> Dict[str, Any]:
    check, probe, answer = verdict.check, verdict.check.probe, verdict.answer
    return {
        "node": check.node, "kind": check.kind, "source": check.source, "destination": probe.destination, "address": probe.address,
        "protocol": probe.protocol, "port": probe.port, "size": probe.size, "rule": verdict.expected.rule,
        "expected": " or ".join(verdict.expected.outcomes), "outcome": answer.outcome,
        "seen": answer.seen, "rtt_ms": answer.rtt_ms, "ok": not verdict.wrong, "wrong": verdict.wrong}
