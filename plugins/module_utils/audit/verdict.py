# SPDX-License-Identifier: Apache-2.0
"""What the engine answers: may it pass, and what decided that."""
from __future__ import annotations

from dataclasses import dataclass

ALLOW, DROP, REJECT, PASS = "Allow", "Drop", "Reject", "Pass"
ADMIN, POLICY, BASELINE, DEFAULT, EXEMPT, SERVICE = "admin", "policy", "baseline", "default", "exempt", "service"


@dataclass(frozen=True)
class Decision:
    """What was decided in one direction, and by what."""

    action: str
    """Allow | Drop | Reject"""
    stage: str
    """admin | policy | baseline: a rule there decided; default: none applied; exempt: policies do not judge this; service: it came to no endpoint."""
    rule: str = ""
    """The name of the rule, such as ``NetworkPolicy shop/web ingress[0]``. Where several allow, the first by name of the policy."""
    passed: tuple[str, ...] = ()
    """The rules with the action Pass that led on to what decided; at most one, as a Pass ends the admin stage."""


EXEMPTED = Decision(ALLOW, EXEMPT)


@dataclass(frozen=True)
class EndpointVerdict:
    """The verdict on one endpoint of a Service."""

    endpoint: str
    """``namespace/name`` of the pod, or the address of what is no pod of the cluster's network."""
    address: str
    port: int
    action: str
    egress: Decision
    ingress: Decision


@dataclass(frozen=True)
class Verdict:
    """Whether a connection is made."""

    action: str
    """allow | drop | reject; mixed: of a Service, whose endpoints differ"""
    egress: Decision
    """At the source. For a Service: of its first endpoint that is refused, or else of its first."""
    ingress: Decision
    """At the destination, as if egress had allowed it."""
    endpoints: tuple[EndpointVerdict, ...] = ()
    """Of a Service: one for each endpoint that a connection may be given to."""


def action_of(egress: Decision, ingress: Decision) -> str:
    """allow | drop | reject: a packet that egress refuses does not come to ingress."""
    refused = egress if egress.action != ALLOW else ingress
    return refused.action.lower()
