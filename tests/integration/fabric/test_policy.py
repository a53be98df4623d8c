# SPDX-License-Identifier: Apache-2.0
"""Policies as a change pipeline applies them: one compile, one module execution a node, predicted, enforced after a restart, and taken back."""
from __future__ import annotations

import shutil

from fabric.fabric_lab import DEMO, FabricLab, Run

FLOWS = {"Put the flows where new connections may arrive", "Put the flows on the other nodes"}
MORE_THAN_FLOWS = """\
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 8080}]}
"""


def executed(run: Run, host: str) -> list[str]:
    """What ran on a node; arguments' validation and the compile run on the controller."""
    return [result.task for result in run.results if result.host == host and result.outcome == "ok" and result.module.rpartition(".")[2] not in (
        "validate_argument_spec", "include_vars", "include_role", "compile")]


def test_without_policies_everybody_reaches_everybody(fabric: FabricLab) -> None:
    fabric.succeed("site")
    fabric.verify()


def test_policies_are_one_module_execution_a_node_which_does_what_check_mode_says(fabric: FabricLab) -> None:
    shutil.copy(DEMO / "manifests/policies.yml", fabric.inventory / "manifests")
    predicted = fabric.succeed("policy", "--check", "--diff")
    done = fabric.succeed("policy", "--diff")
    assert {task for _host, task in done.changed} <= {"Compile the inventory to one program a node", *FLOWS}
    assert done.changed == predicted.changed
    assert done.diffs() == predicted.diffs()
    for node in ("node1", "node2", "node3"):
        assert len(executed(done, node)) == 1, executed(done, node)
        assert set(executed(done, node)) <= FLOWS
    fabric.verify()


def test_a_second_run_changes_nothing(fabric: FabricLab) -> None:
    assert fabric.succeed("policy").changed == []
    assert fabric.succeed("site").changed == []


def test_a_rejected_connection_is_in_the_audit_log_and_in_the_statistics(fabric: FabricLab) -> None:
    db = fabric.pod("db")
    connect = "import socket; s = socket.socket(); s.settimeout(3); print(s.connect_ex((\"192.0.2.1\", 443)))"
    answer = fabric.on(db["node"], fabric.pod_command(db, f"python3 -c '{connect}'"))
    assert answer.strip() == "111", "refused at once, not silence"
    log = fabric.on(db["node"], "cat /var/log/sluice/policy.log")
    line = next(line for line in log.splitlines() if "192.0.2.1" in line)
    for word in ("data-stays", "Reject", "shop/db-0", "443"):
        assert word in line, line


def test_restarts_leave_no_policy_out(fabric: FabricLab) -> None:
    fabric.on("node1", "systemctl restart ovs-vswitchd")
    fabric.on("node2", "kill -9 $(pidof ovs-vswitchd)")
    fabric.verify()


def test_a_change_that_is_more_than_flows_is_refused_whole(fabric: FabricLab) -> None:
    manifest = fabric.inventory / "manifests/other.yml"
    manifest.write_text(MORE_THAN_FLOWS)
    before = {path: path.read_bytes() for path in fabric.artifacts.rglob("*") if path.is_file()}
    refused = fabric.run("policy")
    assert refused.code != 0
    assert "run the site playbook" in refused.output
    assert "host.json" in refused.output
    assert "Traceback" not in refused.output
    assert {path: path.read_bytes() for path in fabric.artifacts.rglob("*") if path.is_file()} == before
    manifest.unlink()
    assert fabric.succeed("policy").changed == []


def test_what_was_allowed_is_so_again_without_policies(fabric: FabricLab) -> None:
    (fabric.inventory / "manifests/policies.yml").unlink()
    fabric.succeed("policy")
    fabric.verify()


def test_uninstall_takes_the_agent_away(fabric: FabricLab) -> None:
    fabric.succeed("uninstall")
    traces = "/etc/sluice /var/log/sluice /var/lib/sluice /etc/systemd/system/sluice*"
    left = fabric.on("node1", f"systemctl is-active sluice-agent; ls -d {traces} 2>/dev/null", check=False)
    assert left.split() == ["inactive"]
