# SPDX-License-Identifier: Apache-2.0
"""Labs for tests: the real module in a process of its own, and a look at everything that a lab leaves on the host."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Sequence

from sluice.lab.cgroups import hierarchies

REPOSITORY = Path(__file__).resolve().parents[3]
DIRECTORY = Path("/var/lib/sluice-lab")
PACKAGES = ["conntrack", "containerd", "ethtool", "iperf3", "nftables", "openvswitch-switch", "python3-netaddr", "python3-openvswitch",
            "python3-yaml", "runc", "tcpdump"]
# How long a virtual machine may take: half a minute of one core without KVM, which it may have to share.
BOOT_SECONDS = 600

# What Ansible does with a module on a host, without Ansible around it: so that a test can kill exactly this process.
_RUNNER = """
import json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.argv[1].encode()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.sluice.fabric.plugins.modules import lab
lab.main()
"""


def start_module(options: dict[str, Any], check: bool = False) -> subprocess.Popen[str]:
    """Start sluice.fabric.lab with ``options``."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(REPOSITORY / "collections")}
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check}})
    return subprocess.Popen([sys.executable, "-c", _RUNNER, arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=environment)


def run_module(options: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """Run sluice.fabric.lab and return its result."""
    output, errors = start_module(options, check).communicate()
    assert not errors, errors
    result: dict[str, Any] = json.loads(output)
    return result


class LabHost:
    """A lab named ``name`` with nodes n1, n2 … whose addresses end in these numbers plus 10."""

    def __init__(self, name: str, **options: Any) -> None:
        self.name = name
        self.options = {"packages": PACKAGES, **options}

    def arguments(self, numbers: Sequence[int], machine: str = "container", **options: Any) -> dict[str, Any]:
        """The module's options for the nodes with these numbers."""
        nodes = [{"name": f"n{number}", "machine": machine, "management": [f"192.168.76.{number + 10}", f"fd76::{number + 10}"],
                  "underlay": [f"192.168.77.{number + 10}", f"fd77::{number + 10}"]} for number in numbers]
        return {"name": self.name, "nodes": nodes, "management": {"ipv4": "192.168.76.0/24", "ipv6": "fd76::/64"},
                "underlay": {"ipv4": "192.168.77.0/24", "ipv6": "fd77::/64"}, **self.options, **options}

    def up(self, *numbers: int, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module for the nodes with these numbers; it must succeed."""
        result = run_module(self.arguments(numbers, **options), check)
        assert not result.get("failed"), result
        return result

    def down(self, check: bool = False) -> dict[str, Any]:
        """Remove the lab."""
        result = run_module({"name": self.name, "state": "absent"}, check)
        assert not result.get("failed"), result
        return result

    def ssh(self, number: int, command: str, check: bool = True) -> str:
        """Run a shell command on a node."""
        result = subprocess.run(["ssh", "-F", str(DIRECTORY / self.name / "ssh_config"), f"n{number}", command], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=120)
        assert not check or result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result.stdout.strip()

    def boot_id(self, number: int) -> str:
        """What is another after each boot: when process 1 of the node began, in the host's clock ticks."""
        return self.ssh(number, "cut -d' ' -f22 /proc/1/stat")

    def traces(self) -> set[str]:
        """All that there is of this lab on the host, found without the engine's own bookkeeping."""
        mark = f"sluice-{self.name}"
        home = str(DIRECTORY / self.name)
        found = {f"netns {entry.name}" for entry in Path("/run/netns").glob("*") if entry.name == mark or entry.name.startswith(f"{mark}-")}
        found |= {f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if mark in line or f"{home}/" in line}
        found |= {f"cgroup {folder}" for hierarchy in hierarchies() for folder in hierarchy.glob(f"**/{mark}")}
        found |= {f"folder {entry}" for pattern in ("*", ".*") for entry in DIRECTORY.glob(f"{pattern}{self.name}*")}
        found |= {f"nspawn {entry}" for entry in Path("/run/systemd/nspawn").glob(f"**/*{mark}*")}
        return found | {f"process {process}" for process in self._processes(mark, home)}

    def _processes(self, mark: str, home: str) -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                told = (process / "cmdline").read_text() + (process / "cgroup").read_text() + (process / "mountinfo").read_text()
            except OSError:
                continue
            if f"{home}/" in told or f"/{mark}/" in told or f"{mark}-" in told:
                found.append(f"{process.name} {(process / 'cmdline').read_text()[:80]}")
        return found
