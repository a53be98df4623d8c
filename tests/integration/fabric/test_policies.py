# SPDX-License-Identifier: Apache-2.0
"""The demo with its policies: verify tells a network that enforces them from one that does not, and policy.yml changes nothing but them."""
from __future__ import annotations

import shutil
import time

import pytest
from fabric.fabric_lab import DEMO, FabricLab, Run

FLOWS = {"Put the flows where new connections may arrive", "Put the flows on the other nodes"}
TRACES = "/etc/sluice /var/log/sluice /var/lib/sluice /etc/systemd/system/sluice-agent* /etc/systemd/system/sluice-node*"
COMPILE = "Compile the inventory to one program a node"


@pytest.fixture(scope="module")
def guarded(fabric: FabricLab) -> FabricLab:
    shutil.copy(DEMO / "manifests/policies.yml", fabric.inventory / "manifests")
    fabric.succeed("site")
    fabric.verify()
    return fabric


def executed(run: Run, host: str) -> set[str]:
    """What ran on a node: the validation of arguments and the compile run on the controller."""
    return {result.task for result in run.results if result.host == host and result.outcome == "ok" and result.module.rpartition(".")[2] not in (
        "validate_argument_spec", "compile")}


def test_a_flow_that_is_missing_is_found_and_put_back(guarded: FabricLab) -> None:
    db = guarded.pod("db")
    guarded.on(db["node"], f"ovs-ofctl -O OpenFlow15 --names --strict del-flows br-sluice table=ingress_policy,priority=100,ip,nw_dst={db['ips'][0]}")
    run = guarded.run("verify", "-e", "verify_ports=first")
    assert run.code != 0
    web = guarded.pod("web")
    assert (f"from shop/{web['name']} ({web['node']}) to shop/db-0:5432/tcp over IPv4: "
            "expected timed out (NetworkPolicy isolation ingress shop/db-0), open") in run.output
    assert "over IPv6" not in run.output
    assert [host for host, _task in guarded.succeed("policy").changed] == [db["node"]]
    guarded.verify()


def test_a_change_is_predicted_applied_and_seen(guarded: FabricLab) -> None:
    manifest = guarded.inventory / "manifests/policies.yml"
    text = manifest.read_text()
    manifest.write_text(text.replace("matchLabels: {app: api}\n      # Its other", "matchLabels: {app: web}\n      # Its other"))
    assert manifest.read_text() != text
    plan = guarded.succeed("policy", "--check", "--diff")
    # What runs is still what it was, which is not what the inventory now says.
    assert guarded.run("verify", "-e", "verify_ports=first").code != 0
    run = guarded.succeed("policy", "--diff")
    assert sorted(run.changed) == sorted(plan.changed)
    assert run.diffs() == plan.diffs()
    for node in ("node1", "node2", "node3"):
        assert len(executed(run, node)) == 1
        assert executed(run, node) <= FLOWS
    assert {host for host, task in run.changed if task != COMPILE} == {guarded.pod("db")["node"]}
    guarded.verify()
    manifest.write_text(text)
    guarded.succeed("policy")
    assert guarded.succeed("site").changed == []


def test_rejects_are_answered_and_logged_by_the_agent(guarded: FabricLab) -> None:
    node = guarded.pod("db")["node"]
    assert "label=data-stays" in guarded.on(node, "cat /var/log/sluice/policy.log")
    guarded.on(node, "systemctl stop sluice-agent")
    try:
        run = guarded.run("verify", "-e", "verify_ports=first")
        assert run.code != 0
        assert "expected refused (AntreaClusterNetworkPolicy data-stays egress[1]), timed out" in run.output
    finally:
        guarded.on(node, "systemctl start sluice-agent")
    end = time.monotonic() + 30
    while "connected" not in guarded.on(node, "journalctl -u sluice-agent -n 1 --no-pager") and time.monotonic() < end:
        time.sleep(0.5)
    guarded.verify()


def test_more_than_policies_is_refused(guarded: FabricLab) -> None:
    manifest = guarded.inventory / "manifests/extra.yml"
    manifest.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: extra, namespace: shop}\nspec: {nodeName: node3, containers: [{name: x, image: x}]}\n")
    try:
        run = guarded.run("policy")
        assert run.code != 0
        assert "run the site playbook for it" in " ".join(run.output.split())
        assert run.changed == []
    finally:
        manifest.unlink()


def test_restarts_leave_no_policy_out(guarded: FabricLab) -> None:
    guarded.on("node1", "systemctl restart ovs-vswitchd")
    guarded.on("node2", "kill -9 $(pidof ovs-vswitchd)")
    guarded.verify()


def test_without_policies_everybody_reaches_everybody_again(guarded: FabricLab) -> None:
    (guarded.inventory / "manifests/policies.yml").unlink()
    guarded.succeed("policy")
    guarded.verify()


def test_uninstall_leaves_no_trace_of_the_agent(guarded: FabricLab) -> None:
    guarded.succeed("uninstall")
    assert guarded.on("node1", f"systemctl is-active sluice-agent; ls -d {TRACES} 2>/dev/null", check=False).split() == ["inactive"]
