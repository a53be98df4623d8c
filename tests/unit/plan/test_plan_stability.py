# SPDX-License-Identifier: Apache-2.0
"""Whatever is added and removed: what stays does not move, nothing is given out twice, and the file says it all."""
from __future__ import annotations

import ipaddress
from typing import Any, Optional

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_inventories import intent

from sluice.plan.addresses import OFPORT_FIRST_DYNAMIC, OFPORT_FIRST_POD, planned_slots, slot_address
from sluice.plan.allocations_file import Allocations, parse, render
from sluice.plan.planner import plan

NODES = [f"node{number}.example.org" for number in range(1, 6)]
WORKLOADS = st.tuples(
    st.sampled_from(["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"]),
    st.sampled_from(["web", "a-rather-long-name", "x.y"]),
    st.integers(0, 7),
    st.sampled_from([{}, {}, {"disk": "ssd"}]),
    st.booleans(),
)
INVENTORIES = st.tuples(
    st.sets(st.sampled_from(NODES), min_size=1),
    st.dictionaries(st.tuples(st.sampled_from(["default", "shop"]), st.integers(0, 2)), WORKLOADS, max_size=5),
    st.dictionaries(st.sampled_from(["p1", "p2", "p10"]), st.one_of(st.none(), st.sampled_from(NODES)), max_size=3),
)
Inventory = Any


def _intent(inventory: Inventory) -> Any:
    nodes, workloads, pods = inventory
    objects = []
    for (namespace, number), (kind, name, replicas, selector, host_network) in workloads.items():
        template = {"spec": {"nodeSelector": selector, "hostNetwork": host_network}}
        spec: dict[str, Any] = {"template": template}
        spec["parallelism" if kind == "Job" else "replicas"] = replicas
        objects.append({"kind": kind, "metadata": {"name": f"{name}{number}", "namespace": namespace}, "spec": spec})
    for name, node in pods.items():
        objects.append({"metadata": {"name": name}, "spec": {"nodeName": node if node in nodes else None}})
    # At least one node is fit for every workload.
    labels = {name: {"disk": "ssd"} if name in (min(nodes), NODES[2]) else {} for name in nodes}
    return intent(labels, objects, ["10.10.0.0/16", "fd10:10::/48"], (25, 64))


def _check(intent_: Any, allocations: Allocations, state: Any, before: Optional[Allocations]) -> None:
    assert set(allocations.pods) == set(state.pods)
    assert set(allocations.nodes) == set(intent_.nodes)
    for cidrs in zip(*allocations.nodes.values()):
        assert len(set(cidrs)) == len(cidrs)
    connected = {key: pod for key, pod in allocations.pods.items() if not state.pods[key].host_network}
    assert len({pod.ips for pod in connected.values()}) == len(connected)
    assert len({pod.mac for pod in connected.values()}) == len(connected)
    assert len({(pod.node, pod.ofport) for pod in connected.values()}) == len(connected)
    assert len({(pod.node, pod.interface) for pod in connected.values()}) == len(connected)
    for key, pod in connected.items():
        cidrs = allocations.nodes[pod.node]
        slot = pod.ofport - OFPORT_FIRST_POD
        assert pod.ips == tuple(slot_address(cidr, slot) for cidr in cidrs), "by addresses.py, which the CNI plugin uses"
        assert 0 <= slot < min(planned_slots(cidr) for cidr in cidrs)
        assert pod.ofport < OFPORT_FIRST_DYNAMIC
        assert len(pod.interface) <= 15
        assert int(pod.mac[:2], 16) & 3 == 2, "locally administered, unicast"
        assert state.pods[key].ips == pod.ips
    for key, pod in allocations.pods.items():
        if state.pods[key].host_network:
            assert (pod.ips, pod.mac, pod.ofport, pod.interface) == ((), "", 0, "")
    if before is None:
        return
    for name, cidrs in before.nodes.items():
        assert allocations.nodes.get(name, cidrs) == cidrs, f"node {name} moved"
    for key, pod in before.pods.items():
        now = allocations.pods.get(key)
        if now and now.node == pod.node and pod.ips and now.ips:
            assert now == pod, f"{key} moved"
        spec_node = intent_.objects.pods[key].spec.node_name if key in intent_.objects.pods else ""
        if now and pod.node in intent_.nodes and now.owner == pod.owner and not spec_node and now.node != pod.node:
            workload = next(w for w in intent_.objects.workloads.values() if w.owner == now.owner and key.startswith(w.namespace + "/"))
            labels = intent_.nodes[pod.node].labels
            assert any(labels.get(k) != v for k, v in workload.template.spec.node_selector.items()), f"{key} changed its node for nothing"


@settings(max_examples=150, deadline=None)
@given(st.lists(INVENTORIES, min_size=1, max_size=4))
def test_nothing_that_stays_moves(inventories: list[Inventory]) -> None:
    allocations: Optional[Allocations] = None
    for inventory in inventories:
        wanted = _intent(inventory)
        state, after, _warnings = plan(wanted, allocations or Allocations())
        _check(wanted, after, state, allocations)
        text = render(after)
        problems: list[Any] = []
        assert parse(text, "allocations.yml", problems) == after
        assert not problems
        assert plan(wanted, after)[1] == after, "a second run changes nothing"
        assert render(plan(wanted, parse(text, "", problems))[1]) == text
        allocations = after


@settings(max_examples=30, deadline=None)
@given(INVENTORIES, st.randoms())
def test_the_order_of_the_input_does_not_matter(inventory: Inventory, random: Any) -> None:
    nodes, workloads, pods = inventory
    shuffled = [list(part.items()) for part in (workloads, pods)]
    for part in shuffled:
        random.shuffle(part)
    names = list(nodes)
    random.shuffle(names)
    again = (dict.fromkeys(names), dict(shuffled[0]), dict(shuffled[1]))
    assert render(plan(_intent(inventory), Allocations())[1]) == render(plan(_intent(again), Allocations())[1])


@settings(max_examples=30, deadline=None)
@given(INVENTORIES)
def test_the_file_is_yaml_and_means_the_same_to_yamls_parser(inventory: Inventory) -> None:
    after = plan(_intent(inventory), Allocations())[1]
    text = render(after)
    value = yaml.safe_load(text)
    assert {name: tuple(cidrs) for name, cidrs in value["nodes"].items()} == after.nodes
    assert set(value["pods"]) == set(after.pods)
    # A comment in the middle of a section is more than the fast parser knows; YAML's takes over.
    problems: list[Any] = []
    assert parse(text.replace("nodes:\n", "nodes:  # edited\n"), "", problems) == after
    assert not problems


def test_many_nodes_get_distinct_networks_in_natural_order() -> None:
    labels: dict[str, dict[str, str]] = {f"node{number}": {} for number in range(1, 301)}
    _state, after, _warnings = plan(intent(labels, [], ["10.0.0.0/15"], (24,)), Allocations())
    assert after.nodes["node2"] == ("10.0.1.0/24",)
    assert after.nodes["node10"] == ("10.0.9.0/24",)
    networks = [ipaddress.ip_network(cidrs[0]) for cidrs in after.nodes.values()]
    assert len(set(networks)) == 300
    assert all(network.subnet_of(ipaddress.ip_network("10.0.0.0/15")) for network in networks)  # type: ignore[arg-type]
