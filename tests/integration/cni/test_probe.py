# SPDX-License-Identifier: Apache-2.0
"""Probes and stand-ins in real network namespaces on a real switch."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cni.cni_node import Node

from sluice.node.probe import Answer, Probe

PROGRAM = """
import json, sys
from sluice.node.probe import parse_probes, run
given = json.load(sys.stdin)
print(json.dumps(run(parse_probes(given["probes"]), given["state"], 2, 1.0)))
"""


def probe(node: Node, *probes: Probe) -> list[Answer]:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{node.ovs.netns}", sys.executable, "-c", PROGRAM], text=True, capture_output=True, check=False,
        env={"PYTHONPATH": str(node.plugin)}, input=json.dumps({"probes": [one._asdict() for one in probes], "state": str(node.state)}))
    assert done.returncode == 0, done.stderr
    return [Answer(*answer) for answer in json.loads(done.stdout)]


def outcomes(answers: list[Answer]) -> list[str]:
    return [answer.outcome for answer in answers]


@pytest.fixture
def pods(node: Node) -> Iterator[Node]:
    """tools/a and tools/b, of which b serves TCP 80 and UDP 53."""
    running = []
    for name in ("a", "b"):
        netns = node.container()
        node.add(f"c-{name}", netns, f"K8S_POD_NAMESPACE=tools;K8S_POD_NAME={name}")
        if name == "b":
            command = ["nsenter", f"--net={netns}", str(node.plugin), "standin", "tools/b", "TCP/80", "UDP/53", "SCTP/9"]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            assert running[0].stdout and "does not serve SCTP/9" in running[0].stdout.readline()
            while not node.run(netns, "ss", "-Hlnt", "sport", "=", "80").stdout.count(":80"):
                pass
    yield node
    for process in running:
        process.terminate()
        assert process.wait(5) == 0


@pytest.mark.parametrize(("client", "server", "gateway"), [
    ("10.10.0.192", "10.10.0.193", "10.10.0.1"), ("fd10:10::c0", "fd10:10::c1", "fd10:10::1")])
def test_what_answers_is_open_and_says_whom_it_saw(pods: Node, client: str, server: str, gateway: str) -> None:
    answers = probe(
        pods, Probe("tools/a", "b", server, "icmp"), Probe("tools/a", "b", server, "tcp", 80), Probe("tools/a", "b", server, "udp", 53),
        Probe("node", "b", server, "tcp", 80), Probe("tools/a", "node", gateway, "icmp"))
    assert outcomes(answers) == ["open"] * 5
    assert [answer.seen for answer in answers] == ["", f"tools/b {client}", f"tools/b {client}", f"tools/b {gateway}", ""]
    assert all(answer.rtt_ms > 0 for answer in answers)


@pytest.mark.parametrize("server", ["10.10.0.193", "fd10:10::c1"])
def test_what_does_not_answer_is_told_apart(pods: Node, server: str) -> None:
    answers = probe(
        pods, Probe("tools/a", "b", server, "tcp", 81), Probe("tools/a", "b", server, "udp", 81),
        Probe("tools/a", "b", server, "icmp", 0, 1400), Probe("tools/a", "b", server, "icmp", 0, 1401),
        Probe("tools/a", "nobody", "10.10.0.77", "icmp"), Probe("tools/gone", "b", server, "icmp"))
    assert outcomes(answers) == ["refused", "refused", "open", "too_big", "timed_out", "no_source"]


@pytest.mark.parametrize("server", ["10.10.0.193", "fd10:10::c1"])
def test_what_is_prohibited_is_told_apart_from_silence(pods: Node, server: str) -> None:
    """As the agent answers for a rule that rejects: TCP with a reset, all else with an ICMP error."""
    refusal = "add table inet t ; add chain inet t in { type filter hook input priority 0; } ; add rule inet t in"
    listening = json.loads((pods.state / "c-b-eth0.json").read_text())["netns"]
    for rule in ("meta l4proto tcp reject with tcp reset", "meta l4proto udp reject with icmpx type admin-prohibited",
                 "icmp type echo-request reject with icmp type admin-prohibited", "icmpv6 type echo-request reject with icmpv6 type admin-prohibited"):
        done = pods.run(listening, "nft", f"{refusal} {rule}")
        assert done.returncode == 0, done.stderr
    answers = probe(pods, Probe("tools/a", "b", server, "tcp", 80), Probe("tools/a", "b", server, "udp", 53), Probe("tools/a", "b", server, "icmp"))
    assert outcomes(answers) == ["refused", "unreachable", "unreachable"]


def test_what_is_unreachable_once_is_tried_again(pods: Node) -> None:
    """As an address is that a slow switch did not resolve in time: the sender's own stack gives up and says so."""
    rule = "add table inet t ; add chain inet t out { type filter hook output priority 0; } ; add rule inet t out udp dport 53"
    sending = json.loads((pods.state / "c-a-eth0.json").read_text())["netns"]
    done = pods.run(sending, "nft", f"{rule} limit rate 1/day burst 1 packets reject with icmpx type host-unreachable")
    assert done.returncode == 0, done.stderr
    assert outcomes(probe(pods, Probe("tools/a", "b", "10.10.0.193", "udp", 53))) == ["open"]


def test_a_dropped_packet_times_out_and_the_others_do_not_wait_for_it(pods: Node) -> None:
    pods.ovs.ofctl("--names", "add-flow", "br-sluice", "table=classify,priority=65000,udp,tp_dst=53,actions=drop")
    answers = probe(pods, *[Probe("tools/a", "b", "10.10.0.193", protocol, port) for protocol, port in (("udp", 53), ("tcp", 80))])
    assert outcomes(answers) == ["timed_out", "open"]
    assert answers[1].rtt_ms < 1000


def test_a_dead_pod_sends_nothing_even_if_its_namespaces_path_lives_on(pods: Node) -> None:
    file = pods.state / "c-a-eth0.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps({**known, "netns": f"/run/netns/{pods.ovs.netns}"}))
    assert outcomes(probe(pods, Probe("tools/a", "b", "10.10.0.193", "icmp"))) == ["no_source"]


def test_many_probes_at_once_are_not_mixed_up(pods: Node) -> None:
    probes = [Probe("tools/a", "b", address, "icmp", 0, size) for size in range(100, 400) for address in ("10.10.0.193", "fd10:10::c1")]
    assert outcomes(probe(pods, *probes)) == ["open"] * 600
