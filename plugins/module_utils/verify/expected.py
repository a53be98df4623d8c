# SPDX-License-Identifier: Apache-2.0
"""What the intent says of a probe. The answer is the reachability engine's, which shares nothing with the compiler of flows."""
from __future__ import annotations

from typing import NamedTuple, Tuple

from ..audit.verdict import ALLOW, DROP, SERVICE, Decision, Verdict
from ..node.probe import NODE, OPEN, REFUSED, TIMED_OUT, TOO_BIG, UNREACHABLE, Probe
from .fabric import Fabric, Port


class Expected(NamedTuple):
    """What has to come of a probe."""

    outcomes: Tuple[str, ...]
    """Any of them; more than one only of a Service whose endpoints differ."""
    servers: Tuple[str, ...] = ()
    """The pods of which one has to answer; empty if any answer will do."""
    rule: str = ""
    """The name of the rule that decides; empty if none does."""


def expected(fabric: Fabric, node: str, probe: Probe) -> Expected:
    """The outcome that a probe which ``node`` sends has to have: dropped packets time out, rejected ones are refused at once."""
    if probe.size > fabric.mtu:
        return Expected((TOO_BIG,))
    source = f"node:{node}" if probe.source == NODE else probe.source
    verdict = fabric.reachability.verdict(source, f"ip:{probe.address}", probe.port or None, probe.protocol.upper())
    if verdict.endpoints:
        return _of_endpoints(fabric, probe, verdict)
    decision = _decisive(verdict.egress, verdict.ingress)
    server = fabric.listeners.get(probe.address, {}).get(Port(probe.protocol, probe.port))
    return Expected((_outcome(decision, probe.protocol),), (server,) if server else (), decision.rule)


def _of_endpoints(fabric: Fabric, probe: Probe, verdict: Verdict) -> Expected:
    """A Service's endpoints may differ, and at the endpoint's port someone has to listen."""
    outcomes = set()
    servers = []
    for endpoint in verdict.endpoints:
        outcome = _outcome(_decisive(endpoint.egress, endpoint.ingress), probe.protocol)
        listening = fabric.listeners.get(endpoint.address)
        server = listening.get(Port(probe.protocol, endpoint.port)) if listening else ""
        outcomes.add(REFUSED if outcome == OPEN and server is None else outcome)
        if outcome == OPEN and server is not None:
            servers.append(server)
    # What is no pod of the pod network may have any name.
    return Expected(tuple(sorted(outcomes)), tuple(servers) if all(servers) else (), _decisive(verdict.egress, verdict.ingress).rule)


def _decisive(egress: Decision, ingress: Decision) -> Decision:
    """A packet that egress refuses does not come to ingress."""
    return egress if egress.action != ALLOW or (egress.rule and not ingress.rule) else ingress


def _outcome(decision: Decision, protocol: str) -> str:
    """How a client sees it: TCP is refused with a reset; what else a rule rejects with "prohibited", and a Service without endpoints with "no such port"."""
    if decision.action == ALLOW:
        return OPEN
    if decision.action == DROP:
        return TIMED_OUT
    return REFUSED if protocol == "tcp" or decision.stage == SERVICE else UNREACHABLE
