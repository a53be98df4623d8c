# SPDX-License-Identifier: Apache-2.0
"""Whatever Services come, go and change: what stays does not move, nothing is given twice, and the file says it all."""
from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plan_inventories import intent, service

from sluice.errors import InputError
from sluice.intent.state import ClusterState
from sluice.plan.allocations_file import Allocations, parse, render
from sluice.plan.planner import plan

NODE_PORTS = st.sampled_from([0, 0, 0, 30000, 30001, 30002])
PORTS = st.dictionaries(st.tuples(st.sampled_from(["TCP", "UDP"]), st.sampled_from([53, 80, 443])), NODE_PORTS, min_size=1)
SPECS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        "families": st.sampled_from([{}, {}, {"ipFamilies": ["IPv6"]}, {"ipFamilyPolicy": "PreferDualStack"}, {"clusterIP": "10.96.0.3"}]),
        "local": st.booleans(),
        "ports": PORTS,
    }
)
INVENTORIES = st.dictionaries(st.sampled_from("abcdef"), SPECS, max_size=6)
Inventory = Any


def _service(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    ports: list[dict[str, Any]] = []
    for (protocol, port), node_port in spec["ports"].items():
        entry = {"name": f"{protocol.lower()}{port}", "protocol": protocol, "port": port}
        # Two ports of one Service cannot ask for one number in one protocol.
        asked = spec["type"] != "ClusterIP" and node_port and (protocol, node_port) not in [(one["protocol"], one.get("nodePort")) for one in ports]
        ports.append({**entry, "nodePort": node_port} if asked else entry)
    local = {"externalTrafficPolicy": "Local"} if spec["local"] and spec["type"] != "ClusterIP" else {}
    return service(name, ports, type=spec["type"], **spec["families"], **local)


def _plan(inventory: Inventory, before: Allocations) -> tuple[ClusterState, Allocations]:
    services = [_service(name, spec) for name, spec in inventory.items()]
    cidrs = ["10.96.0.0/28", "fd10:96::/124"]
    state, after, _warnings = plan(intent({"node1": {}}, [], services=services, service_cidrs=cidrs), before)
    return state, after


def _owned(state: ClusterState) -> list[object]:
    """Everything that is given out, once for each Service that has it."""
    owned: list[object] = []
    for one in state.services.values():
        owned += one.cluster_ips
        owned += [(port.protocol, port.node_port) for port in one.ports if port.node_port]
        owned += [("TCP", one.health_check_node_port)] if one.health_check_node_port else []
    return owned


@settings(max_examples=150, deadline=None)
@given(st.lists(INVENTORIES, min_size=2, max_size=5))
def test_nothing_that_stays_moves(inventories: list[Inventory]) -> None:
    before = Allocations()
    accepted = 0
    for inventory in inventories:
        try:
            state, after = _plan(inventory, before)
        except InputError as refused:
            # Two Services ask for one number, or one for what another has: a user would choose another.
            assert all("is taken by" in problem.message for problem in refused.problems)
            continue
        accepted += 1
        assert [what for what, times in Counter(_owned(state)).items() if times > 1] == []
        for key, old in before.services.items():
            if key in state.services:
                one = state.services[key]
                spec = inventory[key[-1]]
                if "clusterIP" not in spec["families"]:
                    kept = {6 if ":" in ip else 4: ip for ip in one.cluster_ips}
                    assert all(kept.get(6 if ":" in ip else 4, ip) == ip for ip in old.ips), f"{key} has another address"
                for port, stated in zip(one.ports, _service(key[-1], spec)["spec"]["ports"]):
                    had = old.node_ports.get(f"{port.protocol}/{port.port}")
                    assert not had or not port.node_port or "nodePort" in stated or port.node_port == had, f"{key} has another node port"
                assert not (old.health_check_node_port and one.health_check_node_port) or old.health_check_node_port == one.health_check_node_port
        problems: list[Any] = []
        assert parse(render(after), "allocations.yml", problems) == after
        assert not problems
        again, same = _plan(inventory, after)
        assert (again.services, same) == (state.services, after), "a second run changes nothing"
        before = after
    assume(accepted > 1)


@settings(max_examples=50, deadline=None)
@given(INVENTORIES, st.randoms())
def test_the_order_of_the_input_does_not_matter(inventory: Inventory, random: Any) -> None:
    shuffled = list(inventory.items())
    random.shuffle(shuffled)

    def result(given_inventory: Inventory) -> str:
        try:
            return render(_plan(given_inventory, Allocations())[1])
        except InputError as refused:
            # The item's place in the list is part of the message.
            return str([(problem.object, problem.path, problem.message) for problem in sorted(refused.problems, key=lambda one: one[1:])])

    assert result(dict(inventory)) == result(dict(shuffled))
