# SPDX-License-Identifier: Apache-2.0
"""Names of ports as numbers: no more parts of a rule than there are different answers, each with a name of its own."""
from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from policy_states import policy_state
from sluice.policy.named_ports import split_by_named_ports
from sluice.policy.rules import EGRESS, INGRESS, Part
from sluice.policy.selection import Selection
from sluice.policy.traffic import ICMP, Ports, Traffic


def pod(name: str, *ports: tuple[int, str, str]) -> dict[str, object]:
    listed = [{"containerPort": number, "name": port, "protocol": protocol} for number, port, protocol in ports]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a"}, "spec": {"nodeName": "n", "containers": [{"ports": listed}]}}


SELECTION = Selection(policy_state([pod("one", (80, "http", "TCP"), (81, "http2", "TCP")), pod("two", (80, "http2", "TCP"), (82, "http", "TCP")),
                                    pod("three")], {"n": {}}))


def split(direction: str, *traffic: Traffic) -> dict[str, tuple[list[str], tuple[Traffic, ...]]]:
    """Of a rule among all pods: names of parts to the destinations and their traffic."""
    everybody = SELECTION.all_pods()
    parts = split_by_named_ports(Part("rule", everybody, everybody, tuple(traffic)), direction, SELECTION)
    assert all(part.peers for part in parts)
    ends = {part.name: part.subjects if direction == INGRESS else part.peers for part in parts}
    found = {part.name: ([one.name for one in ends[part.name].pods], part.traffic or ()) for part in parts}  # type: ignore[union-attr]
    assert len(found) == len(parts)
    return found


def test_numbers_alone_split_nothing() -> None:
    assert split(INGRESS, Ports("TCP", 80), ICMP()) == {"rule": (["one", "three", "two"], (Ports("TCP", 80), ICMP()))}


def test_one_part_for_each_number() -> None:
    for direction in (INGRESS, EGRESS):
        assert split(direction, Ports("TCP", "http"), Ports("TCP", "http"), Ports("UDP", 1)) == {
            "rule": (["one", "three", "two"], (Ports("UDP", 1),)),
            "rule TCP/80": (["one"], (Ports("TCP", 80),)),
            "rule TCP/82": (["two"], (Ports("TCP", 82),))}


def test_two_names_for_one_number_are_told_apart_where_their_source_ports_differ() -> None:
    found = split(INGRESS, Ports("TCP", "http", source_port=1), Ports("TCP", "http2", source_port=2))
    assert found["rule TCP/80/1 TCP/81/2"] == (["one"], (Ports("TCP", 80, None, 1), Ports("TCP", 81, None, 2)))
    assert len(found) == 2


def test_a_name_that_no_pod_has_is_nothing() -> None:
    assert split(INGRESS, Ports("UDP", "http")) == {}


def test_no_protocol_takes_that_of_the_container_port() -> None:
    assert set(split(INGRESS, Ports("", "http2"))) == {"rule TCP/81", "rule TCP/80"}
