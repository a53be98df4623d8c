# SPDX-License-Identifier: Apache-2.0
"""What each kind of policy means, and in which order they decide."""
from __future__ import annotations

from typing import Any, Optional

import pytest
from small_cluster import EVERYTHING, OUTSIDE, labels, small_cluster

from sluice.audit.reachability import Reachability
from sluice.audit.verdict import Verdict
from sluice.errors import SluiceError
from sluice.intent.kinds import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule
from sluice.intent.kinds.admin_policy import ADMIN, BASELINE, AdminPeer, AdminPolicy, AdminPort, AdminRule, AdminSubject
from sluice.intent.kinds.antrea import AntreaAppliedTo, AntreaGroup, AntreaICMP, AntreaPeer, AntreaPolicy, AntreaPort, AntreaRule, Tier

EVERYONE = (AntreaAppliedTo(namespace_selector=EVERYTHING),)
IN_A = AntreaAppliedTo(namespace_selector=labels(team="a"))
ALL_PODS = AdminPeer(pods=AdminSubject())


def ask(source: str, destination: str, port: Optional[int] = 80, protocol: str = "TCP", *, how: Any = None, **objects: Any) -> Verdict:
    return Reachability(small_cluster(**objects)).verdict(source, destination, port, protocol, **(how or {}))


def ingress(*rules: NetworkPolicyRule, selector: Any = EVERYTHING, **more: Any) -> list[NetworkPolicy]:
    return [NetworkPolicy("a", "np", pod_selector=selector, ingress=rules, **more)]


def egress(*rules: NetworkPolicyRule) -> list[NetworkPolicy]:
    return [NetworkPolicy("a", "np", policy_types=("Egress",), egress=rules)]


def rule(*peers: NetworkPolicyPeer, ports: tuple[NetworkPolicyPort, ...] = ()) -> NetworkPolicyRule:
    return NetworkPolicyRule(peers, ports)


def test_without_policies_everything_is_allowed_by_default() -> None:
    verdict = ask("a/one", "b/two")
    assert (verdict.action, verdict.egress.stage, verdict.ingress.stage) == ("allow", "default", "default")


def block(cidr: str, *excepts: str) -> NetworkPolicyPeer:
    return NetworkPolicyPeer(ip_block=IPBlock(cidr, excepts))


@pytest.mark.parametrize(("policies", "source", "destination", "port", "protocol", "action"), [
    pytest.param(ingress(), "b/one", "a/two", 80, "TCP", "drop", id="a selected pod is isolated"),
    pytest.param(ingress(), "a/two", "b/one", 80, "TCP", "allow", id="and only in the direction that the policy is for"),
    pytest.param(ingress(), "a/one", "b/one", 80, "TCP", "allow", id="and only in the policy's namespace"),
    pytest.param(ingress(selector=labels(app="one")), "b/one", "a/two", 80, "TCP", "allow", id="a pod that is not selected is not isolated"),
    pytest.param(ingress(rule(), policy_types=("Egress",)), "b/one", "a/two", 80, "TCP", "allow", id="rules of a direction without type: no isolation"),
    pytest.param(ingress(rule(), policy_types=("Egress",)), "a/two", "b/one", 80, "TCP", "drop", id="a type without rules: isolation"),
    pytest.param(ingress(rule()), "b/one", "a/two", None, "ICMP", "allow", id="an empty rule allows every protocol"),
    pytest.param(ingress(rule(ports=(NetworkPolicyPort("TCP"),))), "b/one", "a/two", 9, "TCP", "allow", id="a protocol without port: all its ports"),
    pytest.param(ingress(rule(ports=(NetworkPolicyPort("TCP"),))), "b/one", "a/two", None, "ICMP", "drop", id="ports leave out other protocols"),
    pytest.param(ingress(rule(ports=(NetworkPolicyPort("TCP", 79, 81),))), "b/one", "a/two", 81, "TCP", "allow", id="endPort is in the range"),
    pytest.param(ingress(rule(ports=(NetworkPolicyPort("TCP", 79, 81),))), "b/one", "a/two", 82, "TCP", "drop", id="what is after endPort is not"),
    pytest.param(ingress(rule(ports=(NetworkPolicyPort("TCP", "web"),))), "b/one", "a/two", 80, "TCP", "allow", id="a port's name"),
    pytest.param(ingress(rule(ports=(NetworkPolicyPort("UDP", "web"),))), "b/one", "a/two", 80, "UDP", "drop", id="a port's name with another protocol"),
    pytest.param(egress(rule(ports=(NetworkPolicyPort("UDP", "dns"),))), "a/one", "b/two", 53, "UDP", "allow", id="egress: the destination's port name"),
    pytest.param(egress(rule(ports=(NetworkPolicyPort("TCP", "web"),))), "a/one", OUTSIDE, 80, "TCP", "drop", id="what is no pod has no port names"),
    pytest.param(ingress(rule(NetworkPolicyPeer(pod_selector=labels(app="one")))), "a/one", "a/two", 80, "TCP", "allow", id="pods of the own namespace"),
    pytest.param(ingress(rule(NetworkPolicyPeer(pod_selector=labels(app="one")))), "b/one", "a/two", 80, "TCP", "drop", id="not those of others"),
    pytest.param(ingress(rule(NetworkPolicyPeer(namespace_selector=labels(team="b")))), "b/one", "a/two", 80, "TCP", "allow", id="all of a namespace"),
    pytest.param(ingress(rule(NetworkPolicyPeer(labels(app="two"), labels(team="b")))), "b/one", "a/two", 80, "TCP", "drop", id="both selectors: and"),
    pytest.param(ingress(rule(NetworkPolicyPeer(namespace_selector=EVERYTHING))), OUTSIDE, "a/two", 80, "TCP", "drop", id="all namespaces is not outside"),
    pytest.param(ingress(rule(NetworkPolicyPeer(labels(app="host")))), "a/host", "a/one", 80, "TCP", "drop", id="host-network pods are nodes, not pods"),
    pytest.param(ingress(rule(block("203.0.113.0/24"))), OUTSIDE, "a/two", 80, "TCP", "allow", id="a block"),
    pytest.param(ingress(rule(block("203.0.113.0/24", "203.0.113.7/32"))), OUTSIDE, "a/two", 80, "TCP", "drop", id="without its exceptions"),
    pytest.param(ingress(rule(block("0.0.0.0/0"))), "b/one", "a/two", 80, "TCP", "allow", id="a pod's address is in a block, too"),
    pytest.param(ingress(rule(block("::/0"))), "b/one", "a/two", 80, "TCP", "drop", id="an IPv6 block has no IPv4 address"),
    pytest.param([*ingress(), NetworkPolicy("a", "more", ingress=(rule(),))], "b/one", "a/two", 80, "TCP", "allow", id="policies add up"),
    pytest.param(ingress(), "node:node2", "a/two", 80, "TCP", "allow", id="a node reaches its own pods"),
    pytest.param(ingress(), "a/host", "a/two", 80, "TCP", "allow", id="and so do pods on its network"),
    pytest.param(ingress(), "node:node1", "a/two", 80, "TCP", "drop", id="another node is judged"),
    pytest.param(ingress(rule(block("10.0.0.1/32"))), "node:node1", "a/two", 80, "TCP", "allow", id="by its gateway address"),
    pytest.param([*ingress(), *[NetworkPolicy("a", "out", policy_types=("Egress",))]], "a/one", "a/one", 80, "TCP", "allow", id="a pod reaches itself"),
    pytest.param(egress(rule(block("172.16.0.2/32"))), "a/one", "a/host", 80, "TCP", "allow", id="a host-network pod is at its node's address"),
    pytest.param(ingress(), "b/one", "a/host", 80, "TCP", "allow", id="and no policy applies to it"),
])
def test_network_policy(policies: list[NetworkPolicy], source: str, destination: str, port: Optional[int], protocol: str, action: str) -> None:
    assert ask(source, destination, port, protocol, network_policies=policies).action == action


def test_decisions_name_the_rule() -> None:
    verdict = ask("b/one", "a/two", network_policies=[*egress(), *ingress(rule(ports=(NetworkPolicyPort("TCP", 81),)), rule())])
    assert (verdict.ingress.stage, verdict.ingress.rule) == ("policy", "NetworkPolicy a/np ingress[1]")
    verdict = ask("b/one", "a/two", network_policies=ingress())
    assert (verdict.ingress.stage, verdict.ingress.rule) == ("policy", "NetworkPolicy isolation ingress a/two")


def test_ipv6_is_judged_by_ipv6_addresses() -> None:
    policies = ingress(rule(block("fd10::/32")))
    assert ask("b/one", "a/two", network_policies=policies, how={"version": 6}).action == "allow"
    assert ask("b/one", "a/two", network_policies=policies).action == "drop"


def acnp(*rules: AntreaRule, tier: str = "application", priority: float = 5, name: str = "acnp", applied_to: Any = EVERYONE, **more: Any) -> AntreaPolicy:
    return AntreaPolicy("", name, tier=tier, priority=priority, applied_to=applied_to, ingress=rules, **more)


def anp(action: str, tier: str = ADMIN, priority: int = 10, kind: str = "AdminNetworkPolicy", name: str = "anp", **more: Any) -> AdminPolicy:
    return AdminPolicy("", name, kind=kind, tier=tier, priority=priority, ingress=(AdminRule(action, peers=(ALL_PODS,)),), **more)


ALLOW, DROP, REJECT, PASS = (AntreaRule(action) for action in ("Allow", "Drop", "Reject", "Pass"))


@pytest.mark.parametrize(("objects", "action", "deciding"), [
    pytest.param({"antrea_policies": [acnp(DROP, ALLOW)]}, "drop", "AntreaClusterNetworkPolicy acnp ingress[0]", id="the first rule decides"),
    pytest.param({"antrea_policies": [acnp(REJECT)]}, "reject", "AntreaClusterNetworkPolicy acnp ingress[0]", id="Reject is told from Drop"),
    pytest.param({"antrea_policies": [acnp(DROP, name="x"), acnp(ALLOW, name="y", priority=4.5)]}, "allow", "AntreaClusterNetworkPolicy y ingress[0]",
                 id="the lower priority number goes first"),
    pytest.param({"antrea_policies": [acnp(DROP, name="x", tier="platform"), acnp(ALLOW, name="y", priority=1)]}, "drop",
                 "AntreaClusterNetworkPolicy x ingress[0]", id="the tier before the priority"),
    pytest.param({"antrea_policies": [acnp(DROP, name="x", tier="own"), acnp(ALLOW, name="y", tier="emergency")], "tiers": [Tier("", "own", priority=49)]},
                 "drop", "AntreaClusterNetworkPolicy x ingress[0]", id="a tier of the inventory"),
    pytest.param({"antrea_policies": [acnp(DROP)], "admin_policies": [anp("Allow")]}, "allow", "AdminNetworkPolicy anp ingress[0]", id="220 before 250"),
    pytest.param({"antrea_policies": [acnp(DROP, tier="platform")], "admin_policies": [anp("Allow")]}, "drop",
                 "AntreaClusterNetworkPolicy acnp ingress[0]", id="200 before 220"),
    pytest.param({"admin_policies": [anp("Deny", name="x"), anp("Allow", priority=9, kind="ClusterNetworkPolicy", name="y")]}, "allow",
                 "ClusterNetworkPolicy y ingress[0]", id="both admin kinds in one order"),
    pytest.param({"antrea_policies": [acnp(ALLOW)], "network_policies": ingress()}, "allow", "AntreaClusterNetworkPolicy acnp ingress[0]",
                 id="admin stage before NetworkPolicies"),
    pytest.param({"antrea_policies": [acnp(PASS, DROP)], "network_policies": ingress()}, "drop", "NetworkPolicy isolation ingress a/two",
                 id="Pass goes on with NetworkPolicies"),
    pytest.param({"antrea_policies": [acnp(PASS, DROP)]}, "allow", "", id="Pass skips what else the admin stage has"),
    pytest.param({"antrea_policies": [acnp(PASS, tier="emergency", name="x")], "admin_policies": [anp("Deny")]}, "allow", "",
                 id="of the other admin kinds, too"),
    pytest.param({"antrea_policies": [acnp(PASS, name="x"), acnp(DROP, tier="baseline")]}, "drop", "AntreaClusterNetworkPolicy acnp ingress[0]",
                 id="but not the baseline"),
    pytest.param({"antrea_policies": [acnp(DROP, tier="baseline")], "network_policies": ingress(rule())}, "allow", "NetworkPolicy a/np ingress[0]",
                 id="the baseline is not for those who are isolated"),
    pytest.param({"antrea_policies": [acnp(DROP, tier="baseline")], "admin_policies": [anp("Allow", BASELINE, kind="BaselineAdminNetworkPolicy")]}, "drop",
                 "AntreaClusterNetworkPolicy acnp ingress[0]", id="253 before 254"),
    pytest.param({"admin_policies": [anp("Deny", BASELINE, kind="BaselineAdminNetworkPolicy")]}, "drop",
                 "BaselineAdminNetworkPolicy anp ingress[0]", id="the baseline of administrators"),
])
def test_order_of_evaluation(objects: Any, action: str, deciding: str) -> None:
    verdict = ask("b/one", "a/two", **objects)
    assert (verdict.action, verdict.ingress.rule) == (action, deciding)


def test_a_pass_is_reported() -> None:
    verdict = ask("b/one", "a/two", antrea_policies=[acnp(PASS)], network_policies=ingress())
    assert verdict.ingress.passed == ("AntreaClusterNetworkPolicy acnp ingress[0]",)


GROUPS = [
    AntreaGroup("", "ones", pod_selector=labels(app="one")),
    AntreaGroup("", "world", ip_blocks=(IPBlock("203.0.113.0/24"),)),
    AntreaGroup("", "nodes", node_selector=labels(name="node1")),
    AntreaGroup("", "nested", child_groups=("missing", "world", "ones")),
    AntreaGroup("a", "ones", pod_selector=labels(app="one")),
]


@pytest.mark.parametrize(("peer", "matching", "others"), [
    pytest.param(AntreaPeer(pod_selector=labels(app="one")), ["a/one", "b/one"], [OUTSIDE, "b/two"], id="no namespaceSelector: all namespaces"),
    pytest.param(AntreaPeer(labels(app="one"), labels(team="b")), ["b/one"], ["a/one", "b/two"], id="both selectors"),
    pytest.param(AntreaPeer(namespaces_self=True), ["a/one"], ["b/one"], id="Self"),
    pytest.param(AntreaPeer(labels(app="two"), namespaces_self=True), [], ["a/one"], id="Self and pods"),
    pytest.param(AntreaPeer(namespaces_same_labels=("team",)), ["a/one"], ["b/one"], id="sameLabels"),
    pytest.param(AntreaPeer(namespaces_same_labels=("team", "none")), [], ["a/one", "b/one"], id="sameLabels without the label: nobody"),
    pytest.param(AntreaPeer(service_account="b/default"), ["b/one", "b/two"], ["a/one"], id="a service account"),
    pytest.param(AntreaPeer(node_selector=labels(name="node1")), ["node:node1", "ip:172.16.0.1"], ["a/one", OUTSIDE], id="nodes: all their addresses"),
    pytest.param(AntreaPeer(ip_block=IPBlock("203.0.113.0/24")), [OUTSIDE], ["a/one"], id="a block"),
    pytest.param(AntreaPeer(group="ones"), ["a/one", "b/one"], ["b/two"], id="a ClusterGroup"),
    pytest.param(AntreaPeer(group="a/ones"), ["a/one"], ["b/one"], id="a Group has pods of its own namespace"),
    pytest.param(AntreaPeer(group="nodes"), ["node:node1"], ["a/one"], id="a group of nodes"),
    pytest.param(AntreaPeer(group="nested"), [OUTSIDE, "b/one"], ["b/two"], id="child groups"),
    pytest.param(AntreaPeer(group="missing"), [], ["a/one", OUTSIDE], id="a group that is not there"),
])
def test_antrea_peers(peer: AntreaPeer, matching: list[str], others: list[str]) -> None:
    policies = [acnp(AntreaRule("Drop", peers=(peer,)))]
    found = [source for source in [*matching, *others] if ask(source, "a/two", antrea_policies=policies, groups=GROUPS).action == "drop"]
    assert found == matching


def test_an_antrea_network_policy_stays_in_its_namespace() -> None:
    everyone = (AntreaAppliedTo(pod_selector=EVERYTHING),)
    policies = [AntreaPolicy("a", "annp", applied_to=everyone, ingress=(AntreaRule("Drop", peers=(AntreaPeer(pod_selector=EVERYTHING),)),))]
    assert [ask(source, destination, antrea_policies=policies).action for source, destination in (("a/one", "a/two"), ("b/one", "a/two"), ("a/one", "b/two"))] \
        == ["drop", "allow", "allow"]


def test_applied_to_of_each_rule() -> None:
    policies = [acnp(AntreaRule("Drop", applied_to=(IN_A,)), AntreaRule("Reject", applied_to=(AntreaAppliedTo(group="ones"),)), applied_to=())]
    assert [ask("b/two", destination, antrea_policies=policies, groups=GROUPS).action for destination in ("a/one", "b/one")] == ["drop", "reject"]


@pytest.mark.parametrize(("clauses", "probe", "how", "matches"), [
    pytest.param({"ports": (AntreaPort("TCP", 80),)}, (80, "TCP"), {}, True, id="a port"),
    pytest.param({"ports": (AntreaPort("TCP", 80),)}, (None, "ICMP"), {}, False, id="ports leave out ICMP"),
    pytest.param({"ports": (AntreaPort("TCP", "web", None, 1000, 2000),)}, (80, "TCP"), {"source_port": 2000}, True, id="source ports"),
    pytest.param({"ports": (AntreaPort("TCP", 80, None, 1000, 2000),)}, (80, "TCP"), {"source_port": 2001}, False, id="another source port"),
    pytest.param({"ports": (AntreaPort("TCP", None, None, 32768, 60999),)}, (80, "TCP"), {}, True, id="an ephemeral port by default"),
    pytest.param({"icmp": (AntreaICMP(8),)}, (None, "ICMP"), {}, True, id="an echo request by default"),
    pytest.param({"icmp": (AntreaICMP(8),)}, (None, "ICMP"), {"icmp_type": 13}, False, id="another type"),
    pytest.param({"icmp": (AntreaICMP(3, 1),)}, (None, "ICMP"), {"icmp_type": 3, "icmp_code": 2}, False, id="another code"),
    pytest.param({"icmp": (AntreaICMP(128),)}, (None, "ICMP"), {"version": 6}, True, id="ICMPv6 by its own numbers"),
    pytest.param({"icmp": (AntreaICMP(),)}, (80, "TCP"), {}, False, id="ICMP leaves out TCP"),
    pytest.param({"icmp": (AntreaICMP(),), "ports": (AntreaPort("TCP", 80),)}, (80, "TCP"), {}, True, id="either of both"),
])
def test_antrea_ports_and_protocols(clauses: Any, probe: Any, how: Any, matches: bool) -> None:
    assert (ask("b/one", "a/two", *probe, how=how, antrea_policies=[acnp(AntreaRule("Drop", **clauses))]).action == "drop") == matches


@pytest.mark.parametrize(("peer", "matching", "others"), [
    pytest.param(AdminPeer(pods=AdminSubject(labels(team="b"), labels(app="two"))), ["b/two"], ["b/one", "a/two"], id="pods of namespaces"),
    pytest.param(AdminPeer(nodes=labels(name="node2")), ["a/host", "ip:10.0.1.1"], ["a/two", OUTSIDE], id="nodes and what is on their network"),
    pytest.param(AdminPeer(networks=("203.0.113.0/24", "10.0.1.0/24")), [OUTSIDE, "a/two"], ["b/one"], id="networks have pods' addresses, too"),
])
def test_admin_peers(peer: AdminPeer, matching: list[str], others: list[str]) -> None:
    policy = AdminPolicy("", "anp", subject=AdminSubject(labels(team="a"), labels(app="one")), egress=(AdminRule("Deny", peers=(peer,)),))
    assert [to for to in [*matching, *others] if ask("a/one", to, admin_policies=[policy]).action == "drop"] == matching
    assert all(ask("b/two", to, admin_policies=[policy]).action == "allow" for to in matching)


@pytest.mark.parametrize(("port", "matching"), [
    (AdminPort("TCP", 80), [(80, "TCP")]), (AdminPort("TCP", 80, 90), [(80, "TCP"), (81, "TCP")]), (AdminPort("UDP"), [(53, "UDP"), (80, "UDP")]),
    (AdminPort("", "dns"), [(53, "UDP")]), (AdminPort("TCP", "dns"), []),
])
def test_admin_ports(port: AdminPort, matching: list[Any]) -> None:
    policy = AdminPolicy("", "anp", egress=(AdminRule("Deny", peers=(ALL_PODS,), ports=(port,)),))
    probes: list[Any] = [(80, "TCP"), (81, "TCP"), (53, "UDP"), (80, "UDP"), (None, "ICMP")]
    assert [probe for probe in probes if ask("a/one", "b/two", *probe, admin_policies=[policy]).action == "drop"] == matching


@pytest.mark.parametrize(("arguments", "words"), [
    (("a/none", "a/one", 80, "TCP"), "no pod a/none"), (("a/one", "svc:a/none", 80, "TCP"), "no Service a/none"),
    (("ip:here", "a/one", 80, "TCP"), "no IP address"), (("node:node9", "a/one", 80, "TCP"), "no node node9"),
    (("a/one", "a/two", None, "TCP"), "needs a port"), (("a/one", "a/two", 80, "tcp"), "no protocol"),
])
def test_questions_without_an_answer(arguments: Any, words: str) -> None:
    with pytest.raises(SluiceError, match=words):
        ask(*arguments)
