# SPDX-License-Identifier: Apache-2.0
"""A case as a cluster: its objects go through the loader and the planner as those of an inventory do."""
from __future__ import annotations

import ipaddress
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

from sluice.intent.load import load
from sluice.intent.state import ClusterState
from sluice.plan.addresses import address_slot, planned_slots
from sluice.plan.allocations_file import Allocations
from sluice.plan.planner import plan

from .case_file import Case, Object, load_case

__all__ = ["Case", "Planned", "case_state", "load_case", "plan_case"]

TRANSPORT = "eth1"
TRANSPORT_MTU = 1500
ROUTER = {4: "100.64.0.254", 6: "fd64::fe"}
"""Behind it is everything outside of the cluster. 100.64.0.0/10 (RFC 6598) is in no case."""
NODES = 2
"""As few as have traffic between nodes; addresses that a case gives may take more."""

_POD_CIDR = {4: "10.244.0.0/16", 6: "fd10:244::/48"}
_NODE_PREFIX = {4: 24, 6: 64}
_SERVICE_CIDR = "10.96.0.0/12"


@dataclass(frozen=True)
class Planned:
    """A case's cluster, and what keeps its pods where they are in the next step."""

    state: ClusterState
    allocations: Allocations
    warnings: tuple[str, ...]


def case_state(case: Case, families: Sequence[int] = (4,)) -> ClusterState:
    """The cluster of one case: nodes node1, node2, …, all on the userspace datapath. Raises InputError for what the loader refuses."""
    return plan_case(case, families).state


def plan_case(case: Case, families: Sequence[int] = (4,), before: Allocations = Allocations()) -> Planned:  # noqa: B008 - immutable
    """As :func:`case_state`; pods that are in ``before`` stay as they were, as from one run to the next of a site."""
    pod_cidr, shares = _shares(case)
    fixed = Allocations("conformance", tuple(_per_family(families, pod_cidr, _POD_CIDR[6])),
                        tuple(_per_family(families, ipaddress.ip_network(shares[0]).prefixlen, _NODE_PREFIX[6])),
                        {f"node{number}": tuple(_per_family(families, share, _share6(number))) for number, share in enumerate(shares, 1)})
    if before.pod_cidrs != fixed.pod_cidrs or before.nodes != fixed.nodes:
        before = fixed
    variables = {
        "sluice_cluster_name": fixed.cluster,
        "sluice_pod_cidrs": list(fixed.pod_cidrs),
        "sluice_node_prefix_lengths": list(fixed.node_prefix_lengths),
        "sluice_service_cidrs": [_service_cidr(case)],
        "sluice_manifests": ["case.json"],
        # The userspace datapath cannot translate SCTP. Cases that have it in a Service probe pods with it, and not the Service.
        **({"sluice_unsupported": "warn"} if _has_sctp_service(case) else {}),
    }
    hosts = {f"node{number}": {"vars": {"sluice_datapath": "netdev"}, "facts": _facts(number)} for number in range(1, len(shares) + 1)}
    with tempfile.TemporaryDirectory(prefix="sluice-conformance-") as folder:
        Path(folder, "case.json").write_text(json.dumps(manifests(case)), encoding="utf-8")
        intent = load(variables, hosts, folder)
    state, allocations, warnings = plan(intent, before)
    return Planned(state, allocations, (*intent.warnings, *warnings))


def manifests(case: Case) -> list[Object]:
    """All objects of a case as Kubernetes has them."""
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one["name"], "labels": one.get("labels") or {}}}
                  for one in case.namespaces]
    return [*namespaces, *(_pod(pod, case.quotes_addresses) for pod in case.pods), *case.services, *case.tiers, *case.groups, *case.policies]


def node_address(number: int, family: int) -> str:
    """The transport address of a node, with its prefix length."""
    return f"fd64::{number:x}/64" if family == 6 else f"100.64.0.{number}/24"


def _pod(pod: Object, keep_address: bool) -> Object:
    metadata: dict[str, Any] = {"namespace": pod["namespace"], "name": pod["name"], "labels": pod.get("labels") or {}}
    host_network = bool(pod.get("hostNetwork"))
    if keep_address and pod.get("ip") and not host_network:
        metadata["annotations"] = {"sluice.io/ips": pod["ip"]}
    if pod.get("terminating"):
        metadata["deletionTimestamp"] = "2020-01-01T00:00:00Z"
    ports = [{"containerPort": port["port"], "protocol": port.get("protocol", "TCP"), **({"name": port["name"]} if port.get("name") else {})}
             for port in pod.get("ports") or ()]
    ready = pod.get("ready", True)
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"hostNetwork": host_network, "containers": [{"name": "main", "ports": ports}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def _facts(number: int) -> Mapping[str, Any]:
    addresses = [node_address(number, family) for family in (4, 6)]
    routes = [{"destination": "default", "via": ROUTER[family], "device": TRANSPORT} for family in (4, 6)]
    return {"interfaces": {TRANSPORT: {"mtu": TRANSPORT_MTU, "mac": f"0a:64:00:00:00:{number:02x}", "addresses": addresses}}, "routes": routes}


def _per_family(families: Sequence[int], four: Any, six: Any) -> Iterable[Any]:
    return ({4: four, 6: six}[family] for family in families)


def _has_sctp_service(case: Case) -> bool:
    return any(port.get("protocol") == "SCTP" for service in case.services for port in service["spec"].get("ports") or ())


def _share6(number: int) -> str:
    return f"fd10:244:0:{number:x}::/64"


def _shares(case: Case) -> tuple[str, list[str]]:
    """The IPv4 pod CIDR and each node's share of it, such that every address which has to be kept is one for a pod.

    Two nodes if there is a cut that makes two, else as few more as possible, else one: a node's own addresses are in its share, too.
    """
    given = [pod["ip"] for pod in case.pods if pod.get("ip") and not pod.get("hostNetwork")] if case.quotes_addresses else []
    if not given:
        return _POD_CIDR[4], [f"10.244.{number}.0/{_NODE_PREFIX[4]}" for number in range(1, NODES + 1)]
    cuts = [cut for length in range(28, 15, -1) if (cut := _cut(given, length))]
    if not cuts:
        raise ValueError(f"{case.path}: no division into node CIDRs has all of the addresses {', '.join(given)}")
    shares = min(cuts, key=lambda cut: len(cut) if len(cut) >= NODES else 1000)
    whole = ipaddress.ip_network(shares[0])
    # With room for one more share at least: a cluster's CIDR of one node's size is none that grows.
    while whole.prefixlen > 16 or not all(ipaddress.ip_network(share).subnet_of(whole) for share in shares):  # type: ignore[arg-type]
        whole = whole.supernet()
    return str(whole), shares


def _cut(addresses: Sequence[str], length: int) -> list[str]:
    """The networks of ``length`` that hold the addresses; empty if one of them is not for pods there."""
    homes = {address: str(ipaddress.ip_network(f"{address}/{length}", strict=False)) for address in addresses}
    fits = all(0 <= address_slot(home, address) < planned_slots(home) for address, home in homes.items())
    return sorted(Counter(homes.values()), key=ipaddress.ip_network) if fits else []


def _service_cidr(case: Case) -> str:
    given = [ipaddress.ip_address(service["spec"]["clusterIP"]) for service in case.services
             if service["spec"].get("clusterIP") not in (None, "", "None")]
    usual = ipaddress.ip_network(_SERVICE_CIDR)
    if all(address in usual for address in given):
        return _SERVICE_CIDR
    network = ipaddress.ip_network(f"{given[0]}/16", strict=False)
    while not all(address in network for address in given):
        network = network.supernet()
    return str(network)
