# SPDX-License-Identifier: Apache-2.0
"""A real application from its own manifests and policies, unchanged: who reaches whom is what its architecture says, by real packets."""
from __future__ import annotations

import json
from typing import Any

import pytest
from fabric.fabric_lab import ROOT, FabricLab

MANIFESTS = ROOT.parent / "shared/real/online-boutique"

# What follows is written by hand, from the application's documentation: who calls whom. Nothing here is asked of Sluice.
PORTS = {
    "frontend": 8080, "adservice": 9555, "cartservice": 7070, "checkoutservice": 5050, "currencyservice": 7000, "emailservice": 8080,
    "paymentservice": 50051, "productcatalogservice": 3550, "recommendationservice": 8080, "redis-cart": 6379, "shippingservice": 50051}
CALLERS = {
    "adservice": {"frontend"},
    "cartservice": {"frontend", "checkoutservice"},
    "checkoutservice": {"frontend"},
    "currencyservice": {"frontend", "checkoutservice"},
    "emailservice": {"checkoutservice"},
    "paymentservice": {"checkoutservice"},
    "productcatalogservice": {"frontend", "checkoutservice", "recommendationservice"},
    "recommendationservice": {"frontend"},
    "redis-cart": {"cartservice"},
    "shippingservice": {"frontend", "checkoutservice"},
    "loadgenerator": set[str](),
}
APPS = {*PORTS, "loadgenerator"}
# The shop window is for everybody.
CALLERS["frontend"] = APPS - {"frontend"}
SERVICE_PORTS = {**PORTS, "frontend": 80, "emailservice": 5000}


@pytest.mark.skipif(not MANIFESTS.is_dir(), reason=f"{MANIFESTS} is not here")
def test_online_boutique(fabric: FabricLab) -> None:
    for file in (fabric.inventory / "manifests").iterdir():
        file.unlink()
    fabric.set_variables(sluice_manifests=[str(MANIFESTS)])
    fabric.succeed("site")
    pods = fabric.pods()
    apps = {f"{pod['namespace']}/{pod['name']}": pod["labels"]["app"] for pod in pods}
    assert sorted(apps.values()) == sorted(APPS)
    assert {pod["node"] for pod in pods} == {"node1", "node2", "node3"}

    report = fabric.inventory / "report.json"
    assert "probes are as expected" in fabric.succeed("verify", "-e", f"verify_report={report}").output
    rows = json.loads(report.read_text())["results"]
    between = [row for row in rows if row["source"] in apps and row["destination"] in apps and not row["size"]]
    for family in (False, True):
        asked = [row for row in between if (":" in row["address"]) == family]
        # A pod without ports listens on 8080, to be probed.
        assert {(apps[row["destination"]], row["port"]) for row in asked if row["protocol"] == "tcp"} == {*PORTS.items(), ("loadgenerator", 8080)}
        assert {(apps[row["source"]], apps[row["destination"]]) for row in asked} == {(source, target) for source in APPS for target in APPS - {source}}
        assert _open(apps, [row for row in asked if row["protocol"] == "tcp"]) == {
            (caller, target, PORTS[target]) for target in PORTS for caller in CALLERS[target]}
        # Only the shop window is open on every port, and so to pings.
        assert _open(apps, [row for row in asked if row["protocol"] == "icmp"]) == {(caller, "frontend", 0) for caller in CALLERS["frontend"]}
    assert {row["outcome"] for row in between} == {"open", "timed_out"}

    # Each calls the others by their Services; a pod may call its own.
    services = [row for row in rows if row["kind"] == "pod to Service"]
    assert _open(apps, services) == {
        *((caller, f"Service default/{target}", SERVICE_PORTS[target]) for target in PORTS for caller in CALLERS[target] | {target}),
        *((caller, "Service default/frontend-external", 80) for caller in APPS)}
    assert len({(row["source"], row["destination"]) for row in services}) == len(APPS) * (len(PORTS) + 1)

    # A node reaches its own pods, as probes of their health do, and of the others the shop window.
    homes = {f"{pod['namespace']}/{pod['name']}": pod["node"] for pod in pods}
    for row in rows:
        if row["kind"] == "node to pod":
            reaches = homes[row["destination"]] == row["node"] or apps[row["destination"]] == "frontend"
            assert row["outcome"] == ("open" if reaches else "timed_out"), row
    assert fabric.succeed("site").changed == []


def _open(apps: dict[str, str], rows: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
    return {(apps[row["source"]], apps.get(row["destination"], row["destination"]), row["port"]) for row in rows if row["outcome"] == "open"}
