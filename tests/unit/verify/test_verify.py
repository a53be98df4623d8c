# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import InputError, SluiceError
from sluice.node.probe import NO_SOURCE, NODE, OPEN, REFUSED, TIMED_OUT, TOO_BIG, Answer, Probe
from sluice.verify.checks import ACROSS, FROM_NODE, MTU, SAME_NODE, TO_NODE, TO_OUTSIDE, Check, Options, node_checks
from sluice.verify.fabric import Fabric, read_fabric
from sluice.verify.report import report
from sluice.verify.table import render
from sluice.verify.verdict import Verdict, failures, judge

OUTSIDE = Options(outside=("203.0.113.10", "2001:db8::10"))


def pod(name: str, ips: list[str], *ports: tuple[str, int], host_network: bool = False) -> dict[str, Any]:
    return {"namespace": "shop", "name": name, "ips": ips, "host_network": host_network,
            "ports": [{"protocol": protocol, "port": port, "name": ""} for protocol, port in ports]}


def artifacts(folder: Path, nodes: dict[str, list[dict[str, Any]]]) -> Path:
    for number, (node, pods) in enumerate(nodes.items(), 1):
        (folder / node).mkdir(parents=True)
        (folder / node / "pods.json").write_text(json.dumps({"pods": pods}))
        cni = {"gateways": [f"10.10.{number}.1", f"fd10:{number}::1"], "mtu": 1450}
        (folder / node / "cni.conflist").write_text(json.dumps({"plugins": [cni]}))
    return folder


@pytest.fixture
def fabric(tmp_path: Path) -> Fabric:
    return read_fabric(artifacts(tmp_path, {
        "node1": [pod("web", ["10.10.1.3", "fd10:1::3"]), pod("cart", ["10.10.1.2", "fd10:1::2"], ("TCP", 80), ("UDP", 53), ("SCTP", 9))],
        "node2": [pod("agent", [], ("TCP", 9100), host_network=True), pod("db", ["10.10.2.2", "fd10:2::2"], ("TCP", 5432))]}))


def all_checks(fabric: Fabric, options: Options = OUTSIDE) -> list[Check]:
    return [check for node in fabric.nodes for check in node_checks(fabric, node.name, options)]


def right(check: Check) -> Answer:
    if check.kind == TO_OUTSIDE:
        return Answer(OPEN, f"192.0.2.{check.node[-1]}" if "." in check.probe.address else f"2001:db8:1::{check.node[-1]}")
    seen = f"{check.server} {check.client or '10.10.9.9'}" if check.probe.protocol != "icmp" else ""
    return Answer(check.outcome, seen)


def judged(fabric: Fabric, **wrong: Answer) -> list[Verdict]:
    """All right, but for the probes to a destination named in ``wrong``."""
    checks = all_checks(fabric)
    answers = {(check.node, check.probe): wrong.get(check.probe.destination.rpartition("/")[2], right(check)) for check in checks}
    return judge(checks, answers)


def test_every_pair_is_probed_in_every_family_and_on_every_port(fabric: Fabric) -> None:
    checks = all_checks(fabric)
    probes = {(check.source, check.probe.destination, check.probe.protocol, check.probe.port, ":" in check.probe.address)
              for check in checks if check.kind in (SAME_NODE, ACROSS)}
    ports = {"shop/web": [("icmp", 0), ("tcp", 8080)], "shop/cart": [("icmp", 0), ("tcp", 80), ("udp", 53)],
             "shop/db": [("icmp", 0), ("tcp", 5432)]}
    assert probes == {(source, destination, *port, v6) for source in ports for destination in ports if source != destination
                      for port in ports[destination] for v6 in (False, True)}
    assert len(checks) == len({(check.node, check.probe) for check in checks})


def test_a_pod_on_the_hosts_network_answers_at_its_nodes_address(fabric: Fabric) -> None:
    probes = [check.probe for check in all_checks(fabric) if check.probe.destination == "shop/agent"]
    assert {(probe.address, probe.protocol, probe.port) for probe in probes} == {("10.10.2.1", "tcp", 9100), ("fd10:2::1", "tcp", 9100)}
    assert {probe.source for probe in probes} == {"shop/web", "shop/cart", "shop/db"}


def test_nodes_reach_pods_and_pods_nodes(fabric: Fabric) -> None:
    checks = all_checks(fabric)
    assert {check.probe.source for check in checks if check.kind == FROM_NODE} == {NODE}
    assert {(check.source, check.probe.destination) for check in checks if check.kind == TO_NODE and check.probe.protocol == "icmp"} == {
        (source, node) for source in ("shop/web", "shop/cart", "shop/db") for node in ("node1", "node2")}


def test_the_mtu_is_probed_exactly_between_every_pair_of_nodes(fabric: Fabric) -> None:
    sizes = {(check.source, check.probe.destination, check.probe.size, check.outcome) for check in all_checks(fabric) if check.kind == MTU}
    pairs = [("shop/cart", "shop/web"), ("shop/cart", "shop/db"), ("shop/db", "shop/cart")]
    assert sizes == {(*pair, size, outcome) for pair in pairs for size, outcome in ((1450, OPEN), (1451, TOO_BIG))}


@pytest.mark.parametrize(("ports", "expected"), [("all", {0, 80, 53}), ("first", {0, 80}), ("none", {0})])
def test_ports_can_be_bounded(fabric: Fabric, ports: str, expected: set[int]) -> None:
    checks = all_checks(fabric, Options(ports=ports))
    assert {check.probe.port for check in checks if check.probe.destination == "shop/cart"} == expected


def test_when_all_is_as_expected_there_is_no_failure(fabric: Fabric) -> None:
    verdicts = judged(fabric)
    assert failures(verdicts) == []
    assert report(verdicts)["ok"] and report(verdicts)["probes"] == len(all_checks(fabric))


@pytest.mark.parametrize(("answer", "sentence"), [
    (Answer(TIMED_OUT), "from shop/web (node1) to shop/db:5432/tcp over IPv6: expected open, timed out"),
    (Answer(REFUSED), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected open, refused"),
    (Answer(OPEN, "shop/other 10.10.1.3"), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected an answer from shop/db, "
                                           "got shop/other 10.10.1.3"),
    (Answer(OPEN), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected an answer from shop/db, got none"),
    (Answer(OPEN, "shop/db 192.0.2.1"), "from shop/web (node1) to shop/db:5432/tcp over IPv4: expected to be seen as 10.10.1.3, "
                                        "was seen as 192.0.2.1"),
    (Answer(OPEN, "shop/db 192.0.2.1"), "from shop/cart (node1) to shop/db with a packet of 1451 bytes over IPv4: "
                                        "expected too big to be sent, open"),
    (Answer(TIMED_OUT), "from node1 to shop/db with ICMP over IPv4: expected open, timed out"),
])
def test_a_failure_is_said_in_words(fabric: Fabric, answer: Answer, sentence: str) -> None:
    assert sentence in failures(judged(fabric, db=answer))


def test_outside_pods_have_to_look_like_their_node(fabric: Fabric) -> None:
    checks = [check for check in all_checks(fabric) if check.kind == TO_OUTSIDE]
    answers = {(check.node, check.probe): right(check) for check in checks}
    leaked = next(check for check in checks if check.source == "shop/db" and "." in check.probe.address)
    assert failures(judge(checks, answers)) == []
    assert failures(judge(checks, {**answers, (leaked.node, leaked.probe): Answer(OPEN, "10.10.2.2")})) == [
        "from shop/db (node2) to outside:7777/tcp over IPv4: expected to be seen as 192.0.2.2, was seen as 10.10.2.2"]
    assert failures(judge(checks, {**answers, (leaked.node, leaked.probe): Answer(OPEN, "::ffff:192.0.2.2")})) == []


def test_what_was_not_sent_is_said_once(fabric: Fabric) -> None:
    checks = all_checks(fabric, Options())
    answers = {(check.node, check.probe): Answer(NO_SOURCE) if check.probe.source == "shop/web" else right(check)
               for check in checks if check.node == "node1"}
    count = {source: sum(check.source == source for check in checks) for source in ("shop/web",)}
    lines = failures(judge(checks, answers))
    silent = sum(check.node == "node2" for check in checks)
    assert lines == [f"shop/web does not run on node1, so {count['shop/web']} probes were not sent",
                     f"node2 gave no results, so {silent} probes were not sent"]


def test_the_table(fabric: Fabric) -> None:
    golden = Path(__file__).with_name("table.txt")
    assert render(fabric, judged(fabric, db=Answer(TIMED_OUT)), width=60) == golden.read_text(encoding="utf-8")


def test_no_line_of_the_matrix_is_wider_than_asked_for(fabric: Fabric) -> None:
    matrix = render(fabric, judged(fabric), width=40).split("\nProbes")[0].splitlines()[1:]
    assert max(map(len, matrix)) <= 40


def test_many_pods_are_summed_up_by_node(tmp_path: Path) -> None:
    many = read_fabric(artifacts(tmp_path, {
        "node1": [pod(f"a{number}", [f"10.10.1.{number}"]) for number in range(2, 20)],
        "node2": [pod(f"b{number}", [f"10.10.2.{number}"]) for number in range(2, 20)]}))
    text = render(many, judged(many, b7=Answer(REFUSED)))
    assert "36 pods, summed up by node" in text
    rows = [line.split() for line in text.splitlines() if line.startswith("node")][:2]
    assert rows[0] == ["node1", "✓", "668/668", "✗", "666/704", "✓", "20/20"]
    # By ICMP and TCP, from the 35 other pods and the two nodes.
    assert text.count("  ✗ from") == 2 * (35 + 2)


def test_a_folder_without_artifacts_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="run the site playbook first"):
        read_fabric(tmp_path)


def test_every_damaged_file_is_named(tmp_path: Path) -> None:
    folder = artifacts(tmp_path, {"node1": [], "node2": [], "node3": []})
    (folder / "node1" / "pods.json").write_text("{")
    (folder / "node3" / "cni.conflist").unlink()
    with pytest.raises(InputError) as caught:
        read_fabric(folder)
    assert [Path(problem.file).name for problem in caught.value.problems] == ["node1", "node3"]


def test_a_probe_is_never_judged_by_another_nodes_answer(fabric: Fabric) -> None:
    check = all_checks(fabric)[0]
    assert judge([check], {("node2", check.probe): right(check)})[0].wrong
    assert judge([check], {(check.node, Probe(*check.probe)): right(check)})[0].wrong == ""
