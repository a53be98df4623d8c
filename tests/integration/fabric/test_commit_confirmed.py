# SPDX-License-Identifier: Apache-2.0
"""A change that is to be confirmed where systemd runs: the guardian is a unit of its own, which neither sshd's end nor its own ends."""
from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fabric.fabric_lab import ROOT, FabricLab

UPLINK, BRIDGE, ADDRESS = "eth1", "br-up", "192.168.77.11"
STATUS = "cat /var/lib/sluice/confirm/*/status.json"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricLab]:
    """A lab of one node with Open vSwitch. The tests look at it over the management network, which they leave alone."""
    lab = FabricLab("c" + uuid.uuid4().hex[:6], tmp_path_factory.mktemp("fabric"))
    try:
        lab.set_nodes(1)
        lab.succeed("lab_up")
        lab.on("node1", "export DEBIAN_FRONTEND=noninteractive; apt-get install -qy openvswitch-switch ethtool && ethtool -K eth1 tx off")
        yield lab
    finally:
        lab.run("lab_down")


def start(lab: FabricLab, **port: Any) -> subprocess.Popen[str]:
    """The uplink becomes a port, over the uplink."""
    folder = lab.inventory.parent
    play, result = folder / "uplink.yml", folder / "uplink.json"
    result.unlink(missing_ok=True)
    mac = json.loads(lab.on("node1", f"ip -j link show {UPLINK}"))[0]["address"]
    bridge = {"name": BRIDGE, "datapath_type": "netdev", "other_config": {"hwaddr": mac}, "ports": [{"name": UPLINK, **port}]}
    play.write_text(yaml.safe_dump([{"hosts": "node1", "gather_facts": False, "tasks": [
        {"sluice.fabric.switch": {"config": {"bridges": [bridge]}, "move_addresses": {UPLINK: BRIDGE}, "confirm_timeout": 30},
         "register": "done", "ignore_errors": True},
        {"ansible.builtin.copy": {"content": "{{ done | to_json }}", "dest": str(result)}, "delegate_to": "localhost",
         "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}]}]))
    connection = {
        "ansible_host": ADDRESS,
        "ansible_ssh_common_args": f"-o ProxyCommand='ip netns exec sluice-{lab.name}-outside nc %h %p'"
                                   " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"}
    return subprocess.Popen(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(lab.hosts), str(play), "-vv", "-e", json.dumps(connection)],
        cwd=ROOT, env=lab.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(lab: FabricLab, playbook: subprocess.Popen[str]) -> dict[str, Any]:
    output, _nothing = playbook.communicate(timeout=300)
    assert (lab.inventory.parent / "uplink.json").exists(), output
    found: dict[str, Any] = json.loads((lab.inventory.parent / "uplink.json").read_text())
    return {**found, "output": output}


def await_made(lab: FabricLab) -> None:
    until = time.monotonic() + 90
    while '"made"' not in lab.on("node1", STATUS, check=False):
        assert time.monotonic() < until, "the change was not made"
        time.sleep(0.3)


def network(lab: FabricLab) -> list[str]:
    return [line for command in (f"ip -br addr show {UPLINK}", "ip route", "ip -6 route | grep -v fe80") for line in lab.on("node1", command).splitlines()]


def test_neither_the_end_of_sshd_nor_its_own_keeps_the_guardian_from_rolling_back(node: FabricLab) -> None:
    before, rows = network(node), node.on("node1", "ovs-vsctl show")
    playbook = start(node, tag=20)
    await_made(node)
    pid = node.on("node1", "pgrep -of 'engine.pyz guard'").strip()
    assert "sluice-confirm-" in node.on("node1", f"cat /proc/{pid}/cgroup")
    node.on("node1", f"systemctl restart ssh; kill -9 {pid}")
    result = finish(node, playbook)
    assert result["failed"] and "so it was rolled back" in result["msg"], result["output"]
    assert (network(node), node.on("node1", "ovs-vsctl show")) == (before, rows)


def test_the_right_way_is_confirmed(node: FabricLab) -> None:
    result = finish(node, start(node))
    assert (result["changed"], result.get("confirmed")) == (True, True), result["output"]
    assert ADDRESS in node.on("node1", f"ip addr show {BRIDGE}")
    assert ADDRESS not in node.on("node1", f"ip addr show {UPLINK}")
    again = finish(node, start(node))
    assert (again["changed"], again["failed"]) == (False, False)
