# SPDX-License-Identifier: Apache-2.0
"""Every address of a Service, from pods, from the node and from outside. Real packets."""
from __future__ import annotations

import socket
import sys
from typing import Iterator

import pytest
from service.service_node import CLIENT, CLUSTER_IPS, ServiceNode, service, site

from sluice.intent.kinds.service import ServicePort

LOAD_BALANCER = ("192.0.2.80", "2001:db8::80")
EXTERNAL = ("198.51.100.7", "2001:db8::7")
NODE = ("172.16.0.1", "fd77:0::1")
GATEWAY = ("10.0.0.1", "fd10::1")
PODS = {"pod-1-0", "pod-1-1", "pod-1-2"}
# Answers when its client has gone, and says what came back.
LATE_SERVER = """
import socket, sys, time
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 8090))
print('ready', flush=True)
s.connect(s.recvfrom(10)[1])
time.sleep(0.5)
s.settimeout(3)
try:
    s.send(b'late')
    s.recv(10)
except OSError as error:
    print(type(error).__name__, flush=True)
"""
HASTY_CLIENT = "import socket, sys; socket.socket(int(sys.argv[3]), socket.SOCK_DGRAM).sendto(b'x', (sys.argv[1], int(sys.argv[2])))"
# Asks from a port of its own, and goes on to do so: a first packet may wait for its neighbour.
FROM_PORT = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', int(sys.argv[3])))
s.connect((sys.argv[1], int(sys.argv[2])))
s.settimeout(0.5)
for attempt in range(6):
    s.send(b'who')
    try:
        print(s.recv(200).decode())
        break
    except TimeoutError:
        pass
"""
PORTS = (ServicePort(80, target_port="http", name="tcp", node_port=30080), ServicePort(80, "UDP", "udp", target_port=8080, node_port=30080))


@pytest.fixture(scope="module")
def node() -> Iterator[ServiceNode]:
    web = service(type="LoadBalancer", ports=PORTS, load_balancer_ingress=LOAD_BALANCER, external_ips=EXTERNAL)
    with ServiceNode(site(web)) as running:
        yield running


both_families = pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
both_protocols = pytest.mark.parametrize("protocol", ["TCP", "UDP"])


@both_families
@both_protocols
@pytest.mark.parametrize("place", [CLIENT, "node"])
def test_cluster_ip(node: ServiceNode, place: str, protocol: str, family: int) -> None:
    assert set(node.reached(place, CLUSTER_IPS[family], 80, protocol, 40)) == PODS


@both_families
@both_protocols
@pytest.mark.parametrize("place", [CLIENT, "node", "outside"])
@pytest.mark.parametrize("addresses", [LOAD_BALANCER, EXTERNAL])
def test_addresses_from_outside(node: ServiceNode, addresses: tuple[str, str], place: str, protocol: str, family: int) -> None:
    assert set(node.reached(place, addresses[family], 80, protocol, 40)) == PODS


@both_families
@both_protocols
@pytest.mark.parametrize("place", [CLIENT, "node", "outside"])
def test_node_port(node: ServiceNode, place: str, protocol: str, family: int) -> None:
    assert set(node.reached(place, NODE[family], 30080, protocol, 40)) == PODS


@both_families
@pytest.mark.parametrize("way", ["through the Service", "directly"])
def test_the_host_and_a_pod_that_is_its_own_endpoint_may_have_one_port(family: int, way: str) -> None:
    """The endpoint sees both as clients with the gateway's address."""
    endpoint, service_address = ("10.0.0.2", "fd10::2")[family], CLUSTER_IPS[family]
    host = (service_address, "80") if way == "through the Service" else (endpoint, "8080")
    with ServiceNode(site(service(ports=PORTS), servers=1)) as running:
        for _time in range(2):
            for place, address, port in (("default/pod-1-0", service_address, "80"), ("node", *host)):
                assert running.run(place, sys.executable, "-c", FROM_PORT, address, port, "40000").stdout.split() == ["pod-1-0", GATEWAY[family]], place


@both_families
@pytest.mark.parametrize("kind", ["cluster IP", "external"])
def test_an_icmp_error_about_an_answer_finds_its_way_to_the_endpoint(family: int, kind: str) -> None:
    """It is addressed to the Service, and quotes the answer as the client got it."""
    address = CLUSTER_IPS[family] if kind == "cluster IP" else EXTERNAL[family]
    port = ServicePort(90, "UDP", "late", target_port=8090)
    with ServiceNode(site(service(ports=(port,), external_ips=EXTERNAL), servers=1)) as running:
        server = running.start("default/pod-1-0", sys.executable, "-c", LATE_SERVER, ("10.0.0.2", "fd10::2")[family])
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        client = (socket.AF_INET, socket.AF_INET6)[family]
        assert running.run(CLIENT, sys.executable, "-c", HASTY_CLIENT, address, "90", str(int(client))).returncode == 0
        assert server.stdout.readline() == "ConnectionRefusedError\n"
        server.wait()


@both_families
def test_the_client_outside_keeps_its_address(node: ServiceNode, family: int) -> None:
    client = ("172.16.9.9", "fd77::9:9")[family]
    for address, port in ((LOAD_BALANCER[family], 80), (NODE[family], 30080)):
        assert {line.split()[1] for line in node.ask("outside", address, port, count=5)} == {client}


@both_families
def test_a_pod_keeps_its_address_and_reaches_itself(node: ServiceNode, family: int) -> None:
    answers = dict(line.split() for line in node.ask("default/pod-1-0", CLUSTER_IPS[family], count=40))
    own = ("10.0.0.2", "fd10::2")[family]
    assert answers == {"pod-1-0": GATEWAY[family], "pod-1-1": own, "pod-1-2": own}


@both_families
def test_a_port_that_no_service_has_leads_nowhere(node: ServiceNode, family: int) -> None:
    for address in (CLUSTER_IPS[family], LOAD_BALANCER[family]):
        assert node.reached(CLIENT, address, 81, wait=0.3) == {"TimeoutError": 1}
