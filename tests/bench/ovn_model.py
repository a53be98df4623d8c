# SPDX-License-Identifier: Apache-2.0
"""The clusters of scale_model as OVN's northbound database: operations of one OVSDB transaction (RFC 7047 section 4.1.3).

As ovn-kubernetes has it: a logical switch a node on one cluster router, a port group a policy, an address set an app, an ACL a rule, and
all load balancers in one group that every switch has. The isolation of pods that policies select, which Sluice's side has as well, is
left out here, as it was where reference figures come from.
"""
from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from scale_model import (  # noqa: E402
    SERVICE_PORT,
    SERVICE_TARGET,
    PolicyRule,
    Size,
    policy_rules,
    policy_subject,
    service_address,
    service_app,
)
from sluice.intent.state import ClusterState, Pod  # noqa: E402
from sluice.plan.addresses import gateway_address  # noqa: E402

Operation = dict[str, Any]


def load_operations(size: Size, state: ClusterState) -> list[Operation]:
    """What puts the whole cluster into an empty database; ``state`` is scale_state(size)."""
    pods: dict[str, list[Pod]] = defaultdict(list)
    for pod in state.pods.values():
        pods[pod.labels["app"]].append(pod)
    operations = [_insert("Load_Balancer", _balancer(size, number, pods)) for number in range(size.services)]
    for number, operation in enumerate(operations):
        operation["uuid-name"] = f"balancer{number}"
    operations.append(_insert("Load_Balancer_Group", {"name": "all", "load_balancer": _named("balancer", range(size.services))}, "balancers"))
    operations += _topology(state)
    for app, members in pods.items():
        operations.append(_insert("Address_Set", {"name": app, "addresses": _set(pod.ips[0] for pod in members)}))
    numbers = {key: number for number, key in enumerate(state.pods)}
    for policy in range(size.policies):
        acls = [_insert("ACL", acl(policy, rule), f"acl{policy}_{index}") for index, rule in enumerate(policy_rules(size, policy))]
        subject = pods[f"app{policy_subject(size, policy)}"]
        operations += [*acls, _insert("Port_Group", {
            "name": f"policy{policy}", "ports": _named("pod", (numbers[pod.key] for pod in subject)), "acls": _named(f"acl{policy}_", range(len(acls)))})]
    return operations


def acl(policy: int, rule: PolicyRule) -> dict[str, Any]:
    """The row for one rule of a policy."""
    port, address = ("outport", "ip4.src") if rule.direction == "ingress" else ("inport", "ip4.dst")
    return {"priority": 1001, "direction": "to-lport" if rule.direction == "ingress" else "from-lport", "action": "allow-related",
            "match": f"{port} == @policy{policy} && {address} == $app{rule.peer} && tcp.dst == {rule.port}"}


def _balancer(size: Size, number: int, pods: dict[str, list[Pod]]) -> dict[str, Any]:
    backends = [pod.ips[0] for pod in pods[f"app{service_app(size, number)}"]]
    return {"name": f"service{number}", "protocol": "tcp", "vips": vips(number, backends)}


def vips(service: int, backends: list[str]) -> list[Any]:
    """The column of a Service's load balancer that has its address and its endpoints."""
    return ["map", [[f"{service_address(service)}:{SERVICE_PORT}", ",".join(f"{ip}:{SERVICE_TARGET}" for ip in backends)]]]


def _topology(state: ClusterState) -> list[Operation]:
    operations = []
    ports: dict[str, list[int]] = {name: [] for name in state.nodes}
    for number, pod in enumerate(state.pods.values()):
        addresses = f"{pod.mac} {pod.ips[0]}"
        operations.append(_insert("Logical_Switch_Port", {"name": pod.key, "addresses": addresses, "port_security": addresses}, f"pod{number}"))
        ports[pod.node].append(number)
    for index, (name, node) in enumerate(state.nodes.items()):
        mac = f"0a:58:00:00:{index >> 8:02x}:{index & 255:02x}"
        network = f"{gateway_address(node.pod_cidrs[0])}/{node.pod_cidrs[0].partition('/')[2]}"
        operations += [
            _insert("Logical_Router_Port", {"name": f"router-{name}", "mac": mac, "networks": network}, f"router{index}"),
            _insert("Logical_Switch_Port", {"name": f"switch-{name}", "type": "router", "addresses": "router",
                                            "options": ["map", [["router-port", f"router-{name}"]]]}, f"switch{index}"),
            _insert("Logical_Switch", {"name": name, "load_balancer_group": ["named-uuid", "balancers"],
                                       "ports": ["set", [*_named("pod", ports[name])[1], ["named-uuid", f"switch{index}"]]]})]
    return [*operations, _insert("Logical_Router", {"name": "cluster", "ports": _named("router", range(len(state.nodes)))})]


def _insert(table: str, row: dict[str, Any], name: str = "") -> Operation:
    return {"op": "insert", "table": table, "row": row, **({"uuid-name": name} if name else {})}


def _named(prefix: str, numbers: Any) -> list[Any]:
    return ["set", [["named-uuid", f"{prefix}{number}"] for number in numbers]]


def _set(values: Any) -> list[Any]:
    return ["set", list(values)]
