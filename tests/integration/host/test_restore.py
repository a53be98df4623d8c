# SPDX-License-Identifier: Apache-2.0
"""restore() on a real Open vSwitch with the userspace datapath, in a namespace that stands for the node."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ovs_sandbox import OvsSandbox

from sluice.node.cni.attachment import Attachment, save
from sluice.pipeline.cookie import OWNER_DYNAMIC, OWNER_PROGRAM, cookie

SOURCE = Path(__file__).parents[3] / "src"
FLOWS = [f"cookie={cookie(OWNER_PROGRAM, 'test'):#x}, table=classify, priority=100,in_port=1 actions=goto_table:output",
         f"cookie={cookie(OWNER_PROGRAM, 'test'):#x}, table=output, priority=0 actions=drop"]
SCRIPT = """
import sys
from sluice.errors import SluiceError
from sluice.node.restore import restore
try:
    restore(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
except SluiceError as error:
    sys.exit(str(error))
"""


class Program:
    """A node's program in a folder, and its switch."""

    def __init__(self, folder: Path, ovs: OvsSandbox) -> None:
        self.folder, self.pods, self.ovs = folder / "etc", folder / "pods", ovs
        self.folder.mkdir()
        self.pods.mkdir()
        self.write("switch.json", {"bridges": [{"name": "br-sluice", "flow_tables": {"0": "classify", "10": "output"}}]})
        self.write("host.json", {
            "links": [{"name": "sluice-gw0", "addresses": ["10.10.0.1/24"], "mtu": 1450}],
            "routes": [{"destination": "10.10.0.0/16", "via": "169.254.0.1", "device": "sluice-gw0", "onlink": True}],
            "nftables": {"sluice": "chain forward { type filter hook forward priority 0; policy drop; }"},
            "files": {"/etc/never": {"content": "by restore"}},
        })
        (self.folder / "flows.txt").write_text("\n".join(FLOWS) + "\n")
        for name in ("groups.txt", "meters.txt"):
            (self.folder / name).write_text("")

    def write(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(json.dumps(content))

    def restore(self, wait: float = 10.0) -> subprocess.CompletedProcess[str]:
        command = ["ip", "netns", "exec", self.ovs.netns, sys.executable, "-c", SCRIPT, str(self.folder), str(self.pods),
                   f"unix:{self.ovs.directory}/br-sluice.mgmt", str(wait)]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def flows(self) -> int:
        return self.ovs.ofctl("dump-flows", "br-sluice", "--no-stats").count("cookie=")


@pytest.fixture
def program(ovs: OvsSandbox, tmp_path: Path) -> Program:
    ovs.vsctl("add-br", "br-sluice", "--", "set", "bridge", "br-sluice", "datapath_type=netdev", "fail_mode=secure",
              "--", "add-port", "br-sluice", "sluice-gw0", "--", "set", "interface", "sluice-gw0", "type=internal", "ofport_request=1")
    return Program(tmp_path, ovs)


def test_everything_comes_back_after_a_crash_and_a_second_run_changes_nothing(program: Program) -> None:
    ovs = program.ovs
    assert program.restore().returncode == 0
    assert program.flows() == 2
    ovs.kill("ovs-vswitchd")
    # As after a reboot, when the interface is a new one.
    ovs.in_netns("ip", "link", "delete", "sluice-gw0")
    ovs.in_netns("nft", "flush", "ruleset")
    ovs.start_vswitchd()
    back = program.restore()
    assert (back.returncode, back.stderr) == (0, "")
    assert "flows: 2 added, 0 removed, 0 modified" in back.stdout
    assert program.flows() == 2
    assert "10.10.0.1/24" in ovs.in_netns("ip", "addr", "show", "sluice-gw0")
    assert "10.10.0.0/16 via 169.254.0.1 dev sluice-gw0 proto 83 onlink" in ovs.in_netns("ip", "route")
    assert "policy drop" in ovs.in_netns("nft", "list", "table", "inet", "sluice")
    assert not Path("/etc/never").exists()
    assert "host: 0 changed" in program.restore().stdout


def test_it_waits_for_a_switch_that_starts(program: Program) -> None:
    program.ovs.kill("ovs-vswitchd")
    failed = program.restore(wait=0.3)
    assert failed.returncode != 0 and "flows: " in failed.stderr and "Traceback" not in failed.stderr
    with ThreadPoolExecutor() as pool:
        back = pool.submit(program.restore)
        time.sleep(0.5)
        program.ovs.start_vswitchd()
    assert back.result().returncode == 0
    assert program.flows() == 2


def test_the_host_is_put_back_even_if_the_flows_cannot_be(program: Program) -> None:
    (program.folder / "flows.txt").write_text("nonsense\n")
    back = program.restore()
    assert back.returncode != 0 and "nonsense" in back.stderr and "Traceback" not in back.stderr
    assert "10.10.0.1/24" in program.ovs.in_netns("ip", "addr", "show", "sluice-gw0")


@pytest.mark.parametrize("name", ["switch.json", "host.json"])
def test_a_damaged_file_is_named(program: Program, name: str) -> None:
    (program.folder / name).write_text('{"links": [')
    back = program.restore()
    assert back.returncode != 0 and f"{name} is damaged" in back.stderr and "Traceback" not in back.stderr


def test_without_a_program_there_is_nothing_to_do(program: Program) -> None:
    for file in program.folder.iterdir():
        file.unlink()
    program.folder.rmdir()
    assert program.restore().returncode == 0


def test_flows_of_live_pods_that_no_inventory_knows_come_back(program: Program) -> None:
    ovs = program.ovs
    ovs.in_netns("ip", "link", "add", "live0", "type", "veth", "peer", "name", "pod0")
    for name in ("live0", "dead0"):
        flow = f"cookie={cookie(OWNER_DYNAMIC, name):#x}, table=classify, priority=50,in_port={len(name) + (name == 'live0')} actions=drop"
        save(str(program.pods), Attachment(
            container_id=name, ifname="eth0", netns=f"/run/netns/{ovs.netns}", namespace="", name="", interface=name,
            mac="0a:00:00:00:00:01", ips=("10.10.0.200",), ofport=0x8000, dynamic=True, flows=(flow,)))
    assert program.restore().returncode == 0
    flows = ovs.ofctl("dump-flows", "br-sluice", "--no-stats")
    assert f"cookie={cookie(OWNER_DYNAMIC, 'live0'):#x}" in flows
    assert f"cookie={cookie(OWNER_DYNAMIC, 'dead0'):#x}" not in flows
