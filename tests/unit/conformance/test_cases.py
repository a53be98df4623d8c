# SPDX-License-Identifier: Apache-2.0
"""Reading of cases, and the clusters that they become."""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from conformance.case import case_state, plan_case
from conformance.case_file import Case, find_cases, load_case
from sluice.errors import InputError


def pod(name: str, ip: str = "", **more: Any) -> dict[str, Any]:
    return {"namespace": "x", "name": name, "labels": {"pod": name}, "ports": [{"port": 80, "protocol": "TCP"}], **({"ip": ip} if ip else {}), **more}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: str = "a", **given: Any) -> Case:
        raw = {"name": name, "corpus": "own", "requires": [], "caveats": [], "namespaces": [{"name": "x", "labels": {"team": "x"}}],
               "pods": [pod("a"), pod("b")], "services": [], "policies": [], "expected": [], **given}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(raw))
        return load_case(file)
    return write


def test_addresses_that_are_not_quoted_are_the_plans_and_pods_are_on_two_nodes(write: Any) -> None:
    state = case_state(write(pods=[pod("a", "192.168.1.1"), pod("b", "192.168.1.2")]))
    assert {one.node for one in state.pods.values()} == {"node1", "node2"}
    assert state.namespaces["x"].labels["team"] == "x"
    assert {node.datapath for node in state.nodes.values()} == {"netdev"}


@pytest.mark.parametrize(("addresses", "nodes"), [
    (["10.244.1.2", "10.244.2.2", "10.244.3.3"], 2),
    (["10.244.1.10", "10.244.2.10", "10.244.3.10", "10.244.4.10"], 3),
    # In a network that begins at .0 the first address is the gateway's.
    (["192.168.1.1", "192.168.1.9"], 1),
    (["10.244.1.255", "10.244.2.0"], 1),
])
def test_addresses_that_are_quoted_are_kept(write: Any, addresses: list[str], nodes: int) -> None:
    state = case_state(write(requires=["cidr"], pods=[pod(f"p{number}", ip) for number, ip in enumerate(addresses)]))
    assert [state.pods[f"x/p{number}"].ips for number in range(len(addresses))] == [(ip,) for ip in addresses]
    assert len(state.nodes) == nodes


def test_cluster_ips_are_in_the_service_cidr(write: Any) -> None:
    services = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "x"},
                 "spec": {"clusterIP": ip, "ports": [{"port": 80}], "selector": {"pod": "a"}}} for name, ip in (("s", "30.0.0.2"), ("t", "30.1.9.9"))]
    state = case_state(write(services=services))
    assert state.services["x/s"].cluster_ips == ("30.0.0.2",)
    assert state.services["x/t"].cluster_ips == ("30.1.9.9",)


def test_pods_that_are_not_ready_or_terminating_or_on_the_host(write: Any) -> None:
    state = case_state(write(pods=[pod("a", ready=False), pod("b", terminating=True), pod("c", hostNetwork=True)]))
    assert not state.pods["x/a"].ready
    assert state.pods["x/b"].terminating
    assert state.pods["x/c"].ips == ()


def test_a_pod_stays_where_it_is_in_the_next_step(write: Any) -> None:
    first = plan_case(write("one", pods=[pod("b"), pod("c")]))
    second = plan_case(write("two", pods=[pod("a"), pod("b"), pod("c")]), (4,), first.allocations)
    for key in first.state.pods:
        assert first.state.pods[key] == second.state.pods[key]


def test_what_the_loader_refuses_is_refused(write: Any) -> None:
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": "x"}, "spec": {"podSelector": 1}}
    with pytest.raises(InputError, match="podSelector"):
        case_state(write(policies=[policy]))


def test_the_steps_of_a_test_follow_each_other_in_order(write: Any, tmp_path: Path) -> None:
    for name, sequence in (("b", {"id": "t", "step": 2, "of": 2}), ("c", {"id": "t", "step": 1, "of": 2}), ("bb", None)):
        write(name, **({"sequence": sequence} if sequence else {}))
    assert [case.path.stem for case in find_cases([tmp_path])] == ["c", "b", "bb"]


def test_a_row_with_a_condition_that_is_not_known_is_told(write: Any) -> None:
    row = {"from": "x/a", "to": "x/b", "port": 80, "protocol": "TCP", "allow": True}
    assert write(expected=[row]).rows[0].unknown == ""
    assert write(expected=[{**row, "weather": "fine"}]).rows[0].unknown == '{"weather": "fine"}'


def test_what_is_no_case_is_refused(write: Any) -> None:
    with pytest.raises(ValueError, match="is not a case"):
        write(expected=[{"from": "x/a"}])
