# SPDX-License-Identifier: Apache-2.0
"""Which endpoints Services have, by their selectors and by EndpointSlices, and which of them each node uses."""
from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Sequence

import pytest

from sluice.intent.kinds import EndpointSlice, Service
from sluice.intent.kinds.endpoint_slice import SERVICE_LABEL, EndpointPort
from sluice.intent.kinds.endpoint_slice import Endpoint as Listed
from sluice.intent.kinds.service import ServicePort
from sluice.intent.state import Cluster, ClusterState, ContainerPort, Node, Pod, Transport
from sluice.service.endpoints import PROXY_LABEL, ZONE_LABEL, Endpoint, PortEndpoints, for_node, is_hinted, local, service_endpoints, usable

ZONES = {"node1": "a", "node2": "a", "node3": "b"}
HTTP = ContainerPort(8080, "TCP", "http")


def node(name: str, zone: str = "") -> Node:
    transport = Transport("eth1", (f"192.0.2.{name[-1]}/24", f"2001:db8::{name[-1]}/64"), 1500)
    return Node(name, transport, ("10.10.0.0/24",), labels={ZONE_LABEL: zone} if zone else {})


def pod(number: int, host: str = "node1", ports: Sequence[ContainerPort] = (HTTP,), **fields: Any) -> Pod:
    addresses = () if fields.get("host_network") else (f"10.10.0.{number}", f"fd10::{number}")
    made = Pod("shop", f"web-{number}", host, {"app": "web", "tier": "front"}, tuple(ports), ips=addresses)
    return replace(made, **fields)


def service(*ports: ServicePort, **fields: Any) -> Service:
    made = Service("shop", "web", cluster_ips=("10.96.0.1",), selector=(("app", "web"),), ports=ports or (ServicePort(80, target_port=8080),))
    return replace(made, **fields)


def state(services: Sequence[Service], pods: Sequence[Pod] = (), slices: Sequence[EndpointSlice] = (), zones: bool = True) -> ClusterState:
    nodes = {name: node(name, zone if zones else "") for name, zone in ZONES.items()}
    return ClusterState(
        Cluster("test", ("10.10.0.0/16",)), nodes, {}, {one.key: one for one in pods}, {one.key: one for one in services},
        {one.key: one for one in slices}, {}, {},
    )


def found(owner: Service, *pods: Pod, slices: Sequence[EndpointSlice] = ()) -> list[tuple[Endpoint, ...]]:
    """The endpoints of each port of a Service."""
    return [port.endpoints for port in service_endpoints(state([owner], pods, slices))[owner.key]]


def places(endpoints: Sequence[Endpoint]) -> list[tuple[str, int]]:
    return [(endpoint.ip, endpoint.port) for endpoint in endpoints]


def test_the_pods_that_a_selector_matches_are_its_endpoints() -> None:
    ((endpoint,),) = found(service(), pod(2, "node3"), pod(3, labels={"tier": "front"}), pod(4, namespace="other"))
    assert endpoint == Endpoint("10.10.0.2", 8080, "node3", "shop/web-2", True, True, False, "b", (), ())
    assert found(service(selector=(("app", "web"), ("tier", "back"))), pod(2)) == [()]
    assert found(service(selector=(("app", "nothing"),)), pod(2)) == [()]
    assert found(service(selector=()), pod(2)) == [()]


def test_services_without_addresses_and_those_of_another_proxy_are_not_there() -> None:
    others = [
        replace(service(), name="none", headless=True, cluster_ips=()),
        replace(service(), name="dns", type="ExternalName", cluster_ips=()),
        replace(service(), name="other", labels={PROXY_LABEL: "x"}),
    ]
    assert list(service_endpoints(state([*others, service()], [pod(2)]))) == ["shop/web"]


@pytest.mark.parametrize(
    ("cluster_ips", "versions", "addresses"),
    [
        (("10.96.0.1",), [4], ["10.10.0.2"]),
        (("fd10:96::1",), [6], ["fd10::2"]),
        (("fd10:96::1", "10.96.0.1"), [6, 4], ["fd10::2", "10.10.0.2"]),
    ],
)
def test_each_family_of_the_cluster_ips_has_endpoints_of_its_own(cluster_ips: tuple[str, ...], versions: list[int], addresses: list[str]) -> None:
    ports = service_endpoints(state([service(cluster_ips=cluster_ips)], [pod(2)]))["shop/web"]
    assert [port.version for port in ports] == versions
    assert [port.endpoints[0].ip for port in ports] == addresses


def test_a_pod_without_an_address_of_the_family_is_no_endpoint_in_it() -> None:
    assert found(service(cluster_ips=("10.96.0.1", "fd10:96::1")), pod(2, ips=("10.10.0.2",)))[1] == ()


NAMED = [
    ContainerPort(8080, "TCP", "http"),
    ContainerPort(5353, "UDP", "dns"),
    ContainerPort(5354, "TCP", "dns"),
]


@pytest.mark.parametrize(
    ("port", "number"),
    [
        (ServicePort(80, target_port=8080), 8080),
        (ServicePort(80, target_port=9999), 9999),
        (ServicePort(80, target_port="http"), 8080),
        (ServicePort(53, "UDP", target_port="dns"), 5353),
        (ServicePort(53, "TCP", target_port="dns"), 5354),
        (ServicePort(53, "SCTP", target_port="dns"), None),
        (ServicePort(80, target_port="metrics"), None),
    ],
)
def test_target_ports(port: ServicePort, number: int) -> None:
    (endpoints,) = found(service(port), pod(2, ports=NAMED))
    assert [endpoint.port for endpoint in endpoints] == ([number] if number else [])


def test_a_name_is_another_number_in_each_pod() -> None:
    (endpoints,) = found(service(ServicePort(80, target_port="http")), pod(2), pod(3, ports=[ContainerPort(8081, "TCP", "http")]), pod(4, ports=[]))
    assert places(endpoints) == [("10.10.0.2", 8080), ("10.10.0.3", 8081)]


def test_ports_have_endpoints_of_their_own() -> None:
    one, two = found(service(ServicePort(80, name="a", target_port="http"), ServicePort(81, name="b", target_port=81)), pod(2))
    assert (places(one), places(two)) == ([("10.10.0.2", 8080)], [("10.10.0.2", 81)])


def test_pods_of_the_hosts_network_have_their_nodes_addresses() -> None:
    both = found(service(cluster_ips=("10.96.0.1", "fd10:96::1")), pod(2, "node1", host_network=True), pod(3, "node3", host_network=True))
    assert [places(endpoints) for endpoints in both] == [
        [("192.0.2.1", 8080), ("192.0.2.3", 8080)],
        [("2001:db8::1", 8080), ("2001:db8::3", 8080)],
    ]


def test_two_pods_in_one_place_are_one_endpoint_which_is_ready_if_one_of_them_is() -> None:
    pods = [pod(2, host_network=True, ready=False), pod(3, host_network=True), pod(4, host_network=True, ready=False)]
    ((endpoint,),) = found(service(), *pods)
    assert (endpoint.pod, endpoint.ready) == ("shop/web-3", True)


@pytest.mark.parametrize(
    ("ready", "terminating", "publish", "conditions"),
    [
        (True, False, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (True, True, False, (False, True, True)),
        (False, True, False, (False, False, True)),
        (False, False, True, (True, False, False)),
        (True, True, True, (True, True, True)),
    ],
)
def test_conditions(ready: bool, terminating: bool, publish: bool, conditions: tuple[bool, bool, bool]) -> None:
    ((endpoint,),) = found(service(publish_not_ready_addresses=publish), pod(2, ready=ready, terminating=terminating))
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == conditions


READY = Endpoint("10.10.0.2", 80, "node1")
ENDING = Endpoint("10.10.0.3", 80, "node1", ready=False, terminating=True)
ENDED = Endpoint("10.10.0.4", 80, "node1", ready=False, serving=False, terminating=True)
STARTING = Endpoint("10.10.0.5", 80, "node1", ready=False, serving=False)
FAR = Endpoint("10.10.0.6", 80, "node2")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ([READY, ENDING, ENDED, STARTING], [READY]),
        ([ENDING, ENDED, STARTING], [ENDING]),
        ([ENDED, STARTING], []),
        ([], []),
    ],
)
def test_what_terminates_is_used_only_if_nothing_is_ready(given: list[Endpoint], used: list[Endpoint]) -> None:
    assert usable(given) == tuple(used)
    port = PortEndpoints(service(), service().ports[0], 4, tuple(given))
    assert for_node(port, node("node1", "a")) == tuple(used)


def test_what_terminates_on_the_node_is_used_there_though_others_are_ready_elsewhere() -> None:
    given = [ENDING, FAR]
    assert usable(local(given, "node1")) == (ENDING,)
    assert usable(local(given, "node2")) == (FAR,)
    assert usable(local(given, "node3")) == ()
    assert usable(given) == (FAR,)


@pytest.mark.parametrize(
    ("distribution", "hosts", "used"),
    [
        ("", ["node1", "node2", "node3"], {"node1": "123", "node2": "123", "node3": "123"}),
        ("PreferClose", ["node1", "node2", "node3"], {"node1": "12", "node2": "12", "node3": "3"}),
        ("PreferSameZone", ["node1", "node2", "node3"], {"node1": "12", "node2": "12", "node3": "3"}),
        ("PreferSameZone", ["node1", "node2"], {"node1": "12", "node2": "12", "node3": "12"}),
        ("PreferSameNode", ["node1", "node2", "node3"], {"node1": "1", "node2": "2", "node3": "3"}),
        ("PreferSameNode", ["node1", "node3"], {"node1": "1", "node2": "1", "node3": "3"}),
        ("PreferSameNode", ["node1", "node2"], {"node1": "1", "node2": "2", "node3": "12"}),
    ],
)
def test_traffic_distribution(distribution: str, hosts: list[str], used: dict[str, str]) -> None:
    """``used``: the node numbers of the endpoints that each node uses."""
    made = state([service(traffic_distribution=distribution)], [pod(2 + number, host) for number, host in enumerate(hosts)])
    (port,) = service_endpoints(made)["shop/web"]
    assert {name: "".join(endpoint.node[-1] for endpoint in for_node(port, own)) for name, own in made.nodes.items()} == used
    assert is_hinted(port.endpoints) == bool(distribution)


def test_without_zones_only_the_node_itself_is_near() -> None:
    pods = [pod(2, "node1"), pod(3, "node2")]
    for distribution, used in (("PreferSameZone", {"node1": 2, "node2": 2, "node3": 2}), ("PreferSameNode", {"node1": 1, "node2": 1, "node3": 2})):
        made = state([service(traffic_distribution=distribution)], pods, zones=False)
        (port,) = service_endpoints(made)["shop/web"]
        assert {name: len(for_node(port, own)) for name, own in made.nodes.items()} == used


def test_hints_of_endpoints_that_are_not_ready_do_not_count() -> None:
    made = state([service(traffic_distribution="PreferSameNode")], [pod(2, "node1", ready=False), pod(3, "node2")])
    (port,) = service_endpoints(made)["shop/web"]
    assert places(for_node(port, made.nodes["node1"])) == [("10.10.0.3", 8080)]


@pytest.mark.parametrize(
    ("hints", "used"),
    [
        (["a", "b"], 1),
        (["a", ""], 2),
        (["", ""], 2),
        (["b", "b"], 2),
        (["ab", "a"], 2),
        (["ab", "b"], 1),
    ],
)
def test_hints_count_if_all_ready_endpoints_have_them_and_one_is_for_the_zone(hints: list[str], used: int) -> None:
    endpoints = tuple(Endpoint(f"10.10.0.{number}", 80, hint_zones=tuple(zones)) for number, zones in enumerate(hints))
    port = PortEndpoints(service(), service().ports[0], 4, (*endpoints, ENDING))
    assert len(for_node(port, node("node1", "a"))) == used
    assert len(for_node(port, node("node1"))) == 2, "a node without a zone takes all"
    assert is_hinted(port.endpoints) == all(hints)


def listed(name: str, *endpoints: Listed, ports: Sequence[EndpointPort] = (EndpointPort(9376),), kind: str = "IPv4", owner: str = "web") -> EndpointSlice:
    return EndpointSlice("shop", name, {SERVICE_LABEL: owner}, {}, kind, endpoints, tuple(ports))


def test_a_service_without_selector_has_the_endpoints_of_its_slices() -> None:
    one = Listed(("192.0.2.7", "192.0.2.8"), True, True, False, "", "node2", "b", "shop/web-9", ("a",), ("node3",))
    others = [listed("others", Listed(("192.0.2.9",)), owner="other"), listed("six", Listed(("2001:db8::7",)), kind="IPv6")]
    names = [listed("names", Listed(("example.org",)), kind="FQDN")]
    ((endpoint,),) = found(service(selector=()), pod(2), slices=[listed("x", one), *others, *names])
    assert endpoint == Endpoint("192.0.2.7", 9376, "node2", "shop/web-9", True, True, False, "b", ("a",), ("node3",))
    ((six,),) = found(service(selector=(), cluster_ips=("fd10:96::1",)), slices=others)
    assert places([six]) == [("2001:db8::7", 9376)]


def test_a_selector_goes_before_slices() -> None:
    (endpoints,) = found(service(), pod(2), slices=[listed("x", Listed(("192.0.2.7",)))])
    assert places(endpoints) == [("10.10.0.2", 8080)]


@pytest.mark.parametrize(
    ("own", "number"),
    [
        ((EndpointPort(9376),), None),
        ((EndpointPort(9376, "TCP", "http"),), 9376),
        ((EndpointPort(9376, "UDP", "http"),), None),
        ((EndpointPort(9376, "TCP", "https"), EndpointPort(9377, "TCP", "http")), 9377),
        ((EndpointPort(0, "TCP", "http"),), None),
        ((), None),
    ],
)
def test_ports_of_slices_are_found_by_name_and_protocol(own: tuple[EndpointPort, ...], number: int) -> None:
    (endpoints,) = found(service(ServicePort(80, name="http", target_port=1), selector=()), slices=[listed("x", Listed(("192.0.2.7",)), ports=own)])
    assert [endpoint.port for endpoint in endpoints] == ([number] if number else [])


def test_an_endpoint_in_two_slices_is_there_once_and_in_the_better_condition() -> None:
    slices = [
        listed("a", Listed(("192.0.2.7",), ready=False), Listed(("192.0.2.10",))),
        listed("b", Listed(("192.0.2.7",)), Listed(("192.0.2.9",), ready=False, terminating=True)),
    ]
    (endpoints,) = found(service(selector=()), slices=slices)
    assert [(endpoint.ip, endpoint.ready) for endpoint in endpoints] == [("192.0.2.10", True), ("192.0.2.7", True), ("192.0.2.9", False)]


def test_ten_thousand_pods_and_two_thousand_services_take_less_than_seconds() -> None:
    pods = [
        Pod("shop", f"p{number}", "node1", {"app": f"a{number % 2000}", "all": "yes"}, (HTTP,), ips=(f"10.{number >> 8}.{number & 255}.1",))
        for number in range(10000)
    ]
    services = [replace(service(), name=f"s{number}", selector=(("all", "yes"), ("app", f"a{number}"))) for number in range(2000)]
    wide = replace(service(), name="wide", selector=(("all", "yes"),))
    began = time.process_time()
    result = service_endpoints(state([*services, wide], pods))
    took = time.process_time() - began
    assert len(result["shop/wide"][0].endpoints) == 10000
    assert all(len(result[f"shop/s{number}"][0].endpoints) == 5 for number in range(2000))
    assert took < 3
