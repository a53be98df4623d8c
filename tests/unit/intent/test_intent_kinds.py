# SPDX-License-Identifier: Apache-2.0
"""What the API server fills in, and what selectors mean."""
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import Problem
from sluice.intent.fields import Fields, Source
from sluice.intent.kinds import (
    ContainerPort,
    CronJob,
    Endpoint,
    EndpointPort,
    Ingress,
    IngressBackend,
    IPBlock,
    LabelSelector,
    LabelSelectorRequirement,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicyRule,
    ServicePort,
)
from sluice.intent.kinds.selector import read_selector
from sluice.intent.manifests import Document
from sluice.intent.objects import Objects, read_objects


def read(value: dict[str, Any]) -> Objects:
    objects, warnings, problems = read_objects([Document("test", value)])
    assert not problems, problems
    assert not warnings, warnings
    return objects


def selector(value: dict[str, Any]) -> LabelSelector:
    problems: list[Problem] = []
    found = read_selector(Fields(Source("", "", problems), value))
    assert not problems
    return found


def service(**spec: Any) -> Any:
    return read({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}).services["default/web"]


def policy(**spec: Any) -> NetworkPolicy:
    value = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": spec}
    return read(value).network_policies["default/p"]


def workload(api_version: str, kind: str, **spec: Any) -> Any:
    value = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "w"}, "spec": {"template": {}, **spec}}
    return read(value).workloads[f"{kind} default/w"]


def test_a_namespace_has_its_name_as_a_label() -> None:
    labels = {"team": "a", "kubernetes.io/metadata.name": "other"}
    value = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web", "labels": labels}}
    assert read(value).namespaces["web"].labels == {"team": "a", "kubernetes.io/metadata.name": "web"}


def test_a_pod_has_the_ports_of_all_containers_that_keep_running() -> None:
    spec = {
        "containers": [{"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}],
        "initContainers": [{"restartPolicy": "Always", "ports": [{"containerPort": 15090}]}, {"ports": [{"containerPort": 1}]}],
        "unheardOf": {"field": 1},
    }
    pod = read({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a.b"}, "spec": spec}).pods["default/a.b"]
    assert pod.spec.ports == (ContainerPort(80), ContainerPort(53, "UDP", "dns"), ContainerPort(15090))
    assert (pod.spec.service_account, pod.spec.host_network, pod.spec.node_name) == ("default", False, "")


@pytest.mark.parametrize(
    ("spec", "account"),
    [
        ({"serviceAccount": "old"}, "old"),
        ({"serviceAccount": "old", "serviceAccountName": "new"}, "new"),
        ({"serviceAccountName": None}, "default"),
    ],
)
def test_a_pods_service_account(spec: dict[str, Any], account: str) -> None:
    pod = read({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}).pods["default/a"]
    assert pod.spec.service_account == account


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "replicas"),
    [
        ("apps/v1", "Deployment", {}, 1),
        ("apps/v1", "Deployment", {"replicas": None}, 1),
        ("apps/v1", "ReplicaSet", {"replicas": 0}, 0),
        ("apps/v1", "StatefulSet", {"replicas": 3}, 3),
        ("batch/v1", "Job", {}, 1),
        ("batch/v1", "Job", {"parallelism": 5}, 5),
        ("batch/v1", "Job", {"parallelism": 5, "completions": 2}, 2),
        ("batch/v1", "Job", {"parallelism": 5, "suspend": True}, 0),
    ],
)
def test_how_many_pods_a_workload_makes(api_version: str, kind: str, spec: dict[str, Any], replicas: int) -> None:
    assert workload(api_version, kind, **spec).replicas == replicas


def test_a_cron_job_is_read_through_its_job() -> None:
    template = {"metadata": {"labels": {"app": "x"}}}
    value = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}
    found = read({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "w"}, "spec": value}).workloads["CronJob default/w"]
    assert isinstance(found, CronJob)
    assert found.template.labels == {"app": "x"}


def test_service_defaults() -> None:
    found = service(ports=[{"port": 80}])
    assert found.ports == (ServicePort(80, "TCP", "", 80, 0, ""),)
    assert (found.type, found.session_affinity, found.session_affinity_timeout) == ("ClusterIP", "None", 0)
    assert (found.external_traffic_policy, found.internal_traffic_policy) == ("Cluster", "Cluster")
    assert (found.cluster_ips, found.headless, found.allocate_load_balancer_node_ports) == ((), False, True)


def test_session_affinity_lasts_three_hours_unless_told_otherwise() -> None:
    assert service(ports=[{"port": 80}], sessionAffinity="ClientIP").session_affinity_timeout == 10800
    config = {"clientIP": {"timeoutSeconds": 5}}
    assert service(ports=[{"port": 80}], sessionAffinity="ClientIP", sessionAffinityConfig=config).session_affinity_timeout == 5


def test_a_headless_service_has_no_address_and_needs_no_port() -> None:
    found = service(clusterIP="None")
    assert (found.headless, found.cluster_ips, found.ports) == (True, (), ())
    assert service(clusterIPs=["None"], ports=[{"port": 80}]).headless


def test_cluster_ips_of_both_families() -> None:
    found = service(clusterIP="10.96.0.9", clusterIPs=["10.96.0.9", "FD00::0009"], ipFamilies=["IPv4", "IPv6"], ports=[{"port": 80}])
    assert found.cluster_ips == ("10.96.0.9", "fd00::9")


def test_a_load_balancer_keeps_the_address_in_its_status() -> None:
    value = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80, "nodePort": 30080}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}, {"hostname": "lb.example.org"}]}},
    }
    found = read(value).services["default/web"]
    assert (found.load_balancer_ingress, found.external_traffic_policy, found.ports[0].node_port) == (("198.51.100.7",), "Local", 30080)


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, ("Ingress",)),
        ({"ingress": [{}]}, ("Ingress",)),
        ({"egress": []}, ("Ingress",)),
        ({"egress": [{}]}, ("Ingress", "Egress")),
        ({"policyTypes": ["Egress"]}, ("Egress",)),
        ({"policyTypes": ["Egress", "Ingress"]}, ("Ingress", "Egress")),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, ("Egress",)),
    ],
)
def test_policy_types_default_to_ingress_and_to_egress_where_there_are_rules(spec: dict[str, Any], types: tuple[str, ...]) -> None:
    assert policy(**spec).policy_types == types


def test_a_network_policy_whole() -> None:
    found = policy(
        podSelector={"matchLabels": {"app": "web"}},
        ingress=[
            {
                "from": [
                    {"podSelector": {}},
                    {"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}},
                    {"ipBlock": {"cidr": "10.1.2.3/8", "except": ["10.9.9.9/16"]}},
                ],
                "ports": [{"port": 80}, {"port": "http", "protocol": "UDP"}, {"port": 8000, "endPort": 8000}, {}],
            },
            {},
        ],
    )
    everything = LabelSelector()
    assert found.pod_selector == LabelSelector((("app", "web"),))
    assert found.ingress == (
        NetworkPolicyRule(
            (
                NetworkPolicyPeer(everything),
                NetworkPolicyPeer(LabelSelector((("a", "b"),)), everything),
                NetworkPolicyPeer(ip_block=IPBlock("10.0.0.0/8", ("10.9.0.0/16",))),
            ),
            (NetworkPolicyPort("TCP", 80), NetworkPolicyPort("UDP", "http"), NetworkPolicyPort("TCP", 8000, 8000), NetworkPolicyPort()),
        ),
        NetworkPolicyRule(),
    )


def test_an_endpoint_is_ready_and_serving_unless_it_says_otherwise() -> None:
    value = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-x", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": "a"}, "nodeName": "node1", "zone": "z"},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False, "serving": True, "terminating": True}},
        ],
        "ports": [{"port": 80, "name": "http"}],
    }
    found = read(value).endpoint_slices["default/web-x"]
    assert found.service == "default/web"
    assert found.ports == (EndpointPort(80, "TCP", "http"),)
    assert found.endpoints == (
        Endpoint(("10.0.0.1",), node_name="node1", zone="z", target="default/a"),
        Endpoint(("10.0.0.2",), ready=False, serving=False),
        Endpoint(("10.0.0.3",), ready=False, serving=True, terminating=True),
    )


def test_an_ingress() -> None:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    value = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"rules": [{"host": "*.example.org", "http": {"paths": [path]}}], "defaultBackend": backend},
    }
    found = read(value).ingresses["default/web"]
    assert isinstance(found, Ingress)
    assert found.rules[0].paths[0].backend == IngressBackend("web", 80)
    assert found.default_backend == IngressBackend("web", "http")


REQUIREMENTS = [
    (("a", "In", ("x", "y")), {"a": "x"}, True),
    (("a", "In", ("x", "y")), {"a": "z"}, False),
    (("a", "In", ("x", "y")), {}, False),
    (("a", "NotIn", ("x",)), {"a": "x"}, False),
    (("a", "NotIn", ("x",)), {"a": "z"}, True),
    (("a", "NotIn", ("x",)), {}, True),
    (("a", "Exists", ()), {"a": ""}, True),
    (("a", "Exists", ()), {"b": "x"}, False),
    (("a", "DoesNotExist", ()), {"a": "x"}, False),
    (("a", "DoesNotExist", ()), {}, True),
]


@pytest.mark.parametrize(("requirement", "labels", "matches"), REQUIREMENTS)
def test_requirements(requirement: tuple[str, str, tuple[str, ...]], labels: dict[str, str], matches: bool) -> None:
    assert LabelSelectorRequirement(*requirement).matches(labels) is matches


KEYS = st.sampled_from("abc")
LABELS = st.dictionaries(KEYS, st.sampled_from("xyz"), max_size=3)


@given(LABELS, LABELS)
def test_a_selector_of_labels_matches_just_those_that_have_them_all(wanted: dict[str, str], labels: dict[str, str]) -> None:
    assert selector({"matchLabels": wanted}).matches(labels) is (wanted.items() <= labels.items())


def test_selectors_that_say_the_same_are_equal() -> None:
    one = selector({"matchLabels": {"a": "x", "b": "y"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["2", "1", "1"]}]})
    other = selector({"matchLabels": {"b": "y", "a": "x"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["1", "2"]}]})
    assert one == other
    assert hash(one) == hash(other)
