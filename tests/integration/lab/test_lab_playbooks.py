# SPDX-License-Identifier: Apache-2.0
"""The playbooks and the demo inventory, as a user runs them, with another lab name."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab.lab_host import DIRECTORY, REPOSITORY, LabHost


def _ansible(program: str, *arguments: str) -> str:
    result = subprocess.run([str(Path(sys.executable).with_name(program)), "-i", "inventories/demo/hosts.yml", *arguments], cwd=REPOSITORY,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": "collections"})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_up_reach_down(lab: LabHost) -> None:
    name = ("-e", f"sluice_lab_name={lab.name}")
    up = _ansible("ansible-playbook", "playbooks/lab_up.yml", *name)
    assert "changed=1" in up and "start node3" in up and "waiting for 3 nodes to boot" in up
    assert "changed=0" in _ansible("ansible-playbook", "playbooks/lab_up.yml", *name)
    hostnames = _ansible("ansible", "sluice_nodes", "-m", "ansible.builtin.command", "-a", "hostname", *name)
    assert all(f"\nnode{number}" in hostnames for number in (1, 2, 3))
    assert list((DIRECTORY / lab.name / "ssh/control").iterdir()), "Ansible did not keep its connections in the lab's own folder"
    assert "changed=1" in _ansible("ansible-playbook", "playbooks/lab_down.yml", *name, "--check")
    assert "changed=1" in _ansible("ansible-playbook", "playbooks/lab_down.yml", *name)
    assert lab.traces() == set()
