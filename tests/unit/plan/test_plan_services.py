# SPDX-License-Identifier: Apache-2.0
"""Which addresses and ports Services get, and which Services cannot be."""
from __future__ import annotations

from typing import Any

import pytest
from plan_inventories import intent, service

from sluice.errors import InputError
from sluice.intent.state import ClusterState
from sluice.plan.allocations_file import Allocations, ServiceAllocation, parse, render
from sluice.plan.planner import plan

DUAL = ("10.96.0.0/16", "fd10:96::/112")
NODES: dict[str, dict[str, str]] = {"node1": {}, "node2": {}}
NOTHING = Allocations()
TCP_AND_UDP = [{"name": "dns-tcp", "port": 53}, {"name": "dns", "port": 53, "protocol": "UDP"}]


def planned(*services: dict[str, Any], before: Allocations = NOTHING, cidrs: tuple[str, ...] = DUAL, **more: Any) -> tuple[ClusterState, Allocations]:
    state, after, _warnings = plan(intent(NODES, [], services=services, service_cidrs=cidrs, **more), before)
    return state, after


def refusal(*services: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(InputError) as refused:
        planned(*services, **more)
    return [f"{problem.object}: {problem.path}: {problem.message}" for problem in refused.value.problems]


def warnings(*services: dict[str, Any], **more: Any) -> tuple[str, ...]:
    return plan(intent(NODES, [], services=services, service_cidrs=DUAL, **more), NOTHING)[2]


def node_ports(state: ClusterState, name: str) -> list[int]:
    return [port.node_port for port in state.services[f"default/{name}"].ports]


@pytest.mark.parametrize(
    ("spec", "cidrs", "ips"),
    [
        ({}, DUAL, ("10.96.0.1",)),
        ({}, DUAL[::-1], ("fd10:96::1",)),
        ({}, DUAL[1:], ("fd10:96::1",)),
        ({"ipFamilies": ["IPv6"]}, DUAL, ("fd10:96::1",)),
        ({"ipFamilies": ["IPv6", "IPv4"]}, DUAL, ("fd10:96::1", "10.96.0.1")),
        ({"ipFamilyPolicy": "SingleStack"}, DUAL, ("10.96.0.1",)),
        ({"ipFamilyPolicy": "PreferDualStack"}, DUAL, ("10.96.0.1", "fd10:96::1")),
        ({"ipFamilyPolicy": "PreferDualStack"}, DUAL[:1], ("10.96.0.1",)),
        ({"ipFamilyPolicy": "RequireDualStack"}, DUAL[::-1], ("fd10:96::1", "10.96.0.1")),
        ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}, DUAL, ("fd10:96::1", "10.96.0.1")),
        ({"clusterIP": "10.96.0.9"}, DUAL, ("10.96.0.9",)),
        ({"clusterIP": "fd10:96::9"}, DUAL, ("fd10:96::9",)),
        ({"clusterIP": "fd10:96::9", "ipFamilyPolicy": "PreferDualStack"}, DUAL, ("fd10:96::9", "10.96.0.1")),
        ({"clusterIPs": ["10.96.0.9", "fd10:96::9"]}, DUAL, ("10.96.0.9", "fd10:96::9")),
        ({"clusterIP": "10.96.0.9", "ipFamilies": ["IPv4", "IPv6"]}, DUAL, ("10.96.0.9", "fd10:96::1")),
        ({"clusterIP": "None"}, DUAL, ()),
        ({"type": "ExternalName", "externalName": "example.org"}, (), ()),
    ],
)
def test_families(spec: dict[str, Any], cidrs: tuple[str, ...], ips: tuple[str, ...]) -> None:
    state, after = planned(service("web", **spec), cidrs=cidrs)
    assert state.services["default/web"].cluster_ips == ips
    stated = {spec.get("clusterIP"), *spec.get("clusterIPs", ())}
    given = tuple(ip for ip in ips if ip not in stated)
    assert after.services == ({"default/web": ServiceAllocation(given)} if given else {})


@pytest.mark.parametrize(
    ("spec", "cidrs", "problem"),
    [
        ({}, (), ": sluice_service_cidrs: has no network for the addresses of Service default/web"),
        ({"ipFamilies": ["IPv6"]}, DUAL[:1], "spec.ipFamilies: needs an IPv6 address, but sluice_service_cidrs has only 10.96.0.0/16"),
        ({"ipFamilyPolicy": "RequireDualStack"}, DUAL[1:], "spec.ipFamilyPolicy: needs an IPv4 address, but sluice_service_cidrs has only fd10:96::/112"),
        ({"clusterIP": "10.97.0.1"}, DUAL, "spec.clusterIP: 10.97.0.1 is no address for Services"),
        ({"clusterIP": "10.96.0.0"}, DUAL, "spec.clusterIP: 10.96.0.0 is no address for Services"),
        ({"clusterIP": "10.96.255.255"}, DUAL, "spec.clusterIP: 10.96.255.255 is no address for Services"),
        ({"clusterIP": "fd10:96::"}, DUAL, "spec.clusterIP: fd10:96:: is no address for Services"),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 8080}]}, DUAL, "spec.ports[0].nodePort: is 8080"),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 32768}]}, DUAL, "spec.ports[0].nodePort: is 32768"),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 80}, DUAL, "spec.healthCheckNodePort: is 80"),
    ],
)
def test_what_a_service_cannot_have(spec: dict[str, Any], cidrs: tuple[str, ...], problem: str) -> None:
    (found,) = refusal(service("web", **spec), cidrs=cidrs)
    assert found.endswith(problem)


def test_one_problem_says_that_all_services_lack_a_network() -> None:
    (found,) = refusal(*[service(f"web{number}") for number in range(5)], cidrs=())
    assert found == ": sluice_service_cidrs: has no network for the addresses of 5 Services (default/web0 among them)"


def test_the_lowest_free_addresses_are_given_in_order_of_name() -> None:
    state, _ = planned(service("c"), service("a"), service("b", clusterIP="10.96.0.2"))
    assert {key: one.cluster_ips for key, one in state.services.items()} == {
        "default/a": ("10.96.0.1",), "default/b": ("10.96.0.2",), "default/c": ("10.96.0.3",)
    }


def test_a_range_that_is_full_is_a_problem_and_its_last_address_is_given() -> None:
    names = [f"web{number}" for number in range(7)]
    state, _ = planned(*map(service, names[:6]), cidrs=("10.96.0.0/29",))
    assert state.services["default/web5"].cluster_ips == ("10.96.0.6",)
    state, _ = planned(*map(service, names), cidrs=("fd10:96::/125",))
    assert state.services["default/web6"].cluster_ips == ("fd10:96::7",)
    (found,) = refusal(*map(service, names), cidrs=("10.96.0.0/29",))
    assert found == ": sluice_service_cidrs: 10.96.0.0/29 has no free address for Service default/web6"


def test_what_a_service_leaves_behind_is_given_to_the_next() -> None:
    _, before = planned(service("a"), service("b"), service("c"))
    state, after = planned(service("a"), service("c"), service("d"), before=before)
    assert state.services["default/d"].cluster_ips == ("10.96.0.2",)
    assert set(after.services) == {"default/a", "default/c", "default/d"}


def test_the_default_family_of_new_services_is_not_that_of_old_ones() -> None:
    _, before = planned(service("a"))
    state, _ = planned(service("a"), service("b"), before=before, cidrs=DUAL[::-1])
    assert state.services["default/a"].cluster_ips == ("10.96.0.1",)
    assert state.services["default/b"].cluster_ips == ("fd10:96::1",)
    state, _ = planned(service("a", ipFamilyPolicy="PreferDualStack"), before=before, cidrs=DUAL[::-1])
    assert state.services["default/a"].cluster_ips == ("10.96.0.1", "fd10:96::1")


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        ({"type": "ClusterIP"}, [0, 0]),
        ({"type": "ClusterIP", "externalIPs": ["192.0.2.1"]}, [0, 0]),
        ({"type": "NodePort"}, [30000, 30000]),
        ({"type": "LoadBalancer"}, [30000, 30000]),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}, [0, 0]),
        ({"type": "NodePort", "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}, [30000, 30001]),
        ({"type": "NodePort", "ports": [{"name": "a", "port": 80, "nodePort": 30000}, {"name": "b", "port": 81}]}, [30000, 30001]),
        ({"type": "NodePort", "ports": [TCP_AND_UDP[0], {**TCP_AND_UDP[1], "nodePort": 30053}]}, [30053, 30053]),
        ({"type": "NodePort", "ports": [{**TCP_AND_UDP[0], "nodePort": 30001}, {**TCP_AND_UDP[1], "nodePort": 30053}]}, [30001, 30053]),
        (
            {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{**TCP_AND_UDP[0], "nodePort": 30001}, TCP_AND_UDP[1]]},
            [30001, 0],
        ),
    ],
)
def test_node_ports(spec: dict[str, Any], ports: list[int]) -> None:
    state, after = planned(service("dns", **{"ports": TCP_AND_UDP, **spec}))
    assert node_ports(state, "dns") == ports
    stated = [port.get("nodePort") for port in spec.get("ports", TCP_AND_UDP)]
    given = after.services["default/dns"].node_ports
    assert sorted(given.values()) == [port for port, own in zip(ports, stated) if port and not own]


def test_ports_for_health_checks_are_node_ports_too() -> None:
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    state, after = planned(service("a", **local), service("b", **local, healthCheckNodePort=30000), service("c", type="LoadBalancer"))
    assert node_ports(state, "a") + node_ports(state, "b") + node_ports(state, "c") == [30001, 30003, 30004]
    assert [one.health_check_node_port for one in state.services.values()] == [30002, 30000, 0]
    assert after.services["default/a"] == ServiceAllocation(("10.96.0.1",), {"TCP/80": 30001}, 30002)
    assert after.services["default/b"] == ServiceAllocation(("10.96.0.2",), {"TCP/80": 30003})


def test_a_port_that_is_renamed_or_gets_company_keeps_its_node_port() -> None:
    _, before = planned(service("a", type="NodePort"))
    state, _ = planned(service("a", [{"name": "metrics", "port": 9}, {"name": "http", "port": 80}], type="NodePort"), before=before)
    assert node_ports(state, "a") == [30001, 30000]


def test_a_service_that_becomes_internal_gives_its_node_port_back() -> None:
    _, before = planned(service("a", type="NodePort"), service("b", type="NodePort"))
    state, after = planned(service("a"), service("b", type="NodePort"), service("c", type="NodePort"), before=before)
    assert (node_ports(state, "a"), node_ports(state, "b"), node_ports(state, "c")) == ([0], [30001], [30000])
    assert after.services["default/a"] == ServiceAllocation(("10.96.0.1",))


def test_what_is_written_in_a_service_goes_before_what_is_free_and_behind_what_was_given() -> None:
    state, before = planned(service("z", type="NodePort", clusterIP="10.96.0.1", ports=[{"port": 80, "nodePort": 30000}]), service("a", type="NodePort"))
    assert state.services["default/a"].cluster_ips == ("10.96.0.2",)
    assert node_ports(state, "a") == [30001]
    late = service("late", type="NodePort", clusterIP="10.96.0.2", ports=[{"port": 80, "nodePort": 30001}])
    assert refusal(service("a", type="NodePort"), late, before=before) == [
        "Service default/late: spec.clusterIP: 10.96.0.2 is taken by Service default/a",
        "Service default/late: spec.ports[0].nodePort: TCP 30001 is taken by Service default/a",
    ]


def test_what_was_given_may_be_written_down() -> None:
    _, before = planned(service("a", type="NodePort"), service("b"))
    state, after = planned(service("a", [{"port": 80, "nodePort": 30000}], type="NodePort", clusterIP="10.96.0.1"), service("b"), before=before)
    assert state.services["default/a"].cluster_ips == ("10.96.0.1",)
    assert set(after.services) == {"default/b"}


def test_two_services_may_have_one_node_port_in_two_protocols() -> None:
    tcp = service("tcp", [{"port": 53, "nodePort": 30053}], type="NodePort")
    udp = service("udp", [{"port": 53, "nodePort": 30053, "protocol": "UDP"}], type="NodePort")
    state, _ = planned(tcp, udp)
    assert node_ports(state, "tcp") == node_ports(state, "udp") == [30053]
    (found,) = refusal(tcp, service("other", [{"port": 80, "nodePort": 30053}], type="NodePort"))
    assert found == "Service default/tcp: spec.ports[0].nodePort: TCP 30053 is taken by Service default/other"


def test_node_ports_run_out() -> None:
    ports = [{"name": f"p{number}", "port": number} for number in range(1, 1385)]
    one, two = service("one", ports, type="NodePort"), service("two", ports, type="NodePort")
    state, _ = planned(one, two)
    assert max(node_ports(state, "two")) == 32767
    (found,) = refusal(one, two, service("z", type="NodePort"))
    assert found == ": : no node port from 30000 to 32767 is free for Service default/z"


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        ({"externalIPs": ["192.0.2.1"]}, {"externalIPs": ["192.0.2.2", "192.0.2.1"]}, "spec.externalIPs[1]: 192.0.2.1"),
        ({"externalIPs": ["2001:db8::1"]}, {"externalIPs": ["2001:DB8:0::1"]}, "spec.externalIPs[0]: 2001:db8::1"),
        ({"externalIPs": ["192.0.2.1"]}, {"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1"}, "spec.loadBalancerIP: 192.0.2.1"),
        ({"clusterIP": "10.96.0.9"}, {"externalIPs": ["10.96.0.9"]}, "spec.externalIPs[0]: 10.96.0.9"),
    ],
)
def test_two_services_cannot_share_an_external_address_and_port(first: dict[str, Any], second: dict[str, Any], path: str) -> None:
    (found,) = refusal(service("a", **first), service("b", **second))
    assert found == f"Service default/b: {path} with TCP 80 is taken by Service default/a"
    planned(service("a", **first), service("b", 81, **second))
    planned(service("a", **first), service("b", [{"port": 80, "protocol": "UDP"}], **second))


def test_the_address_of_a_load_balancer_may_be_said_twice_by_one_service() -> None:
    spec = service("a", type="LoadBalancer", loadBalancerIP="192.0.2.1", externalIPs=["192.0.2.1"])
    state, _ = planned({**spec, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
    assert state.services["default/a"].load_balancer_ingress == ("192.0.2.1",)


def test_sctp_is_refused_where_it_cannot_be_translated() -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81, "protocol": "SCTP"}]
    state, _ = planned(service("web", ports))
    assert [port.port for port in state.services["default/web"].ports] == [80, 81]
    (found,) = refusal(service("web", ports), datapath="netdev")
    assert found == (
        "Service default/web: spec.ports[1]: SCTP 81 cannot be translated by the datapath netdev of host node1 and 1 more, "
        "whose conntrack does not know SCTP"
    )
    state, _ = planned(service("web", ports), datapath="netdev", unsupported="warn")
    assert [port.port for port in state.services["default/web"].ports] == [80]
    (warning,) = warnings(service("web", ports), datapath="netdev", unsupported="warn")
    assert warning.startswith("Service default/web: SCTP 81 cannot be translated")
    state, _ = planned(service("web", ports, clusterIP="None"), datapath="netdev")
    assert len(state.services["default/web"].ports) == 2, "a headless Service translates nothing"


def test_what_is_without_effect_is_said() -> None:
    (warning,) = warnings(service("web", type="LoadBalancer"))
    assert warning.startswith("Service default/web is a LoadBalancer, but nothing here assigns it an address")
    assert warnings(service("web", type="LoadBalancer", externalIPs=["192.0.2.1"])) == ()
    (warning,) = warnings(service("web", externalIPs=["192.0.2.1", "2001:db8::1"]))
    assert warning == "Service default/web: spec.externalIPs[1] 2001:db8::1 is without effect, because the Service has no cluster IP of that family"


def test_endpoint_slices_that_no_service_uses_are_said() -> None:
    def endpoint_slice(name: str, owner: str, kind: str = "IPv4") -> dict[str, Any]:
        labels = {"kubernetes.io/service-name": owner}
        return {"kind": "EndpointSlice", "metadata": {"name": name, "labels": labels}, "addressType": kind, "endpoints": [], "ports": []}

    pasted = [endpoint_slice(f"pasted{number}", "selecting") for number in range(7)]
    others = [endpoint_slice("good", "listing"), endpoint_slice("named", "listing", "FQDN"), endpoint_slice("stray", "gone")]
    assert warnings(service("selecting", selector={"app": "web"}), service("listing"), *pasted, *others) == (
        "EndpointSlices are ignored, because their Services have selectors, which find the endpoints: "
        "default/pasted0, default/pasted1, default/pasted2, default/pasted3, default/pasted4 and 2 more",
        "EndpointSlices are ignored, because there is no Service with the name in their label kubernetes.io/service-name: default/stray",
        "EndpointSlices are ignored, because connections cannot be sent to endpoints that have DNS names instead of addresses: default/named",
    )


FILE = """\
cluster: test
pod_cidrs: ["10.10.0.0/16"]
node_prefix_lengths: [24]
nodes: {}
pods: {}
services:
  default/a: {"ips": ["10.96.0.1", "fd10:96::1"], "node_ports": {"TCP/53": 30000, "UDP/53": 30000}, "health_check_node_port": 30001}
  default/b: {"ips": ["10.96.0.2"]}
"""


def read(text: str) -> Allocations:
    problems: list[Any] = []
    allocations = parse(text, "allocations.yml", problems)
    assert not problems
    return allocations


def test_the_file_says_what_was_given() -> None:
    allocations = read(FILE)
    assert allocations.services["default/a"] == ServiceAllocation(("10.96.0.1", "fd10:96::1"), {"TCP/53": 30000, "UDP/53": 30000}, 30001)
    assert render(allocations).endswith(FILE)
    assert read(FILE.replace("services:\n", "services:  # edited\n")) == allocations, "by YAML's parser"


def test_a_file_from_before_there_were_services_is_good() -> None:
    old = FILE.partition("services:")[0]
    assert read(old).services == {}
    state, after = planned(service("a"), before=read(old))
    assert state.services["default/a"].cluster_ips == ("10.96.0.1",)
    assert read(render(after)) == after


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"ips": ["10.97.0.1"]}', "services.default/z.ips: 10.97.0.1 is no address for Services"),
        ('{"ips": ["10.96.0.0"]}', "services.default/z.ips: 10.96.0.0 is no address for Services"),
        ('{"ips": ["10.96.0.2"]}', "services.default/z: the address 10.96.0.2 is that of services.default/b too"),
        ('{"node_ports": {"TCP/80": 30000}}', "services.default/z: the node port TCP 30000 is that of services.default/a too"),
        ('{"node_ports": {"TCP/80": 30001}}', "services.default/z: the node port TCP 30001 is that of services.default/a too"),
        ('{"health_check_node_port": 30000}', "services.default/z: the node port TCP 30000 is that of services.default/a too"),
        ('{"node_ports": {"TCP/1": 30007, "TCP/2": 30007}}', "services.default/z: the node port TCP 30007 is that of services.default/z too"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(line: str, problem: str) -> None:
    (found,) = refusal(service("a"), before=read(f"{FILE}  default/z: {line}\n"))
    assert found == f": {problem}"


def test_one_number_may_be_two_services_in_two_protocols() -> None:
    planned(service("a"), before=read(f'{FILE}  default/z: {{"node_ports": {{"SCTP/80": 30000}}}}\n'))
