# SPDX-License-Identifier: Apache-2.0
"""Manifests that others have written: the documents of Antrea's documentation, and a real application."""
from __future__ import annotations

from pathlib import Path

import pytest
from fresh_hosts import CLUSTER, hosts

from sluice.intent.kinds import KINDS
from sluice.intent.manifests import read_manifests
from sluice.intent.objects import read_objects
from sluice.plan.planner import make_state
from sluice.service.endpoints import service_endpoints

REAL = Path(__file__).resolve().parents[4] / "shared" / "real"
ANTREA = sorted((REAL / "antrea-docs").glob("*.yaml"))
BOUTIQUE = REAL / "online-boutique"

needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not there")


@needs_real
@pytest.mark.parametrize("path", ANTREA, ids=lambda path: path.stem)
def test_a_document_of_antreas_documentation_loads_or_is_named(path: Path) -> None:
    documents, problems = read_manifests([path.name], str(path.parent))
    objects, warnings, more = read_objects(documents)
    assert not problems + more
    (document,) = documents
    assert isinstance(document.value, dict)
    kind, version = document.value["kind"], document.value["apiVersion"]
    supported = kind in KINDS and KINDS[kind].api_version == version
    assert len(objects.files) == (1 if supported else 0)
    assert len(warnings) == (0 if supported else 1)
    assert supported or kind in warnings[0]


@needs_real
def test_antreas_documentation_is_there() -> None:
    assert len(ANTREA) > 200


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
    for kind, group in (("Service", state.services), ("NetworkPolicy", state.network_policies)):
        for key in group:
            assert f"{kind} {key} is not enforced yet" in made.warnings
    assert [warning for warning in made.warnings if "not enforced" not in warning] == [
        "ServiceAccount does not concern the network, so 11 of them are ignored: "
        "frontend, adservice, currencyservice, cartservice, loadgenerator and 6 more",
        "Service default/frontend-external is a LoadBalancer, but nothing here assigns it an address: without spec.loadBalancerIP, "
        "spec.externalIPs and status.loadBalancer.ingress it is reached by its cluster IP and node ports",
    ]
