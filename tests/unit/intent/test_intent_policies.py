# SPDX-License-Identifier: Apache-2.0
"""What policies, tiers and groups of Antrea and of administrators mean when they are read."""
from __future__ import annotations

import hashlib
from typing import Any

import pytest

from sluice.errors import Problem
from sluice.intent.kinds import IPBlock
from sluice.intent.kinds.admin_policy import AdminPeer, AdminPolicy, AdminPort, AdminRule, AdminSubject
from sluice.intent.kinds.antrea import AntreaAppliedTo, AntreaGroup, AntreaICMP, AntreaPeer, AntreaPolicy, AntreaPort
from sluice.intent.kinds.rule_name import automatic_rule_name
from sluice.intent.kinds.selector import EVERYTHING, LabelSelector
from sluice.intent.manifests import Document
from sluice.intent.objects import Objects, read_objects

WEB = {"matchLabels": {"app": "web"}}
APP_WEB = LabelSelector((("app", "web"),))


def read(*values: dict[str, Any]) -> Objects:
    objects, warnings, problems = read_objects([Document("test", value) for value in values])
    assert not problems, problems
    assert not warnings, warnings
    return objects


def problems_of(value: dict[str, Any]) -> list[Problem]:
    return read_objects([Document("test", value)])[2]


def antrea(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "p"} if kind.startswith("Cluster") else {"name": "p", "namespace": "shop"}
    return {"apiVersion": "crd.antrea.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec}


def cluster_policy(**spec: Any) -> AntreaPolicy:
    return read(antrea("ClusterNetworkPolicy", {"priority": 5, "appliedTo": [{"podSelector": {}}], **spec})).antrea_policies["p"]


def policy(**spec: Any) -> AntreaPolicy:
    return read(antrea("NetworkPolicy", {"priority": 5, "appliedTo": [{"podSelector": {}}], **spec})).antrea_policies["shop/p"]


def admin(kind: str, version: str = "v1alpha1", **spec: Any) -> AdminPolicy:
    name = "default" if kind.startswith("Baseline") else "p"
    value = {"apiVersion": f"policy.networking.k8s.io/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return read(value).admin_policies[f"{kind} {name}"]


def test_a_policy_of_antrea_is_in_the_tier_application() -> None:
    found = policy()
    assert (found.tier, found.priority, found.kind, found.applied_to) == ("application", 5.0, "AntreaNetworkPolicy", (AntreaAppliedTo(EVERYTHING),))
    assert (found.ingress, found.egress) == ((), ())


def test_priorities_may_have_fractions() -> None:
    assert cluster_policy(priority=1.5, tier="baseline").priority == 1.5


def test_peers_of_a_cluster_network_policy() -> None:
    account = {"serviceAccount": {"name": "sa", "namespace": "shop"}}
    block = {"ipBlock": {"cidr": "10.0.0.1/8", "except": ["10.1.0.0/16"]}}
    peers = [{"podSelector": WEB, "namespaceSelector": {}}, {"namespaces": {"match": "Self"}, "podSelector": WEB}, {"group": "g"}, account, block]
    peers += [{"namespaces": {"sameLabels": ["team", "env"]}}, {"nodeSelector": WEB}, {"scope": "Cluster", "namespaceSelector": WEB}]
    (rule,) = cluster_policy(ingress=[{"action": "Drop", "from": peers}]).ingress
    assert rule.peers == (
        AntreaPeer(APP_WEB, EVERYTHING),
        AntreaPeer(APP_WEB, namespaces_self=True),
        AntreaPeer(group="g"),
        AntreaPeer(service_account="shop/sa"),
        AntreaPeer(ip_block=IPBlock("10.0.0.0/8", ("10.1.0.0/16",))),
        AntreaPeer(namespaces_same_labels=("team", "env")),
        AntreaPeer(node_selector=APP_WEB),
        AntreaPeer(namespace_selector=APP_WEB),
    )


def test_a_rule_of_antrea() -> None:
    ports = [{"port": 80}, {"protocol": "UDP"}, {"port": 80, "endPort": 90, "sourcePort": 1000, "sourceEndPort": 1001}, {"port": "http"}]
    protocols = [{"icmp": {}}, {"icmp": {"icmpType": 0, "icmpCode": 0}}, {"icmp": {"icmpType": 8}}]
    logged = {"enableLogging": True, "logLabel": "l"}
    rule = {"action": "Reject", "name": "r", "appliedTo": [{"group": "g"}], "ports": ports, "protocols": protocols, **logged}
    (found,) = policy(appliedTo=None, egress=[rule]).egress
    assert (found.action, found.name, found.enable_logging, found.log_label) == ("Reject", "r", True, "l")
    assert found.applied_to == (AntreaAppliedTo(group="shop/g"),)
    assert found.ports == (
        AntreaPort("TCP", 80),
        AntreaPort("UDP"),
        AntreaPort("TCP", 80, 90, 1000, 1001),
        AntreaPort("TCP", "http"),
    )
    assert found.icmp == (AntreaICMP(), AntreaICMP(0, 0), AntreaICMP(8))


def test_a_rule_to_services() -> None:
    (rule,) = policy(egress=[{"action": "Drop", "toServices": [{"name": "web", "namespace": "shop"}]}]).egress
    assert (rule.to_services, rule.peers) == (("shop/web",), ())


RULES = [
    ("ingress", {"action": "Drop"}, '{"action":"Drop","enableLogging":false}', "ingress-drop-742ade5"),
    ("egress", {"name": "", "action": "Drop", "ports": [], "to": None}, '{"action":"Drop","enableLogging":false}', "egress-drop-742ade5"),
]


@pytest.mark.parametrize(("direction", "rule", "text", "name"), RULES)
def test_a_rule_without_a_name_gets_the_one_that_antrea_gives_it(direction: str, rule: dict[str, Any], text: str, name: str) -> None:
    """The SHA-1 of ``text``, which is what Go makes of the rule."""
    assert hashlib.sha1(text.encode()).hexdigest().startswith(name[-7:])
    assert automatic_rule_name(direction, rule["action"], rule) == name


def test_the_order_in_which_a_rule_is_written_does_not_change_its_name() -> None:
    peers = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"b": "2", "a": "1"}}}]
    one = {"from": peers, "ports": [{"port": 80, "protocol": "TCP"}], "action": "Allow", "enableLogging": False}
    other = {
        "action": "Allow",
        "ports": [{"protocol": "TCP", "port": 80}],
        "from": [{"podSelector": {"matchLabels": {"a": "1", "b": "2"}}, "namespaceSelector": {}}],
    }
    assert automatic_rule_name("ingress", "Allow", one) == automatic_rule_name("ingress", "Allow", other)
    assert automatic_rule_name("ingress", "Allow", {**one, "from": []}) != automatic_rule_name("ingress", "Allow", other)


def test_groups_know_their_namespace() -> None:
    """A Group's children and Services are of its namespace, a ClusterGroup's children are ClusterGroups."""
    assert read(antrea("Group", {"childGroups": ["a"]})).groups["shop/p"] == AntreaGroup("shop", "p", child_groups=("shop/a",))
    assert read(antrea("Group", {"serviceReference": {"name": "web"}})).groups["shop/p"].service == "shop/web"
    assert read(antrea("ClusterGroup", {"childGroups": ["a"]})).groups["p"] == AntreaGroup("", "p", child_groups=("a",))
    blocks = [{"cidr": "10.0.0.0/8"}, {"cidr": "fd00::/8"}]
    assert read(antrea("ClusterGroup", {"ipBlocks": blocks})).groups["p"].ip_blocks == (IPBlock("10.0.0.0/8"), IPBlock("fd00::/8"))


def test_an_admin_network_policy() -> None:
    ports = [{"portNumber": {"protocol": "UDP", "port": 53}}, {"portRange": {"start": 1, "end": 9}}, {"namedPort": "http"}]
    peers = [{"namespaces": {}}, {"pods": {"namespaceSelector": {}, "podSelector": WEB}}, {"nodes": WEB}]
    rules = [{"action": "Pass", "name": "r", "to": peers}, {"action": "Deny", "to": peers[:1], "ports": ports}]
    rules += [{"action": "Allow", "to": [{"networks": ["10.0.0.1/8", "::/0"]}]}]
    found = admin("AdminNetworkPolicy", priority=7, subject={"pods": {"namespaceSelector": {}, "podSelector": WEB}}, egress=rules)
    assert (found.tier, found.priority, found.subject) == ("Admin", 7, AdminSubject(EVERYTHING, APP_WEB))
    everyone = AdminPeer(AdminSubject())
    assert found.egress == (
        AdminRule("Pass", "r", (everyone, AdminPeer(AdminSubject(EVERYTHING, APP_WEB)), AdminPeer(nodes=APP_WEB))),
        AdminRule("Deny", "", (everyone,), (AdminPort("UDP", 53), AdminPort("TCP", 1, 9), AdminPort("", "http"))),
        AdminRule("Allow", "", (AdminPeer(networks=("10.0.0.0/8", "::/0")),)),
    )


def test_a_baseline_admin_network_policy_may_be_written_as_antreas_documentation_does() -> None:
    found = admin(
        "BaselineAdminNetworkPolicy",
        subject={"namespaces": WEB},
        ingress=[{"action": "Deny", "from": [{"namespaces": {"namespaceSelector": WEB}}]}],
    )
    assert (found.tier, found.priority, found.subject) == ("Baseline", 0, AdminSubject(APP_WEB))
    assert found.ingress == (AdminRule("Deny", "", (AdminPeer(AdminSubject(APP_WEB)),)),)


@pytest.mark.parametrize(("tier", "passes_on"), [("Admin", "Pass"), ("Baseline", "Allow")])
def test_a_cluster_network_policy(tier: str, passes_on: str) -> None:
    """In the tier Baseline, Pass is Allow: nothing comes after it."""
    number, ports = {"number": 80}, {"range": {"start": 1, "end": 9}}
    protocols = [{"tcp": {"destinationPort": number}}, {"sctp": {"destinationPort": ports}}, {"destinationNamedPort": "http"}]
    rules = [{"action": "Accept", "from": [{"namespaces": {}}], "protocols": protocols}, {"action": "Pass", "from": [{"namespaces": {}}]}]
    found = admin("ClusterNetworkPolicy", "v1alpha2", tier=tier, priority=3, subject={"namespaces": {}}, ingress=rules)
    everyone = (AdminPeer(AdminSubject()),)
    assert (found.kind, found.tier, found.priority) == ("ClusterNetworkPolicy", tier, 3)
    assert found.ingress == (
        AdminRule("Allow", "", everyone, (AdminPort("TCP", 80), AdminPort("SCTP", 1, 9), AdminPort("", "http"))),
        AdminRule(passes_on, "", everyone),
    )


BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8"}}


@pytest.mark.parametrize(("peers", "refused"), [([BLOCK], True), ([BLOCK, {"podSelector": {}}], False), ([], False)])
def test_a_named_port_needs_a_pod_that_can_have_it(peers: list[Any], refused: bool) -> None:
    rule = {"to": peers, "ports": [{"port": "http"}]}
    kubernetes = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": {"podSelector": {}, "egress": [rule]}}
    of_antrea = antrea("NetworkPolicy", {"priority": 5, "appliedTo": [{"podSelector": {}}], "egress": [{"action": "Drop", **rule}]})
    assert [bool(problems_of(value)) for value in (kubernetes, of_antrea)] == [refused, refused]


@pytest.mark.parametrize("name", ["podSelector", "externalEntitySelector"])
def test_a_rule_that_is_not_finite_is_refused(name: str) -> None:
    """As YAML's aliases can make it."""
    endless: dict[str, Any] = {}
    endless[name] = endless
    rule = {"action": "Drop", "from": [{name: endless}]}
    (problem,) = problems_of(antrea("ClusterNetworkPolicy", {"priority": 5, "appliedTo": [{"podSelector": {}}], "ingress": [rule]}))
    assert problem.path.startswith(f"spec.ingress[0].from[0].{name}")
