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
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = {"kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"defaultBackend": backend}}
    assert make(tmp_path, sluice_services=[SERVICE, ingress]).warnings == ("Ingress shop/web is not enforced yet",)


def test_policies_of_all_kinds_arrive(tmp_path: Path) -> None:
    rule = {"action": "Drop"}
    spec = {"priority": 5, "appliedTo": [{"podSelector": {}}], "ingress": [rule]}
    admin = {"priority": 1, "subject": {"namespaces": {}}}
    antrea, upstream = "crd.antrea.io/v1beta1", "policy.networking.k8s.io/v1alpha2"
    policies = [
        POLICY,
        {"apiVersion": antrea, "kind": "NetworkPolicy", "metadata": {"name": "deny-all", "namespace": "shop"}, "spec": spec},
        {"apiVersion": antrea, "kind": "ClusterNetworkPolicy", "metadata": {"name": "strict"}, "spec": {**spec, "tier": "early"}},
        {"apiVersion": antrea, "kind": "Group", "metadata": {"name": "front", "namespace": "edge"}, "spec": {"podSelector": {}}},
        {"kind": "Tier", "metadata": {"name": "early"}, "spec": {"priority": 5}},
        {"kind": "ClusterGroup", "metadata": {"name": "all"}, "spec": {"namespaceSelector": {}}},
        {"kind": "AdminNetworkPolicy", "metadata": {"name": "strict"}, "spec": admin},
        {"kind": "BaselineAdminNetworkPolicy", "metadata": {"name": "default"}, "spec": {"subject": {"namespaces": {}}}},
        {"apiVersion": upstream, "kind": "ClusterNetworkPolicy", "metadata": {"name": "strict"}, "spec": {"tier": "Admin", **admin, "priority": 2}},
    ]
    made = make(tmp_path, sluice_policies=policies, sluice_established="keep")
    state = made.state
    assert made.warnings == ()
    assert list(state.network_policies) == ["shop/deny-all"]
    assert {key: policy.kind for key, policy in state.antrea_policies.items()} == {
        "shop/deny-all": "AntreaNetworkPolicy",
        "strict": "AntreaClusterNetworkPolicy",
    }
    assert state.tiers["early"].priority == 5
    assert {key: group.kind for key, group in state.groups.items()} == {"all": "ClusterGroup", "edge/front": "Group"}
    assert list(state.admin_policies) == ["AdminNetworkPolicy strict", "BaselineAdminNetworkPolicy default", "ClusterNetworkPolicy strict"]
    assert list(state.namespaces) == ["edge", "shop"]
    assert state.cluster.established == "keep"


FQDN = {"priority": 5, "appliedTo": [{"podSelector": {}}], "egress": [{"action": "Allow", "to": [{"fqdn": "*.org"}]}, {"action": "Drop"}]}
UNSUPPORTED = {"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": {"name": "names"}, "spec": FQDN}


def test_a_policy_that_is_not_built_yet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"AntreaClusterNetworkPolicy names: spec\.egress\[0\]\.to\[0\]\.fqdn: a peer by DNS name is not built yet"):
        make(tmp_path, sluice_policies=[POLICY, UNSUPPORTED])


def test_a_policy_that_is_not_built_yet_can_be_left_out_as_a_whole(tmp_path: Path) -> None:
    made = make(tmp_path, sluice_policies=[POLICY, UNSUPPORTED], sluice_unsupported="warn")
    assert list(made.state.network_policies) == ["shop/deny-all"]
    assert made.state.antrea_policies == {}
    assert made.warnings == (
        "inventory variable sluice_policies, item 2: AntreaClusterNetworkPolicy names is left out and not enforced at all: "
        "spec.egress[0].to[0].fqdn: a peer by DNS name is not built yet",
    )


def test_a_mistake_is_one_even_where_the_policy_would_be_left_out(tmp_path: Path) -> None:
    wrong = {**UNSUPPORTED, "spec": {**FQDN, "priority": 0}}
    with pytest.raises(InputError, match=r"^1 problem in the input:\n.*spec\.priority: is 0"):
        make(tmp_path, sluice_policies=[wrong], sluice_unsupported="warn")


def test_what_is_not_there_selects_nothing_and_is_told(tmp_path: Path) -> None:
    """As in Antrea; in conformance cases of Antrea's a group's child does not exist."""
    spec = {
        "priority": 5,
        "appliedTo": [{"group": "a"}],
        "egress": [{"action": "Drop", "to": [{"group": "b"}]}, {"action": "Drop", "toServices": [{"name": "db", "namespace": "shop"}]}],
    }
    policies = [
        {"apiVersion": "crd.antrea.io/v1beta1", "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": "shop"}, "spec": spec},
        {"kind": "ClusterGroup", "metadata": {"name": "c"}, "spec": {"childGroups": ["d"]}},
        {"kind": "Group", "metadata": {"name": "e", "namespace": "shop"}, "spec": {"serviceReference": {"name": "web"}}},
        {"kind": "Group", "metadata": {"name": "f", "namespace": "shop"}, "spec": {"serviceReference": {"name": "db"}}},
    ]
    nothing = "so this selects nothing"
    assert make(tmp_path, sluice_policies=policies).warnings == (
        f"ClusterGroup c: spec.childGroups[0]: there is no ClusterGroup d, {nothing}",
        f"Group shop/f: spec.serviceReference: there is no Service shop/db, {nothing}",
        f"AntreaNetworkPolicy shop/x: spec.appliedTo[0].group: there is no Group shop/a, {nothing}",
        f"AntreaNetworkPolicy shop/x: spec.egress[0].to[0].group: there is no Group shop/b, {nothing}",
        f"AntreaNetworkPolicy shop/x: spec.egress[1].toServices[0]: there is no Service shop/db, {nothing}",
    )


def test_policies_of_one_priority_are_told(tmp_path: Path) -> None:
    def antrea(name: str, tier: str = "application") -> dict[str, Any]:
        spec = {"priority": 5, "tier": tier, "appliedTo": [{"podSelector": {}}]}
        return {"apiVersion": "crd.antrea.io/v1beta1", "kind": "ClusterNetworkPolicy", "metadata": {"name": name}, "spec": spec}

    def admin(kind: str, name: str, **spec: Any) -> dict[str, Any]:
        return {"kind": kind, "metadata": {"name": name}, "spec": {"priority": 5, "subject": {"namespaces": {}}, **spec}}

    policies = [antrea("a"), antrea("b"), antrea("c", "baseline"), admin("AdminNetworkPolicy", "a")]
    policies += [admin("ClusterNetworkPolicy", "b", tier="Admin"), admin("ClusterNetworkPolicy", "c", tier="Baseline")]
    decides = "where they disagree, the first by kind and name decides"
    assert make(tmp_path, sluice_policies=policies).warnings == (
        f"AdminNetworkPolicy a, ClusterNetworkPolicy b have the same priority (5) in the tier Admin of AdminNetworkPolicies: {decides}",
        f"AntreaClusterNetworkPolicy a, AntreaClusterNetworkPolicy b have the same priority (5) in the tier application: {decides}",
    )


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_pod_of_a_running_cluster_is_as_ready_as_it_was(tmp_path: Path, status: str, ready: bool) -> None:
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": status}]
    leaving = {"name": "leaving", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    pods = [{"metadata": {"name": "a"}, "status": {"conditions": conditions}}, {"metadata": leaving}]
    found = make(tmp_path, sluice_pods=pods).state.pods
    assert (found["default/a"].ready, found["default/a"].terminating) == (ready, False)
    assert (found["default/leaving"].ready, found["default/leaving"].terminating) == (True, True)


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
