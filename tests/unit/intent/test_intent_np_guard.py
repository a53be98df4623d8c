# SPDX-License-Identifier: Apache-2.0
"""Policies that np-guard's analyser refuses (shared/conformance, third-party data): each has to be refused here, for what is wrong with it."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.intent.manifests import Document
from sluice.intent.objects import read_objects

CASES = Path(__file__).resolve().parents[4] / "shared/conformance/cases/np-guard-invalid"

REFUSED = {
    "an-admin-netpol-missing-egress-rule-peer-rejected": "AdminNetworkPolicy egress-tcp: spec.egress[0].to: is missing",
    "an-admin-netpol-with-an-empty-egress-rule-peer-rejected": "AdminNetworkPolicy egress-tcp: spec.egress[0].to: is missing",
    "baseline-admin-netpol-with-an-invalid-egress-rule-action-rejected": (
        "BaselineAdminNetworkPolicy default: spec.egress[0].action: is 'Pass'; expected one of Allow, Deny"
    ),
    "baseline-admin-netpol-with-an-invalid-egress-rule-peer-rejected": (
        "BaselineAdminNetworkPolicy default: spec.egress[0].to[0]: has namespaces and pods; expected exactly one of"
    ),
    "baseline-admin-netpol-with-an-invalid-egress-rule-port-rejected": (
        "BaselineAdminNetworkPolicy default: spec.egress[0].ports[0]: has portNumber and namedPort; expected exactly one of"
    ),
    "baseline-admin-netpol-with-empty-subject-rejected": "BaselineAdminNetworkPolicy default: spec.subject: is missing",
    "baseline-admin-netpol-with-missing-ingress-rule-peer-rejected": "BaselineAdminNetworkPolicy default: spec.ingress[0].from: is missing",
    "more-than-one-baseline-admin-netpol-rejected": "BaselineAdminNetworkPolicy default: metadata.name: is there twice",
    "netpol-with-illegal-port-range-rejected": (
        "NetworkPolicy ns1/egress-empty-port-range: spec.egress[0].ports[1].endPort: is 1, less than port (10)"
    ),
    "netpol-with-illegal-port-rejected": (
        "NetworkPolicy default/backend-netpol: spec.ingress[1].ports[0].endPort: cannot follow a named port (http)"
    ),
    "netpol-with-named-port-on-ipblock-peer-should-return-fatal-named-port-error": (
        "NetworkPolicy default/shippingservice-netpol: spec.egress[0].ports: names a port (abc)"
    ),
    "two-netpols-with-same-name-in-a-namespace-rejected-of-existing-object": (
        "NetworkPolicy default/backend-netpol: metadata.name: is there twice"
    ),
}

needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there")


@needs_cases
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_is_refused_for_what_is_wrong(name: str) -> None:
    policies = json.loads((CASES / f"{name}.json").read_text())["policies"]
    problems = read_objects([Document(f"case.json, item {number}", policy) for number, policy in enumerate(policies, 1)])[2]
    assert [problem for problem in problems if REFUSED[name] in str(problem)], "\n".join(map(str, problems))


@needs_cases
def test_no_case_is_left_out() -> None:
    assert {path.stem for path in CASES.glob("*.json")} == set(REFUSED)
