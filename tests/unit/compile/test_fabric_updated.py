# SPDX-License-Identifier: Apache-2.0
"""The Fabric of a changed state compiles to what a new one compiles to, and says which nodes' programs may differ."""
from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))
from scale_model import Size, scale_state
from sluice.compile.artifacts import artifact_files, fabric_files
from sluice.compile.fabric import Fabric
from sluice.intent.state import ClusterState
from states_strategy import states

PARTS = (("pods",), ("services", "endpoint_slices"), ("network_policies",), ("groups", "antrea_policies", "tiers"), ("admin_policies",),
         ("namespaces",), ("nodes",))
"""What refers to each other is exchanged together."""


@st.composite
def changed_states(draw: st.DrawFn) -> tuple[ClusterState, ClusterState]:
    """Two states that differ in one thing: all objects of some kinds, single objects of one kind, or pods' readiness."""
    before: Any = draw(states())
    what = draw(st.sampled_from(("kinds", "objects", "readiness")))
    if what == "kinds":
        other = draw(states())
        return before, replace(before, **{field: getattr(other, field) for field in draw(st.sampled_from(PARTS))})
    if what == "objects":
        field = draw(st.sampled_from(("services", "network_policies", "admin_policies")))
        return before, replace(before, **{field: {key: value for key, value in getattr(before, field).items() if draw(st.booleans())}})
    return before, replace(before, pods={key: replace(pod, ready=pod.ready != draw(st.booleans())) for key, pod in before.pods.items()})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(changed_states())
def test_it_is_the_fabric_of_the_new_state(both: tuple[ClusterState, ClusterState]) -> None:
    before, after = both
    old, new = dict(artifact_files(before)), dict(artifact_files(after))
    first = Fabric(before)
    updated, touched = first.updated(after)
    assert dict(fabric_files(updated, after.nodes)) == new
    for name in after.nodes.keys() - touched:
        assert {path: text for path, text in old.items() if path.startswith(f"{name}/")} == {
            path: text for path, text in new.items() if path.startswith(f"{name}/")}
    assert dict(fabric_files(updated.updated(before)[0], before.nodes)) == old
    assert dict(fabric_files(first, before.nodes)) == old, "the first one still is what it was"


@pytest.fixture(scope="module")
def state() -> ClusterState:
    """Each pod is one of the apps' ten, which have one policy and two Services each."""
    return scale_state(Size(12, 10, 12, 24))


def test_a_changed_rule_touches_the_nodes_of_its_subjects(state: ClusterState) -> None:
    policy = next(iter(state.network_policies.values()))
    changed = replace(policy, egress=policy.egress[:1])
    subjects = {pod.node for pod in state.pods.values() if policy.pod_selector.matches(pod.labels)}
    _fabric, touched = Fabric(state).updated(replace(state, network_policies={**state.network_policies, policy.key: changed}))
    assert touched == subjects < state.nodes.keys()


def test_an_endpoint_that_gets_ready_touches_no_node(state: ClusterState) -> None:
    pod = next(iter(state.pods.values()))
    first = Fabric(state)
    flows = first.service_flows
    fabric, touched = first.updated(replace(state, pods={**state.pods, pod.key: replace(pod, ready=False)}))
    assert not touched
    assert fabric.service_groups != first.service_groups
    assert sum(old is new for old, new in zip(flows, fabric.service_flows)) == len(state.services) - 2, "those of other Services are not made anew"


def test_an_endpoint_of_a_service_with_traffic_policy_local_touches_its_node(state: ClusterState) -> None:
    pod = next(iter(state.pods.values()))
    own = {key: replace(service, internal_traffic_policy="Local") for key, service in state.services.items()
           if ("app", pod.labels["app"]) in service.selector}
    before = replace(state, services={**state.services, **own}, pods={**state.pods, pod.key: replace(pod, ready=False)})
    fabric, touched = Fabric(before).updated(replace(before, pods=state.pods))
    assert pod.node in touched < state.nodes.keys()
    assert dict(fabric_files(fabric, state.nodes)) == dict(artifact_files(fabric.state))
