# SPDX-License-Identifier: Apache-2.0
"""Whether what was seen is what a case expects."""
from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sluice.audit.verdict import Verdict
from sluice.errors import InputError

from .case_file import Case, Row
from .prober import ALLOW, DROP, REJECT, Answer

REQUESTS_PER_BACKEND = 20
"""Where a case does not say how many it takes: three equal backends are all met but once in a thousand runs."""

REASONS = {
    "ANPEgressRulePeersErr": r"egress\[\d+\]\S*\.to\b",
    "ANPIngressRulePeersErr": r"ingress\[\d+\]\S*\.from\b",
    "ANPPortsError": r"\.ports\[\d+\]",
    "BANPAlreadyExists": r"is there twice|only one",
    "EndPortWithNamedPortErrStr": r"\.endPort\b",
    "IllegalPortRangeError": r"\.endPort\b",
    "NPWithSameNameError": r"is there twice",
    "NamedPortErrTitle": r"\.ports\b.* names a port|\.ports\b.*named port",
    "OneFieldSetRulePeerErr": r"\.(to|from)\[\d+\]",
    "OneFieldSetSubjectErr": r"\bsubject\b",
    "UnknownRuleActionErr": r"\.action\b",
}
"""Names of refusals in np-guard's netpol-analyzer, and what Sluice's message has to be about."""


def requests_of(row: Row) -> int:
    """How many connections it takes to judge a row."""
    return max(row.requests, REQUESTS_PER_BACKEND * len(row.backends) if row.mode == "all_reached" and row.requests == 1 else 1)


def wanted(row: Row) -> str:
    """What a row expects, in a word or two."""
    if row.unknown:
        return f"{row.unknown} (not known to the runner)"
    if not row.allow:
        return row.verdict or "drop or reject"
    details = [row.mode] if row.mode not in ("", "any") else []
    details += [f"client {row.client_ip}"] if row.client_ip else []
    return " ".join([ALLOW, *details, *(["from " + ", ".join(row.backends)] if row.backends else [])])


def seen(answers: Sequence[Answer]) -> str:
    """What came, in a word or two."""
    verdicts = sorted({answer.verdict for answer in answers})
    servers = sorted({answer.server for answer in answers if answer.server})
    clients = sorted({answer.client for answer in answers if answer.client})
    return " and ".join(verdicts) + (f" from {', '.join(servers)} (client {', '.join(clients)})" if servers else "")


def as_expected(row: Row, answers: Sequence[Answer], gateways: Collection[str]) -> bool:
    """``gateways``: the addresses of the nodes' gateways."""
    verdicts = {answer.verdict for answer in answers}
    if row.unknown:
        return False
    if not row.allow:
        return verdicts <= ({row.verdict} if row.verdict else {DROP, REJECT})
    servers = {answer.server for answer in answers}
    return (
        verdicts == {ALLOW}
        and _is_server(row, servers)
        and (row.mode != "all_reached" or servers == set(row.backends))
        and (row.mode != "sticky" or len(servers) == 1)
        and (row.mode != "not_sticky" or len(servers) > 1)
        and all(answer.client in gateways if row.client_ip == "gateway" else answer.client == row.client_ip
                for answer in answers if row.client_ip))


def _is_server(row: Row, servers: Collection[str]) -> bool:
    if row.backends:
        return set(servers) <= set(row.backends)
    # An echo reply does not say whose it is.
    return row.protocol == "ICMP" or row.destination.startswith(("svc:", "nodeport:", "ip:")) or set(servers) == {row.destination}


def engine_as_expected(row: Row, verdict: Verdict) -> bool:
    """The same of what the analysis says."""
    if row.unknown:
        return False
    if not row.allow:
        return verdict.action in ((row.verdict,) if row.verdict else (DROP, REJECT))
    endpoints = {endpoint.endpoint for endpoint in verdict.endpoints}
    return verdict.action == ALLOW and (not row.backends or endpoints == set(row.backends)
                                        or (row.mode != "all_reached" and endpoints <= set(row.backends)))


def refusal_fits(case: Case, error: InputError) -> bool:
    """Whether a refusal is for the reason that the case has. An expression with a name that is not in REASONS fits any refusal of a policy."""
    known = [pattern for name, pattern in REASONS.items() if re.search(rf"\b{name}\b", case.rejection)]
    kinds = {policy["kind"] for policy in case.policies}
    about = [problem for problem in error.problems if problem.object.partition(" ")[0] in kinds]
    return any(re.search(pattern, f"{problem.path} {problem.message}") for problem in about for pattern in known or [""])


def endpoint_rows(case: Case) -> list[Row]:
    """What a case says about Services' endpoints, as rows: all of them are reached and no other, or nothing is."""
    rows = []
    for key, endpoints in case.endpoints.items():
        backends = tuple(sorted({endpoint.rpartition(":")[0] for endpoint in endpoints}))
        service = next(one for one in case.services if f"{one['metadata'].get('namespace', 'default')}/{one['metadata']['name']}" == key)
        clients = [name for pod in case.pods if (name := f"{pod['namespace']}/{pod['name']}") not in backends]
        rows += [Row(clients[-1], f"svc:{key}", port["port"], port.get("protocol", "TCP"), bool(backends), backends=backends,
                     mode="all_reached" if backends else "") for port in (service["spec"]["ports"] if clients else ())]
    return rows
