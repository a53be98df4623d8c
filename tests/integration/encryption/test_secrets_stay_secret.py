# SPDX-License-Identifier: Apache-2.0
"""A compile and the putting of tunnels, with everything that Ansible can print: neither the cluster's secret nor a pair's key is in any of it."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ovs_sandbox import OvsSandbox

from sluice.encryption.psk import pair_key

ROOT = Path(__file__).parents[3]
SECRET, LATER = "secret-of-the-cluster-0123456789abcdef", "another-secret-of-it-0123456789abcdef"
FACTS = {"architecture": "x86_64", "routes": [], "packages": {}}


def inventory(folder: Path, secret: str) -> Path:
    hosts: dict[str, Any] = {}
    for number in (1, 2):
        interfaces = {"eth1": {"mtu": 1500, "mac": f"52:54:00:00:00:0{number}", "addresses": [f"192.168.77.{number}/24"]}}
        hosts[f"node{number}"] = {"node_facts_result": {**FACTS, "interfaces": interfaces}}
    variables = {
        "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", "sluice_pod_cidrs": ["10.10.0.0/16"],
        "sluice_transport_interface": "eth1", "sluice_encryption": "ipsec", "sluice_ipsec_secret": secret}
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"sluice_nodes": {"hosts": hosts, "vars": variables}}))
    return path


def play(folder: Path, ovs: OvsSandbox) -> Path:
    role = yaml.safe_load((ROOT / "roles/pod_network/tasks/main.yml").read_text())
    put = next(task for task in role if "sluice.fabric.switch" in task)
    put["sluice.fabric.switch"].update(database=ovs.database, config="{{ switch }}")
    # Without the kernel's datapath, which this machine does not have.
    switch = "{{ lookup('file', program_result.programs.node1.directory ~ '/switch.json') | replace('\"system\"', '\"dummy\"') | from_json }}"
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump([{
        "hosts": "sluice_nodes", "gather_facts": False, "vars": {"switch": switch, "pod_network_switch": "{{ switch }}"}, "tasks": [
            {"sluice.fabric.compile": {"facts_variable": "node_facts_result"}, "register": "program_result", "run_once": True},
            {**put, "when": "inventory_hostname == 'node1'", "register": "put"},
            {"ansible.builtin.debug": {"var": "put"}}, {"ansible.builtin.debug": {"var": "program_result"}}]}]))
    return path


@pytest.mark.parametrize("flags", [(), ("--check",)], ids=["run", "check"])
def test_nothing_shows_them(tmp_path: Path, flags: tuple[str, ...]) -> None:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"), "ANSIBLE_FORCE_COLOR": "0"}
    ansible = str(Path(sys.executable).parent / "ansible-playbook")
    keys = [pair_key(secret, "node1", "node2") for secret in (SECRET, LATER)]
    with OvsSandbox() as ovs:
        environment.update(ovs.env)
        printed = ""
        # The second run changes the secret, so that there is a difference to show.
        for secret in (SECRET, LATER):
            command = [ansible, "-i", str(inventory(tmp_path, secret)), str(play(tmp_path, ovs)), "-vvvv", "--diff", *flags]
            done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            printed += done.stdout + done.stderr
            assert done.returncode == 0, done.stdout[-3000:]
        held = json.loads(subprocess.run(["ovs-vsctl", f"--db={ovs.database}", "--format=json", "--columns=options", "list", "Interface"],
                                         capture_output=True, text=True, check=True).stdout)
        if not flags:
            assert keys[1] in json.dumps(held), "the switch has the key that it is to have"
    (tmp_path / "inventory.yml").unlink()
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert "sluice-x" in written and "********" in printed
    for secret in (SECRET, LATER, *keys):
        assert secret not in printed and secret not in written
