# SPDX-License-Identifier: Apache-2.0
"""An inventory with files around it becomes a ClusterState."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fresh_hosts import CLUSTER, hosts

from sluice.errors import InputError
from sluice.plan.planner import Made, make_state

POLICY = {"metadata": {"name": "deny-all", "namespace": "shop"}, "spec": {"podSelector": {}}}
SERVICE = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"ports": [{"containerPort": 80}]}]}}
DEPLOYMENT = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 2, "template": TEMPLATE}}


def make(folder: Path, **variables: Any) -> Made:
    given = {"sluice_pods": [DEPLOYMENT], "sluice_services": [SERVICE], "sluice_policies": [POLICY], **variables}
    return make_state({**CLUSTER, **given}, hosts(1, 2), str(folder))


def test_everything_arrives(tmp_path: Path) -> None:
    state = make(tmp_path).state
    assert list(state.nodes) == ["node1", "node2"]
    assert state.nodes["node2"].pod_cidrs == ("10.10.1.0/24", "fd10:10:0:1::/64")
    assert state.namespaces["shop"].labels == {"kubernetes.io/metadata.name": "shop"}
    assert list(state.services) == ["shop/web"]
    assert list(state.network_policies) == ["shop/deny-all"]
    assert [(pod.owner, pod.node, pod.labels, pod.ports[0].port) for pod in sorted(state.pods.values(), key=lambda pod: pod.node)] == [
        ("Deployment/web", "node1", {"app": "web"}, 80),
        ("Deployment/web", "node2", {"app": "web"}, 80),
    ]


def test_what_is_loaded_and_not_enforced_is_told(tmp_path: Path) -> None:
    assert make(tmp_path).warnings == ("Service shop/web is not enforced yet", "NetworkPolicy shop/deny-all is not enforced yet")


def test_nothing_is_written_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    first = make(tmp_path)
    assert first.allocations_changed
    assert list(tmp_path.iterdir()) == []
    Path(first.allocations_file).write_text(first.allocations)
    second = make(tmp_path)
    assert not second.allocations_changed
    assert (second.state, second.allocations) == (first.state, first.allocations)


def test_a_pod_more_is_a_line_more(tmp_path: Path) -> None:
    first = make(tmp_path)
    Path(first.allocations_file).write_text(first.allocations)
    second = make(tmp_path, sluice_pods=[DEPLOYMENT, {"metadata": {"name": "aaa"}}])
    added = set(second.allocations.splitlines()) - set(first.allocations.splitlines())
    assert [line.partition(":")[0] for line in added] == ["  default/aaa"]
    assert set(first.allocations.splitlines()) < set(second.allocations.splitlines())


def test_an_allocations_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "allocations.yml").mkdir()
    with pytest.raises(InputError, match=r"allocations\.yml: cannot be read"):
        make(tmp_path)
