# SPDX-License-Identifier: Apache-2.0
"""Manifests that others have written: the documents of Antrea's documentation, and a real application."""
from __future__ import annotations

from pathlib import Path

import pytest
from fresh_hosts import CLUSTER, hosts

from sluice.intent.kinds import KINDS, api_group
from sluice.intent.manifests import read_manifests
from sluice.intent.objects import read_objects
from sluice.plan.planner import make_state
from sluice.service.endpoints import service_endpoints

REAL = Path(__file__).resolve().parents[4] / "shared" / "real"
ANTREA = sorted((REAL / "antrea-docs").glob("*.yaml"))
FRAGMENTS = sorted((REAL / "antrea-docs/_fragments").glob("*.yaml"))
BOUTIQUE = REAL / "online-boutique"

needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not there")


NOT_BUILT = ("fqdn", "l7Protocols", "igmp", "externalEntitySelector")
"""Fields, wherever they are; others are not built in one place or with one value."""


def refused(value: object, place: str = "") -> set[str]:
    """The fields for which a policy of Antrea has to be refused."""
    if isinstance(value, list):
        return set().union(*(refused(item, place) for item in value))
    if not isinstance(value, dict):
        return set()
    found = {name for name in value if name in NOT_BUILT or (place == "appliedTo" and name in ("nodeSelector", "service"))}
    found |= {name for name, text in (("scope", "ClusterSet"), ("action", "Deny")) if value.get(name) == text}
    return found.union(*(refused(item, name) for name, item in value.items()))


@needs_real
@pytest.mark.parametrize("path", ANTREA, ids=lambda path: path.stem)
def test_a_document_of_antreas_documentation_loads_or_tells_why_not(path: Path) -> None:
    documents, problems = read_manifests([path.name], str(path.parent))
    assert not problems
    (document,) = documents
    assert isinstance(document.value, dict)
    kind, version = document.value["kind"], document.value["apiVersion"]
    supported = KINDS.get((api_group(version), kind))
    expected = refused(document.value) if version == "crd.antrea.io/v1beta1" and supported else set()

    objects, warnings, problems = read_objects(documents)
    assert {problem.path.rpartition(".")[2] for problem in problems} == expected
    assert all("is not built yet" in problem.message or ("'Deny'" in problem.message and "Drop" in problem.message) for problem in problems)
    assert len(objects.files) == (1 if supported else 0)
    assert len(warnings) == (0 if supported else 1)
    assert supported or kind in warnings[0]

    _objects, warnings, problems = read_objects(documents, "warn")
    assert {problem.path.rpartition(".")[2] for problem in problems} == expected & {"action"}
    assert bool(expected - {"action"}) == any("is left out and not enforced at all" in warning for warning in warnings)


@needs_real
@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_a_fragment_of_antreas_documentation_is_refused(path: Path) -> None:
    documents, problems = read_manifests([path.name], str(path.parent))
    problems += read_objects(documents)[2]
    assert problems
    assert all("is not YAML" in problem.message or "apiVersion" in problem.expected for problem in problems)


@needs_real
def test_antreas_documentation_is_there() -> None:
    assert len(ANTREA) + len(FRAGMENTS) == 313


@needs_real
def test_the_online_boutique_plans_unchanged(tmp_path: Path) -> None:
    made = make_state({**CLUSTER, "sluice_manifests": [str(BOUTIQUE)]}, hosts(1, 2, 3), str(tmp_path))
    state = made.state
    assert {pod.owner.partition("/")[0] for pod in state.pods.values()} == {"Deployment"}
    assert len(state.pods) == len(state.services) == 12
    assert sorted(pod.node for pod in state.pods.values()) == ["node1"] * 4 + ["node2"] * 4 + ["node3"] * 4
    assert [service.cluster_ips for service in state.services.values()] == [(f"10.96.0.{number}",) for number in range(1, 13)]
    assert {key: port.node_port for key, service in state.services.items() for port in service.ports if port.node_port} == {
        "default/frontend-external": 30000
    }
    endpoints = {key: [endpoint for port in ports for endpoint in port.endpoints] for key, ports in service_endpoints(state).items()}
    assert {key: len(found) for key, found in endpoints.items() if len(found) != 1} == {}
    assert all(endpoint.ip in state.pods[endpoint.pod].ips for found in endpoints.values() for endpoint in found)
    assert len(state.network_policies) == 13
    assert list(state.namespaces) == ["default"]
    assert list(made.warnings) == [
        "ServiceAccount does not concern the network, so 11 of them are ignored: "
        "frontend, adservice, currencyservice, cartservice, loadgenerator and 6 more",
        "Service default/frontend-external is a LoadBalancer, but nothing here assigns it an address: without spec.loadBalancerIP, "
        "spec.externalIPs and status.loadBalancer.ingress it is reached by its cluster IP and node ports",
    ]
