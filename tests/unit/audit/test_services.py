# SPDX-License-Identifier: Apache-2.0
"""Which endpoints a connection to a Service may come to, and that policies judge what it then is."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import pytest
from small_cluster import EVERYTHING, OUTSIDE, labels, small_cluster

from sluice.audit.reachability import Reachability
from sluice.audit.verdict import Verdict
from sluice.errors import SluiceError
from sluice.intent.kinds import ContainerPort, EndpointSlice, IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, Service, ServicePort
from sluice.intent.kinds.antrea import AntreaAppliedTo, AntreaPolicy, AntreaRule
from sluice.intent.kinds.endpoint_slice import SERVICE_LABEL, Endpoint, EndpointPort

CLUSTER_IP, BALANCER, EXTERNAL = "10.96.0.9", "198.51.100.9", "198.51.100.10"
EVERY_POD = (AntreaAppliedTo(namespace_selector=EVERYTHING),)
LOCAL: dict[str, Any] = {"internal_traffic_policy": "Local", "external_traffic_policy": "Local"}


HTTP = ServicePort(8080, "TCP", "http", 80, 30080)


def service(port: ServicePort = HTTP, **fields: Any) -> Service:
    """A Service of the type LoadBalancer, whose endpoints are a/one and a/two if nothing else is said."""
    plain: dict[str, Any] = {"type": "LoadBalancer", "cluster_ips": (CLUSTER_IP, "fd96::9"), "ports": (port,), "external_ips": (EXTERNAL,),
                             "load_balancer_ingress": (BALANCER,), "selector": ()}
    return Service("a", "web", **{**plain, **fields})


def ask(source: str, destination: str = "svc:a/web", port: int = 8080, protocol: str = "TCP", *, of: Optional[Service] = None, pods: Any = None,
        how: Any = None, **objects: Any) -> Verdict:
    """``pods``: fields of pods to change, by key. Without a selector in ``of`` the pods a/one and a/two are labelled to be found."""
    state = small_cluster(services=[of or service()], **objects)
    changed = {key: replace(pod, **(pods or {}).get(key, {})) for key, pod in state.pods.items()}
    if not (of or service()).selector and "endpoint_slices" not in objects:
        selected = replace(of or service(), selector=(("web", "yes"),))
        changed = {key: replace(pod, labels={**pod.labels, "web": "yes"}) if key in ("a/one", "a/two") else pod for key, pod in changed.items()}
        state = replace(state, services={"a/web": selected})
    return Reachability(replace(state, pods=changed)).verdict(source, destination, port, protocol, **(how or {}))


def endpoints(verdict: Verdict) -> list[str]:
    return [one.endpoint for one in verdict.endpoints]


@pytest.mark.parametrize("destination", ["svc:a/web", "nodeport:a/web", f"ip:{CLUSTER_IP}", f"ip:{BALANCER}", f"ip:{EXTERNAL}"])
def test_every_address_of_a_service_leads_to_its_endpoints(destination: str) -> None:
    verdict = ask("b/one", destination)
    assert (verdict.action, endpoints(verdict)) == ("allow", ["a/one", "a/two"])
    assert {(one.address, one.port) for one in verdict.endpoints} == {("10.0.0.2", 80), ("10.0.1.2", 80)}


def test_a_node_port_is_at_the_transport_address_of_every_node() -> None:
    for address in ("172.16.0.1", "172.16.0.2"):
        assert endpoints(ask("b/one", f"ip:{address}", 30080)) == ["a/one", "a/two"]
    assert endpoints(ask("b/one", "ip:10.0.1.1", 30080)) == [], "a gateway"


def test_ipv6_has_its_own_endpoints() -> None:
    verdict = ask("b/one", how={"version": 6})
    assert [one.address for one in verdict.endpoints] == ["fd10::2", "fd10:0:0:1::2"]


@pytest.mark.parametrize(("fields", "source", "how", "destination", "expected"), [
    pytest.param(LOCAL, "b/one", {}, "svc:a/web", ["a/one"], id="internal Local: the client's node"),
    pytest.param(LOCAL, "node:node2", {}, "svc:a/web", ["a/two"], id="internal Local from a node"),
    pytest.param(LOCAL, "b/one", {}, f"ip:{BALANCER}", ["a/one", "a/two"], id="external Local is not for clients inside"),
    pytest.param(LOCAL, "b/one", {}, "nodeport:a/web", ["a/one", "a/two"], id="nor is it at a NodePort"),
    pytest.param(LOCAL, OUTSIDE, {"node": "node2"}, f"ip:{BALANCER}", ["a/two"], id="external Local: the node where it comes in"),
    pytest.param(LOCAL, OUTSIDE, {"node": "node2"}, "nodeport:a/web", ["a/two"], id="external Local at a NodePort"),
    pytest.param({}, OUTSIDE, {"node": "node2"}, f"ip:{EXTERNAL}", ["a/one", "a/two"], id="external Cluster: all"),
    pytest.param({"traffic_distribution": "PreferClose"}, "b/two", {}, "svc:a/web", ["a/two"], id="the client's zone"),
    pytest.param({"traffic_distribution": "PreferSameNode"}, "b/one", {}, "svc:a/web", ["a/one"], id="the client's node"),
])
def test_choice_of_endpoints(fields: Any, source: str, how: Any, destination: str, expected: list[str]) -> None:
    assert endpoints(ask(source, destination, of=service(**fields), how=how)) == expected


@pytest.mark.parametrize(("pods", "fields", "expected"), [
    pytest.param({"a/one": {"ready": False}}, {}, ["a/two"], id="only those that are ready"),
    pytest.param({"a/one": {"ready": False}}, {"publish_not_ready_addresses": True}, ["a/one", "a/two"], id="publishNotReadyAddresses"),
    pytest.param({"a/one": {"terminating": True}}, {}, ["a/two"], id="not those that terminate"),
    pytest.param({"a/one": {"terminating": True}, "a/two": {"ready": False}}, {}, ["a/one"], id="but if no other serves"),
    pytest.param({"a/two": {"terminating": True}}, {"internal_traffic_policy": "Local"}, ["a/one"], id="by node with Local"),
    pytest.param({"a/one": {"terminating": True}}, {"internal_traffic_policy": "Local"}, ["a/one"], id="of which the only one terminates"),
    pytest.param({"a/one": {"terminating": True, "ready": False}, "a/two": {"ready": False}}, {}, [], id="none"),
])
def test_readiness(pods: Any, fields: Any, expected: list[str]) -> None:
    assert endpoints(ask("b/one", pods=pods, of=service(**fields))) == expected


NOBODY = {"a/one": {"ready": False}, "a/two": {"ready": False}}


@pytest.mark.parametrize(("question", "action"), [
    pytest.param({"source": "b/one", "pods": NOBODY}, "reject", id="no endpoints: refused"),
    pytest.param({"source": OUTSIDE, "destination": f"ip:{BALANCER}", "pods": NOBODY}, "reject", id="also from outside"),
    pytest.param({"source": "b/one", "of": service(**LOCAL), "pods": {"a/one": {"ready": False}}}, "drop",
                 id="internal Local without one on the node: dropped"),
    pytest.param({"source": OUTSIDE, "destination": f"ip:{EXTERNAL}", "of": service(**LOCAL), "how": {"node": "node1"}, "pods": {"a/one": {"ready": False}}},
                 "drop", id="external Local without one on the node: dropped"),
    pytest.param({"source": OUTSIDE, "destination": f"ip:{BALANCER}", "of": service(**LOCAL), "pods": {"a/one": {"ready": False}}}, "allow",
                 id="a load balancer finds the node"),
    pytest.param({"source": OUTSIDE, "destination": f"ip:{BALANCER}", "of": service(load_balancer_source_ranges=("203.0.113.0/24",))}, "allow",
                 id="in the ranges"),
    pytest.param({"source": OUTSIDE, "destination": f"ip:{BALANCER}", "of": service(load_balancer_source_ranges=("192.0.2.0/24",))}, "drop", id="not in them"),
    pytest.param({"source": OUTSIDE, "destination": "nodeport:a/web", "of": service(load_balancer_source_ranges=("192.0.2.0/24",))}, "allow",
                 id="they are for the load balancer's addresses"),
    pytest.param({"source": "b/one", "of": replace(service(), labels={"service.kubernetes.io/service-proxy-name": "other"})}, "reject", id="for another proxy"),
    pytest.param({"source": "b/one", "port": 81}, "reject", id="a port that it does not have"),
    pytest.param({"source": "b/one", "destination": f"ip:{BALANCER}", "port": 81}, "drop", id="nor have its addresses outside of the cluster"),
    pytest.param({"source": "b/one", "destination": "ip:10.96.7.7"}, "reject", id="an address that no Service has"),
])
def test_what_comes_to_no_endpoint(question: Any, action: str) -> None:
    assert ask(**question).action == action


def test_named_target_ports_are_looked_up_on_each_pod() -> None:
    pods = {"a/two": {"ports": (ContainerPort(8000, "TCP", "web"),)}}
    verdict = ask("b/one", of=service(ServicePort(8080, "TCP", "http", "web")), pods=pods)
    assert [one.port for one in verdict.endpoints] == [80, 8000]
    assert ask("b/one", of=service(ServicePort(8080, "TCP", "http", "dns"))).action == "reject"


def test_host_network_endpoints_are_at_their_nodes_address() -> None:
    verdict = ask("b/one", of=service(selector=(("app", "host"),)))
    assert [(one.endpoint, one.address) for one in verdict.endpoints] == [("172.16.0.2", "172.16.0.2")]


def test_endpoint_slices() -> None:
    one = EndpointSlice("a", "web-1", {SERVICE_LABEL: "web"}, endpoints=(
        Endpoint(("10.0.1.3",), node_name="node2"), Endpoint(("203.0.113.80",)), Endpoint(("10.0.0.3",), ready=False, serving=False)),
        ports=(EndpointPort(81, "TCP", "http"), EndpointPort(82, "TCP", "other")))
    foreign = EndpointSlice("b", "web-1", {SERVICE_LABEL: "web"}, endpoints=(Endpoint(("10.0.0.2",)),), ports=one.ports)
    verdict = ask("b/one", endpoint_slices=[one, foreign])
    assert [(found.endpoint, found.port) for found in verdict.endpoints] == [("b/two", 81), ("203.0.113.80", 81)]


def test_policies_judge_the_endpoint_and_may_differ() -> None:
    closed = NetworkPolicy("a", "closed", pod_selector=labels(app="two"))
    verdict = ask("b/one", network_policies=[closed])
    assert verdict.action == "mixed"
    assert [(one.endpoint, one.action) for one in verdict.endpoints] == [("a/one", "allow"), ("a/two", "drop")]
    assert verdict.ingress.rule == "NetworkPolicy isolation ingress a/two"


def test_a_client_outside_is_itself_on_its_node_and_the_node_on_others() -> None:
    from_node, from_client = (NetworkPolicyRule((NetworkPolicyPeer(ip_block=IPBlock(cidr)),)) for cidr in ("10.0.0.1/32", "203.0.113.7/32"))
    for allowed, expected in ((from_client, ["allow", "drop"]), (from_node, ["drop", "allow"])):
        verdict = ask(OUTSIDE, "nodeport:a/web", how={"node": "node1"}, network_policies=[NetworkPolicy("a", "np", ingress=(allowed,))])
        assert [one.action for one in verdict.endpoints] == expected


TO_WEB = AntreaPolicy("", "acnp", applied_to=EVERY_POD, egress=(AntreaRule("Drop", to_services=("a/web",)),))


def test_to_services_is_about_the_service_that_was_used() -> None:
    assert ask("b/one", antrea_policies=[TO_WEB]).action == "drop"
    assert ask("b/one", "nodeport:a/web", antrea_policies=[TO_WEB]).action == "drop"
    assert ask("b/one", "a/one", 80, antrea_policies=[TO_WEB]).action == "allow"


def test_a_pod_reaches_itself_through_its_service_but_not_one_that_it_is_forbidden() -> None:
    closed = [NetworkPolicy("a", "closed", policy_types=("Ingress", "Egress"))]
    found = {one.endpoint: one.action for one in ask("a/one", network_policies=closed).endpoints}
    assert found == {"a/one": "allow", "a/two": "drop"}
    assert ask("a/one", antrea_policies=[TO_WEB]).action == "drop"


def test_one_ready_pod_is_enough_where_several_have_one_address() -> None:
    on_host = {"host_network": True, "ips": (), "node": "node1"}
    verdict = ask("b/one", pods={"a/one": {**on_host, "ready": False}, "a/two": on_host})
    assert [one.address for one in verdict.endpoints] == ["172.16.0.1"]


def test_services_without_what_was_asked_for() -> None:
    with pytest.raises(SluiceError, match="no IPv4 cluster IP"):
        ask("b/one", of=service(cluster_ips=(), headless=True, type="ClusterIP"))
    with pytest.raises(SluiceError, match="no NodePort"):
        ask("b/one", "nodeport:a/web", of=service(ServicePort(8080, "TCP", "http", 80)))
