# SPDX-License-Identifier: Apache-2.0
"""Some of the random states with real packets: in the nodes of the conformance lab, between pods' sockets."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Optional

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agreement.size import REAL_STATES
from conformance.case import ROUTER, TRANSPORT, TRANSPORT_MTU, node_address
from conformance.case_file import Row
from conformance.judge import wanted
from conformance.lab import Lab
from conformance.run import by_packets
from sluice.audit.reachability import Reachability
from sluice.audit.verdict import Verdict
from sluice.intent.state import ClusterState, Route, Transport
from states_strategy import Probe, probes, states

PARTS = 2
"""Tests that share the states, so that workers can."""
CANDIDATES, ROWS = 60, 30
"""Probes that are drawn for a state, and how many are asked; those first about which a policy has something to say."""
_NEAR_RANGE = (40000, 45000)
"""The only range of source ports in the states."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@st.composite
def questions(draw: st.DrawFn) -> tuple[ClusterState, list[Probe], int]:
    version = draw(st.sampled_from((4, 6)))
    state = draw(states((4,) if version == 4 else (4, 6)))
    drawn = draw(st.lists(probes(state), min_size=CANDIDATES, max_size=CANDIDATES))
    return _in_the_lab(state), [probe for probe in drawn if probe.version == version], version


@pytest.mark.parametrize("part", range(PARTS))
def test_packets_fare_as_the_engine_says(part: int, lab: Lab) -> None:
    @settings(max_examples=REAL_STATES // PARTS, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
    @given(questions())
    def agree(question: tuple[ClusterState, list[Probe], int]) -> None:
        state, asked, version = question
        rows = _rows(state, asked)
        failures = by_packets(state, lab, rows, version, fresh=True)
        assert not failures, "\n".join(f"{one.row}: {wanted(one.row)} expected, but {one.seen}" for one in failures)

    agree()


def _in_the_lab(state: ClusterState) -> ClusterState:
    """The state with the lab's network between its nodes."""
    routes = tuple(Route("default", router) for router in ROUTER.values())
    nodes = {name: replace(node, transport=Transport(TRANSPORT, (node_address(number, 4), node_address(number, 6)), TRANSPORT_MTU, routes,
                                                     f"0a:64:00:00:00:{number:02x}")) for number, (name, node) in enumerate(state.nodes.items(), 1)}
    return replace(state, nodes=nodes)


def _rows(state: ClusterState, asked: list[Probe]) -> list[Row]:
    engine = Reachability(state)
    used: set[tuple[str, str, int]] = set()
    found: list[tuple[bool, Row]] = []
    for number, probe in enumerate(dict.fromkeys(asked)):
        if not _can_be_asked(state, probe):
            continue
        pod = state.pods.get(probe.source)
        # Pods in a node's own network have one address.
        host = pod.node if pod and pod.host_network else probe.source
        if (host, probe.protocol, probe.source_port) in used:
            # Every client has a port of its own, on the same side of the range's ends.
            near = _NEAR_RANGE[0] <= probe.source_port <= _NEAR_RANGE[1]
            probe = probe._replace(source_port=(41000 if near else 50000) + number)
        used.add((host, probe.protocol, probe.source_port))
        verdict = probe.ask(engine)
        row = _row(state, probe, verdict)
        if row is not None:
            found.append((any(one.rule for one in (verdict.egress, verdict.ingress)), row))
    return [row for _decided, row in sorted(found, key=lambda one: not one[0])][:ROWS]


def _can_be_asked(state: ClusterState, probe: Probe) -> bool:
    """Between pods with addresses of their own, and hosts outside; to Services by name whose endpoints are the pods that they select."""
    pod = state.pods.get(probe.destination)
    own = {address for service in state.services.values() for address in (*service.cluster_ips, *service.external_ips, *service.load_balancer_ingress)}
    gateways = ("10.0.0.1", "10.0.1.1", "fd10::1", "fd10:0:0:1::1")
    if probe.source.startswith("node:") or (probe.protocol == "ICMP" and probe.icmp_type not in (8, 128)) or probe.source == probe.destination:
        return False
    if probe.destination.startswith("svc:"):
        return probe.version == 4 and bool(state.services[probe.destination[4:]].selector) and not probe.source.startswith("ip:")
    if probe.destination.startswith("ip:"):
        return probe.destination[3:] not in own and probe.destination[3:] not in gateways and probe.source in state.pods
    return pod is not None and not pod.host_network


def _row(state: ClusterState, probe: Probe, verdict: Verdict) -> Optional[Row]:
    """The row that expects what the engine says; None where that depends on the endpoint, or on what is no pod."""
    if verdict.action == "mixed" or any(one.endpoint not in state.pods for one in verdict.endpoints):
        return None
    allow = verdict.action == "allow"
    return Row(probe.source, probe.destination, probe.port or 0, probe.protocol, allow, "" if allow else verdict.action,
               tuple(sorted({one.endpoint for one in verdict.endpoints})) if allow else (), source_port=0 if probe.protocol == "ICMP" else probe.source_port)
