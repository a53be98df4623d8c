# SPDX-License-Identifier: Apache-2.0
"""A real application from its own manifests, unchanged: every declared port of every pod answers from every other pod."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from fabric.fabric_lab import ROOT, FabricLab

MANIFESTS = ROOT.parent / "shared/real/online-boutique"


@pytest.mark.skipif(not MANIFESTS.is_dir(), reason=f"{MANIFESTS} is not here")
def test_online_boutique(fabric: FabricLab) -> None:
    for file in Path(fabric.inventory, "manifests").iterdir():
        file.unlink()
    fabric.set_variables(sluice_manifests=[str(MANIFESTS)])
    run = fabric.succeed("site")
    assert "NetworkPolicy default/deny-all is not enforced yet" in run.output
    pods = fabric.pods()
    assert len(pods) == 12
    assert {pod["node"] for pod in pods} == {"node1", "node2", "node3"}
    report = fabric.inventory / "report.json"
    assert "probes are as expected" in fabric.succeed("verify", "-e", f"verify_report={report}").output
    seen = {(row["source"], row["destination"], row["port"], ":" in row["address"]) for row in json.loads(report.read_text())["results"]
            if row["protocol"] == "tcp" and row["ok"] and row["outcome"] == "open"}
    names = {pod["name"]: f"{pod['namespace']}/{pod['name']}" for pod in pods}
    declared = [(pod, port["port"]) for pod in pods for port in pod["ports"]]
    assert len(declared) == 11
    for pod, port in declared:
        for source in pods:
            if source is not pod:
                assert {(names[source["name"]], names[pod["name"]], port, False), (names[source["name"]], names[pod["name"]], port, True)} <= seen
    assert fabric.succeed("site").changed == []
