# SPDX-License-Identifier: Apache-2.0
"""A real application from its own manifests, unchanged: every declared port of every pod answers from every other pod."""
from __future__ import annotations

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
    verified = fabric.succeed("verify").output
    # 11 of the 12 declare one TCP port; each answers from 11 pods, over two IP versions (node to pod apart).
    ports = sum(len(pod["ports"]) for pod in pods)
    table = {line.split("  ")[0].strip(): line.split()[-12:] for line in verified.splitlines() if line.startswith(("pods on one node", "pods across nodes"))}
    tcp = sum(int(cell.partition("/")[0]) for cells in table.values() for cell in (cells[3], cells[-3]))
    assert tcp == 2 * ports * (len(pods) - 1), verified
    assert "probes are as expected" in verified
    assert fabric.succeed("site").changed == []
