# SPDX-License-Identifier: Apache-2.0
"""What holds of any state: hypothesis looks for a small one of which it does not."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.audit.reachability import Reachability
from sluice.audit.verdict import Verdict
from sluice.intent.kinds import LabelSelector, NetworkPolicy, NetworkPolicyRule
from sluice.intent.kinds.antrea import AntreaAppliedTo, AntreaPolicy, AntreaRule
from sluice.intent.state import ClusterState
from states_strategy import NAMESPACES, Probe, probes, states

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
EVERY_POD = (AntreaAppliedTo(namespace_selector=LabelSelector()),)
ORDER = {"drop": 0, "reject": 0, "mixed": 1, "allow": 2}


@st.composite
def questions(draw: st.DrawFn) -> tuple[ClusterState, list[Probe]]:
    state = draw(states(versions=draw(st.sampled_from(((4,), (4, 6))))))
    return state, draw(st.lists(probes(state), min_size=5, max_size=10))


def answers(state: ClusterState, asked: list[Probe]) -> list[Verdict]:
    engine = Reachability(state)
    return [probe.ask(engine) for probe in asked]


def at_the_top(state: ClusterState, action: str) -> ClusterState:
    """The state with a rule for all pods that comes before every other."""
    first = AntreaPolicy("", "first", tier="first", priority=1.0, applied_to=EVERY_POD, ingress=(AntreaRule(action),), egress=(AntreaRule(action),))
    tier: Any = replace(next(iter(state.tiers.values())), name="first", priority=1)
    return replace(state, tiers={**state.tiers, "first": tier}, antrea_policies={**state.antrea_policies, "first": first})


@few
@given(questions())
def test_an_allow_at_the_top_takes_nothing_away_and_leaves_no_policy_to_deny(question: tuple[ClusterState, list[Probe]]) -> None:
    state, asked = question
    for before, after in zip(answers(state, asked), answers(at_the_top(state, "Allow"), asked)):
        assert ORDER[after.action] >= ORDER[before.action]
        assert after.action == "allow" or after.egress.stage == "service" or _is_forbidden_itself(after)


def _is_forbidden_itself(verdict: Verdict) -> bool:
    """toServices still decides about a pod's way to itself, to which a rule about addresses does not apply."""
    return any(one.action != "allow" and one.ingress.stage == "exempt" for one in verdict.endpoints)


@few
@given(questions())
def test_a_drop_at_the_top_leaves_what_policies_do_not_judge(question: tuple[ClusterState, list[Probe]]) -> None:
    state, asked = question
    for verdict in answers(at_the_top(state, "Drop"), asked):
        for one in verdict.endpoints or (verdict,):
            if one.action == "allow":
                assert {one.egress.stage, one.ingress.stage} == {"exempt"}


@few
@given(questions())
def test_one_more_network_policy_rule_only_allows_more_for_whom_it_isolates_already(question: tuple[ClusterState, list[Probe]]) -> None:
    state, asked = question
    wider = {key: replace(policy, ingress=(*policy.ingress, NetworkPolicyRule()) if policy.ingress else (), egress=policy.egress)
             for key, policy in state.network_policies.items()}
    for before, after in zip(answers(state, asked), answers(replace(state, network_policies=wider), asked)):
        assert ORDER[after.action] >= ORDER[before.action]


@few
@given(questions())
def test_policies_that_select_nothing_change_nothing(question: tuple[ClusterState, list[Probe]]) -> None:
    state, asked = question
    nobody = LabelSelector((("nobody", "has-it"),))
    idle = NetworkPolicy("alpha", "idle", pod_selector=nobody, policy_types=("Ingress", "Egress"))
    acnp = AntreaPolicy("", "idle", tier="emergency", priority=1.0, applied_to=(AntreaAppliedTo(pod_selector=nobody),), ingress=(AntreaRule("Drop"),))
    more = replace(state, network_policies={**state.network_policies, idle.key: idle}, antrea_policies={**state.antrea_policies, acnp.key: acnp})
    assert answers(more, asked) == answers(state, asked)


@few
@given(questions())
def test_names_of_namespaces_do_not_matter(question: tuple[ClusterState, list[Probe]]) -> None:
    state, asked = question
    renamed = _renamed(state)
    assert [verdict.action for verdict in answers(renamed, [_renamed(probe) for probe in asked])] == [verdict.action for verdict in answers(state, asked)]


def _renamed(value: Any) -> Any:
    """The same with "alpha" for "beta" and so on, wherever a namespace is named."""
    if isinstance(value, str):
        prefix, colon, rest = value.partition(":") if value.startswith(("svc:", "nodeport:")) else ("", "", value)
        namespace, slash, name = rest.partition("/")
        if namespace in NAMESPACES:
            namespace = NAMESPACES[(NAMESPACES.index(namespace) + 1) % len(NAMESPACES)]
        return prefix + colon + namespace + slash + name
    if isinstance(value, dict):
        return {_renamed(key): _renamed(one) for key, one in value.items()}
    if isinstance(value, Probe):
        return Probe(*map(_renamed, value))
    if isinstance(value, tuple):
        return tuple(map(_renamed, value))
    fields = getattr(value, "__dataclass_fields__", None)
    return replace(value, **{field: _renamed(getattr(value, field)) for field in fields}) if fields else value


@few
@given(questions())
def test_nodes_reach_their_pods_whatever_the_policies(question: tuple[ClusterState, list[Probe]]) -> None:
    engine = Reachability(question[0])
    for key, pod in question[0].pods.items():
        assert engine.verdict(f"node:{pod.node}", key, 80, "TCP").action == "allow"
        assert engine.verdict(key, key, 80, "TCP").action == "allow"
