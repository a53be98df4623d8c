# SPDX-License-Identifier: Apache-2.0
"""What was seen against what was expected."""
from __future__ import annotations

import ipaddress
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ..node.probe import NO_SOURCE, NODE, OPEN, REFUSED, TIMED_OUT, TOO_BIG, UNREACHABLE, Answer, Probe
from .checks import TO_OUTSIDE, Check
from .expected import Expected, expected
from .fabric import Fabric

_WORDS = {
    OPEN: "open", REFUSED: "refused", TIMED_OUT: "timed out", UNREACHABLE: "unreachable",
    TOO_BIG: "too big to be sent", NO_SOURCE: "not sent, because the pod does not run"}
_NO_ANSWER = "none"


class Verdict(NamedTuple):
    check: Check
    expected: Expected
    answer: Answer
    wrong: str
    """What is not as expected, in words; empty if all is."""

    @property
    def family(self) -> int:
        return 6 if ":" in self.check.probe.address else 4


def judge(fabric: Fabric, checks: Sequence[Check], answers: Mapping[Tuple[str, Probe], Answer]) -> List[Verdict]:
    """One verdict a check; ``answers`` by the node that has sent the probe, and the probe."""
    # A node's own probe tells which address its packets leave with, and so which one its pods' are translated to.
    own: Dict[Tuple[str, str], str] = {
        (node, probe.address): answer.seen for (node, probe), answer in answers.items() if probe.source == NODE and answer.seen}
    verdicts = []
    for check in checks:
        right, answer = expected(fabric, check.node, check.probe), answers.get((check.node, check.probe))
        wrong = _wrong(check, right, answer, own) if answer else "not probed, because the node gave no results"
        verdicts.append(Verdict(check, right, answer or Answer(_NO_ANSWER), wrong))
    return verdicts


def _wrong(check: Check, right: Expected, answer: Answer, own: Mapping[Tuple[str, str], str]) -> str:
    if answer.outcome not in right.outcomes:
        rule = f" ({right.rule})" if right.rule else ""
        return f"expected {' or '.join(_WORDS[outcome] for outcome in right.outcomes)}{rule}, {_WORDS[answer.outcome]}"
    if answer.outcome != OPEN or check.probe.protocol == "icmp":
        return ""
    if check.kind == TO_OUTSIDE:
        return _wrong_client(answer.seen, own.get((check.node, check.probe.address), ""))
    server, _separator, client = answer.seen.partition(" ")
    if right.servers and server not in right.servers:
        return f"expected an answer from {' or '.join(right.servers)}, got {answer.seen or 'none'}"
    # A pod that a Service sends to itself sees its node, since it would not answer itself.
    return "" if server == check.source or not right.servers else _wrong_client(client, check.client)


def _wrong_client(seen: str, right: str) -> str:
    if not right or _address(seen) == _address(right):
        return ""
    return f"expected to be seen as {right}, was seen as {seen or 'nobody'}"


def _address(text: str) -> str:
    """The address of a server's answer in its shortest form: ``::ffff:192.0.2.1`` is what some servers call 192.0.2.1."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return text
    mapped = address.ipv4_mapped if address.version == 6 else None
    return str(mapped or address)


def failures(verdicts: Sequence[Verdict]) -> List[str]:
    """What is not as expected, a sentence each; probes that could not be sent are one sentence a source."""
    lines: Dict[Tuple[str, str], str] = {}
    unsent: Dict[Tuple[str, str], int] = {}
    for number, verdict in enumerate(verdicts):
        check, outcome = verdict.check, verdict.answer.outcome
        if not verdict.wrong:
            continue
        if outcome == NO_SOURCE:
            key, sentence = (check.node, check.source), f"{check.source} does not run on {check.node}"
        elif outcome == _NO_ANSWER:
            key, sentence = (check.node, ""), f"{check.node} gave no results"
        else:
            lines[check.node, str(number)] = _in_words(verdict)
            continue
        unsent[key] = unsent.get(key, 0) + 1
        lines[key] = f"{sentence}, so {unsent[key]} probes were not sent"
    return list(lines.values())


def _in_words(verdict: Verdict) -> str:
    check, probe = verdict.check, verdict.check.probe
    where = "" if probe.source == NODE else f" ({check.node})"
    if probe.size:
        what = f" with a packet of {probe.size} bytes"
    elif probe.port:
        what = f":{probe.port}/{probe.protocol}"
    else:
        what = " with ICMP"
    return f"from {check.source}{where} to {probe.destination}{what} over IPv{verdict.family}: {verdict.wrong}"
