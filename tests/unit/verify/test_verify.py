# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.intent.kinds import (
    ContainerPort,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    LabelSelector,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicyRule,
    Service,
    ServicePort,
)
from sluice.intent.kinds.antrea import AntreaAppliedTo, AntreaPeer, AntreaPolicy, AntreaRule
from sluice.intent.state import ClusterState
from sluice.node.probe import NO_SOURCE, NODE, OPEN, REFUSED, TIMED_OUT, TOO_BIG, UNREACHABLE, Answer, Probe
from sluice.verify.checks import (
    ACROSS,
    FROM_NODE,
    MTU,
    NODE_TO_SERVICE,
    SAME_NODE,
    TO_NODE,
    TO_NODE_PORT,
    TO_OUTSIDE,
    TO_SERVICE,
    Check,
    Options,
    node_checks,
)
from sluice.verify.expected import expected
from sluice.verify.fabric import Fabric
from sluice.verify.report import report
from sluice.verify.table import render
from sluice.verify.verdict import Verdict, failures, judge
from states import cluster_state

OUTSIDE = Options(outside=("203.0.113.10", "2001:db8::10"))
PORTS = {"cart": (ContainerPort(80), ContainerPort(53, "UDP"), ContainerPort(9, "SCTP")), "agent": (ContainerPort(9100),),
         "db": (ContainerPort(5432, "TCP", "postgres"), ContainerPort(9187))}
PLACES = {"web": "node1", "cart": "node1", "agent": "node2", "db": "node2"}


def shop(**objects: Any) -> ClusterState:
    """web and cart on node1, db on node2, agent on the network of node2. ``objects``: fields of the state, each a list."""
    base = cluster_state(2, 2, service_cidrs=("10.96.0.0/16", "fd96::/112"))
    pods = {}
    for name, node in PLACES.items():
        place = base.pods[f"default/pod-{node[-1]}-{name in ('web', 'agent'):d}"]
        pod = replace(place, namespace="shop", name=name, ports=PORTS.get(name, ()), labels={"app": name})
        pods[pod.key] = replace(pod, host_network=True, ips=()) if name == "agent" else pod
    fields: dict[str, Any] = {field: {one.key: one for one in some} for field, some in objects.items()}
    return replace(base, pods=dict(sorted(pods.items())), **fields)


@pytest.fixture
def fabric() -> Fabric:
    return Fabric(shop())


def all_checks(fabric: Fabric, options: Options = OUTSIDE) -> list[Check]:
    return [check for node in fabric.nodes for check in node_checks(fabric, node.name, options)]


def right(fabric: Fabric, check: Check) -> Answer:
    """What a network that is as intended answers."""
    if check.kind == TO_OUTSIDE:
        return Answer(OPEN, f"192.0.2.{check.node[-1]}" if "." in check.probe.address else f"2001:db8:1::{check.node[-1]}")
    wanted = expected(fabric, check.node, check.probe)
    answers = wanted.outcomes[0] == OPEN and check.probe.protocol != "icmp"
    return Answer(wanted.outcomes[0], f"{wanted.servers[0]} {check.client or '10.10.9.9'}" if answers else "")


def judged(fabric: Fabric, **wrong: Answer) -> list[Verdict]:
    """All right, but for the probes to a destination named in ``wrong``."""
    checks = all_checks(fabric)
    answers = {(check.node, check.probe): wrong.get(check.probe.destination.rpartition("/")[2], right(fabric, check)) for check in checks}
    return judge(fabric, checks, answers)


def test_every_pair_is_probed_in_every_family_and_on_every_port(fabric: Fabric) -> None:
    checks = all_checks(fabric)
    probes = {(check.source, check.probe.destination, check.probe.protocol, check.probe.port, ":" in check.probe.address)
              for check in checks if check.kind in (SAME_NODE, ACROSS)}
    ports = {"shop/web": [("icmp", 0), ("tcp", 8080)], "shop/cart": [("icmp", 0), ("tcp", 80), ("udp", 53)],
             "shop/db": [("icmp", 0), ("tcp", 5432), ("tcp", 9187)]}
    assert probes == {(source, destination, *port, v6) for source in ports for destination in ports if source != destination
                      for port in ports[destination] for v6 in (False, True)}
    assert len(checks) == len({(check.node, check.probe) for check in checks})


def test_a_pod_on_the_hosts_network_answers_at_its_nodes_address(fabric: Fabric) -> None:
    probes = [check.probe for check in all_checks(fabric) if check.probe.destination == "shop/agent"]
    assert {(probe.address, probe.protocol, probe.port) for probe in probes} == {("10.0.1.1", "tcp", 9100), ("fd10:0:0:1::1", "tcp", 9100)}
    assert {probe.source for probe in probes} == {"shop/web", "shop/cart", "shop/db"}


def test_nodes_reach_pods_and_pods_nodes(fabric: Fabric) -> None:
    checks = all_checks(fabric)
    assert {check.probe.source for check in checks if check.kind == FROM_NODE} == {NODE}
    assert {(check.source, check.probe.destination) for check in checks if check.kind == TO_NODE and check.probe.protocol == "icmp"} == {
        (source, node) for source in ("shop/web", "shop/cart", "shop/db") for node in ("node1", "node2")}


def test_the_mtu_is_probed_exactly_between_every_pair_of_nodes(fabric: Fabric) -> None:
    sizes = {(check.source, check.probe.destination, check.probe.size, *expected(fabric, check.node, check.probe).outcomes)
             for check in all_checks(fabric) if check.kind == MTU}
    pairs = [("shop/cart", "shop/web"), ("shop/cart", "shop/db"), ("shop/db", "shop/cart")]
    assert sizes == {(*pair, size, outcome) for pair in pairs for size, outcome in ((1450, OPEN), (1451, TOO_BIG))}


@pytest.mark.parametrize(("ports", "probed"), [("all", {0, 80, 53}), ("first", {0, 80}), ("none", {0})])
def test_ports_can_be_bounded(fabric: Fabric, ports: str, probed: set[int]) -> None:
    checks = all_checks(fabric, Options(ports=ports))
    assert {check.probe.port for check in checks if check.probe.destination == "shop/cart"} == probed


def test_when_all_is_as_expected_there_is_no_failure(fabric: Fabric) -> None:
    verdicts = judged(fabric)
    assert failures(verdicts) == []
    assert report(verdicts)["ok"] and report(verdicts)["probes"] == len(all_checks(fabric))


@pytest.mark.parametrize(("answer", "sentence"), [
    (Answer(TIMED_OUT), "from shop/web (node1) to shop/db:5432/tcp over IPv6: expected open, timed out"),
    (Answer(REFUSED), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected open, refused"),
    (Answer(OPEN, "shop/other 10.0.0.3"), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected an answer from shop/db, "
                                           "got shop/other 10.0.0.3"),
    (Answer(OPEN), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected an answer from shop/db, got none"),
    (Answer(OPEN, "shop/db 192.0.2.1"), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected to be seen as 10.0.0.3, "
                                        "was seen as 192.0.2.1"),
    (Answer(OPEN, "shop/db 192.0.2.1"), "from shop/cart (node1) to shop/db with a packet of 1451 bytes over IPv4: "
                                        "expected too big to be sent, open"),
    (Answer(TIMED_OUT), "from node1 to shop/db with ICMP over IPv4: expected open, timed out"),
])
def test_a_failure_is_said_in_words(fabric: Fabric, answer: Answer, sentence: str) -> None:
    assert sentence in failures(judged(fabric, db=answer))


def test_outside_pods_have_to_look_like_their_node(fabric: Fabric) -> None:
    checks = [check for check in all_checks(fabric) if check.kind == TO_OUTSIDE]
    answers = {(check.node, check.probe): right(fabric, check) for check in checks}
    leaked = next(check for check in checks if check.source == "shop/db" and "." in check.probe.address)
    assert failures(judge(fabric, checks, answers)) == []
    assert failures(judge(fabric, checks, {**answers, (leaked.node, leaked.probe): Answer(OPEN, "10.0.1.2")})) == [
        "from shop/db (node2) to outside:7777/tcp over IPv4: expected to be seen as 192.0.2.2, was seen as 10.0.1.2"]
    assert failures(judge(fabric, checks, {**answers, (leaked.node, leaked.probe): Answer(OPEN, "::ffff:192.0.2.2")})) == []


def test_what_was_not_sent_is_said_once(fabric: Fabric) -> None:
    checks = all_checks(fabric, Options())
    answers = {(check.node, check.probe): Answer(NO_SOURCE) if check.probe.source == "shop/web" else right(fabric, check)
               for check in checks if check.node == "node1"}
    count = {source: sum(check.source == source for check in checks) for source in ("shop/web",)}
    lines = failures(judge(fabric, checks, answers))
    silent = sum(check.node == "node2" for check in checks)
    assert lines == [f"shop/web does not run on node1, so {count['shop/web']} probes were not sent",
                     f"node2 gave no results, so {silent} probes were not sent"]


def labels(**wanted: str) -> LabelSelector:
    return LabelSelector(tuple(sorted(wanted.items())))


DB_FROM_CART = NetworkPolicy("shop", "db", pod_selector=labels(app="db"), ingress=(
    NetworkPolicyRule(peers=(NetworkPolicyPeer(pod_selector=labels(app="cart")),), ports=(NetworkPolicyPort(port="postgres"),)),))
NO_SIGNALS = AntreaPolicy("", "no-signals", priority=1.0, applied_to=(AntreaAppliedTo(pod_selector=labels(app="web")),),
                          egress=(AntreaRule("Reject", peers=(AntreaPeer(pod_selector=labels(app="cart")),)),))
SERVICES = [
    Service("shop", "db", cluster_ips=("10.96.0.1", "fd96::1"), selector=(("app", "db"),), ports=(ServicePort(5432, target_port="postgres"),)),
    Service("shop", "cart", type="NodePort", cluster_ips=("10.96.0.2",), selector=(("app", "cart"),), ports=(
        ServicePort(80, target_port=80, node_port=30080),)),
    Service("shop", "nobody", cluster_ips=("10.96.0.3",), selector=(("app", "nobody"),), ports=(ServicePort(53, "UDP", target_port=53),)),
    Service("shop", "headless", headless=True, selector=(("app", "db"),), ports=(ServicePort(5432),))]


@pytest.fixture
def guarded() -> Fabric:
    """Only cart reaches db, on its port; web is refused by cart; and Services."""
    return Fabric(shop(network_policies=[DB_FROM_CART], antrea_policies=[NO_SIGNALS], services=SERVICES))


def outcomes(fabric: Fabric, source: str, destination: str, *kinds: str) -> dict[tuple[str, int], tuple[str, ...]]:
    return {(check.probe.protocol, check.probe.port): expected(fabric, check.node, check.probe).outcomes for check in all_checks(fabric)
            if check.source == source and check.probe.destination == destination and check.kind != MTU and (not kinds or check.kind in kinds)}


def test_policies_say_what_is_expected(guarded: Fabric) -> None:
    assert outcomes(guarded, "shop/cart", "shop/db") == {("icmp", 0): (TIMED_OUT,), ("tcp", 5432): (OPEN,), ("tcp", 9187): (TIMED_OUT,)}
    assert outcomes(guarded, "shop/web", "shop/db") == {("icmp", 0): (TIMED_OUT,), ("tcp", 5432): (TIMED_OUT,), ("tcp", 9187): (TIMED_OUT,)}
    assert outcomes(guarded, "shop/web", "shop/cart") == {("icmp", 0): (UNREACHABLE,), ("tcp", 80): (REFUSED,), ("udp", 53): (UNREACHABLE,)}
    assert outcomes(guarded, "node1", "shop/db") == {("icmp", 0): (TIMED_OUT,), ("tcp", 5432): (TIMED_OUT,), ("tcp", 9187): (TIMED_OUT,)}
    assert outcomes(guarded, "node2", "shop/db") == {("icmp", 0): (OPEN,), ("tcp", 5432): (OPEN,), ("tcp", 9187): (OPEN,)}


def test_services_are_asked_by_pods_and_nodes(guarded: Fabric) -> None:
    assert outcomes(guarded, "shop/cart", "Service shop/db", TO_SERVICE) == {("tcp", 5432): (OPEN,)}
    assert outcomes(guarded, "shop/web", "Service shop/db", TO_SERVICE) == {("tcp", 5432): (TIMED_OUT,)}
    assert outcomes(guarded, "node2", "Service shop/db", NODE_TO_SERVICE) == {("tcp", 5432): (OPEN,)}
    assert outcomes(guarded, "shop/web", "Service shop/nobody", TO_SERVICE) == {("udp", 53): (REFUSED,)}
    assert not outcomes(guarded, "shop/web", "Service shop/headless")


def test_node_ports_are_asked_by_one_pod_of_each_node_in_the_families_of_the_service(guarded: Fabric) -> None:
    probes = {(check.source, check.probe.destination, check.probe.address, check.probe.port) for check in all_checks(guarded) if check.kind == TO_NODE_PORT}
    assert probes == {(source, f"Service shop/cart at {node}", address, 30080) for source in ("shop/cart", "shop/db")
                      for node, address in (("node1", "172.16.0.1"), ("node2", "172.16.0.2"))}


def test_an_endpoint_on_whose_port_nobody_listens_refuses(guarded: Fabric) -> None:
    wrong = replace(SERVICES[0], ports=(ServicePort(5432, target_port=5433),))
    assert outcomes(Fabric(shop(services=[wrong])), "shop/web", "Service shop/db") == {("tcp", 5432): (REFUSED,)}


def test_a_services_answer_has_to_come_from_an_endpoint_that_may_be_reached(guarded: Fabric) -> None:
    both = Service("shop", "both", cluster_ips=("10.96.0.4",), ports=(ServicePort(80, target_port=5432),), selector=())
    slices = EndpointSlice("shop", "both", {"kubernetes.io/service-name": "both"}, address_type="IPv4", ports=(EndpointPort(port=5432),),
                           endpoints=(Endpoint(("10.0.1.2",)), Endpoint(("10.0.0.2",))))
    fabric = Fabric(shop(network_policies=[DB_FROM_CART], services=[both], endpoint_slices=[slices]))
    check = next(check for check in all_checks(fabric) if check.source == "shop/web" and check.kind == TO_SERVICE)
    assert expected(fabric, "node1", check.probe).outcomes == (REFUSED, TIMED_OUT)
    assert not judge(fabric, [check], {("node1", check.probe): Answer(TIMED_OUT)})[0].wrong
    assert judge(fabric, [check], {("node1", check.probe): Answer(OPEN, "shop/db 10.0.0.3")})[0].wrong == (
        "expected refused or timed out (NetworkPolicy isolation ingress shop/db), open")
    db = next(check for check in all_checks(guarded) if check.source == "shop/cart" and check.probe.destination == "Service shop/db")
    assert judge(guarded, [db], {("node1", db.probe): Answer(OPEN, "shop/web 10.0.0.2")})[0].wrong == (
        "expected an answer from shop/db, got shop/web 10.0.0.2")
    assert "expected to be seen as 10.0.0.2" in judge(guarded, [db], {("node1", db.probe): Answer(OPEN, "shop/db 10.0.0.1")})[0].wrong


def test_a_pod_that_its_service_sends_to_itself_sees_its_node(guarded: Fabric) -> None:
    check = next(check for check in all_checks(guarded) if check.source == "shop/db" and check.probe.destination == "Service shop/db")
    assert not judge(guarded, [check], {("node2", check.probe): Answer(OPEN, "shop/db 10.0.1.1")})[0].wrong


def test_a_failure_names_the_rule_that_decides(guarded: Fabric) -> None:
    lines = failures(judged(guarded, db=Answer(OPEN, "shop/db 10.0.0.3"), cart=Answer(TIMED_OUT)))
    assert "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected timed out (NetworkPolicy isolation ingress shop/db), open" in lines
    assert "from shop/web (node1) to shop/cart:80/tcp over IPv4: expected refused (AntreaClusterNetworkPolicy no-signals egress[0]), timed out" in lines


def test_the_largest_packet_is_sent_between_pods_that_may_ping(guarded: Fabric) -> None:
    pairs = {(check.source, check.probe.destination) for check in all_checks(guarded) if check.kind == MTU}
    assert pairs == {("shop/cart", "shop/web"), ("shop/db", "shop/cart")}


@pytest.mark.parametrize("wrong", [{}, {"db": Answer(TIMED_OUT)}], ids=["as-expected", "wrong"])
def test_the_table(guarded: Fabric, wrong: dict[str, Answer]) -> None:
    golden = Path(__file__).with_name("table-wrong.txt" if wrong else "table.txt")
    assert render(guarded, judged(guarded, **wrong), width=60) == golden.read_text(encoding="utf-8")


def test_no_line_of_the_matrix_is_wider_than_asked_for(fabric: Fabric) -> None:
    matrix = render(fabric, judged(fabric), width=40).split("\nProbes")[0].splitlines()[2:]
    assert max(map(len, matrix)) <= 40


def test_many_pods_are_summed_up_by_node() -> None:
    many = Fabric(cluster_state(2, 18))
    text = render(many, judged(many, **{"pod-2-6": Answer(REFUSED)}))
    assert "36 pods, summed up by node" in text
    rows = [line.split() for line in text.splitlines() if line.startswith("node")][:2]
    assert rows[0] == ["node1", "✓", "1336/1336", "✗", "1332/1408", "✓", "38/38"]
    # By ICMP and TCP, over IPv4 and IPv6, from the 35 other pods and the two nodes.
    assert text.count("  ✗ from") == 2 * 2 * (35 + 2)


def test_a_probe_is_never_judged_by_another_nodes_answer(fabric: Fabric) -> None:
    check = all_checks(fabric)[0]
    assert judge(fabric, [check], {("node2", check.probe): right(fabric, check)})[0].wrong
    assert judge(fabric, [check], {(check.node, Probe(*check.probe)): right(fabric, check)})[0].wrong == ""
