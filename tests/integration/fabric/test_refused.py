# SPDX-License-Identifier: Apache-2.0
"""Bad input is refused as a user sees it: all of it at once, in words, before any node is touched."""
from __future__ import annotations

from fabric.fabric_lab import FabricLab


def test_all_problems_at_once_and_nothing_is_touched(fabric: FabricLab) -> None:
    fabric.set_variables(
        sluice_service_cidrs=["10.10.128.0/17"], sluice_transport_interface="eth7", sluice_trafic_mode="encap", sluice_masquerade="perhaps",
        sluice_tunnel_type="stt")
    (fabric.inventory / "manifests/bad.yml").write_text("a: [1\n")
    (fabric.inventory / "manifests/twice.yml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: resolver, namespace: shop}\nspec: {containers: [{name: x, image: x, ports: [{containerPort: 70000}]}]}\n")
    run = fabric.run("site")
    assert run.code != 0
    for expected in (
        "sluice_service_cidrs",
        "there is no interface eth7",
        "sluice_trafic_mode",
        "sluice_traffic_mode",
        "sluice_masquerade",
        "stt needs a kernel module",
        "manifests/bad.yml",
        "70000",
        "shop/resolver",
    ):
        assert expected in run.output, (expected, run.output)
    assert "Traceback" not in run.output
    assert not [result for result in run.results if result.changed]
    assert not fabric.artifacts.exists()
    assert "not found" in fabric.on("node1", "ls /etc/sluice 2>&1 || echo not found")
