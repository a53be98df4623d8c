# SPDX-License-Identifier: Apache-2.0
"""A lab of the tests' own, the inventory that is put on it, and the playbooks run as a user runs them."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "inventories/demo"
PLAYBOOK_SECONDS = 1800
BACK_SECONDS = 60
REBOOT_SECONDS = 300
BOOT = "cat /proc/sys/kernel/random/boot_id; stat -c %Y /run/systemd"
"""Prints something else after a reboot."""
VIRTUAL = {"sluice_lab_machine": "vm", "sluice_datapath": "system", "sluice_lab_wait": 900, "verify_timeout": 20}
"""Variables of nodes that are virtual machines with their kernel's datapath, and answer late where they are emulated."""


@dataclass(frozen=True)
class Result:
    """One task on one host."""

    host: str
    task: str
    module: str
    outcome: str
    changed: bool
    diff: Any
    msg: Any


@dataclass(frozen=True)
class Run:
    """One run of a playbook."""

    code: int
    output: str
    results: tuple[Result, ...]

    @property
    def changed(self) -> list[tuple[str, str]]:
        return [(result.host, result.task) for result in self.results if result.changed]

    def diffs(self) -> dict[tuple[str, str], Any]:
        return {(result.host, result.task): result.diff for result in self.results if result.changed}


class FabricLab:
    """Playbooks against a lab; the inventory is a folder of the test's own and may be edited between runs."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.inventory = folder / "inventory"
        # Most tests are about the network, in which everybody reaches everybody; those of policies copy them.
        shutil.copytree(DEMO, self.inventory, ignore=shutil.ignore_patterns("artifacts", "allocations.yml", "policies.yml"))
        self.set_variables(sluice_lab_name=name)
        self.ssh_config = Path("/var/lib/sluice-lab", name, "ssh_config")

    @property
    def hosts(self) -> Path:
        return self.inventory / "hosts.yml"

    @property
    def artifacts(self) -> Path:
        return self.inventory / "artifacts/demo"

    def set_nodes(self, *numbers: int) -> None:
        """The inventory's nodes: node<n>, at address 10 + n."""
        nodes = {f"node{number}": {"sluice_lab_number": 10 + number} for number in numbers}
        self.hosts.write_text(yaml.safe_dump({"sluice_nodes": {"hosts": nodes}}))

    def set_variables(self, **variables: Any) -> None:
        """Variables of the inventory that are to differ from the demo's; None takes one back."""
        file = self.inventory / "group_vars/all/test.yml"
        known = yaml.safe_load(file.read_text()) if file.exists() else {}
        known.update(variables)
        file.write_text(yaml.safe_dump({name: value for name, value in known.items() if value is not None}))

    @staticmethod
    def environment() -> dict[str, str]:
        """In which Ansible finds this checkout, wherever it is started."""
        return {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}

    def run(self, playbook: str, *arguments: str) -> Run:
        record = self.inventory.parent / "record.jsonl"
        record.unlink(missing_ok=True)
        environment = {
            **self.environment(), "SLUICE_RECORD": str(record),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"), "ANSIBLE_CALLBACKS_ENABLED": "record"}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.hosts), f"playbooks/{playbook}.yml", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=PLAYBOOK_SECONDS, check=False)
        lines = record.read_text().splitlines() if record.exists() else []
        return Run(done.returncode, done.stdout, tuple(Result(**json.loads(line)) for line in lines))

    def has_done(self, host: str, task: str) -> bool:
        """Whether the run that is under way is beyond that task on that host."""
        record = self.inventory.parent / "record.jsonl"
        return record.exists() and any(
            f'"host": "{host}"' in line and task in line for line in record.read_text().splitlines())

    def succeed(self, playbook: str, *arguments: str) -> Run:
        run = self.run(playbook, *arguments)
        assert run.code == 0, run.output
        return run

    def verify(self) -> None:
        """All pairs, as expected, with real packets."""
        assert "probes are as expected" in self.succeed("verify").output

    def on(self, node: str, command: str, check: bool = True) -> str:
        """Run a shell command on a node; gives what it prints."""
        done = subprocess.run(["ssh", "-F", str(self.ssh_config), node, command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120, check=False)
        assert not check or done.returncode == 0, f"{command} on {node}: {done.stdout}{done.stderr}"
        return done.stdout

    def reboot(self, node: str) -> None:
        """Reboot a node; on return its pods' containers are there again."""
        boot = self.on(node, BOOT)
        self.on(node, "systemctl reboot", check=False)
        end = time.monotonic() + REBOOT_SECONDS
        while time.monotonic() < end:
            try:
                if self.on(node, BOOT, check=False) not in ("", boot):
                    break
            except subprocess.TimeoutExpired:
                pass
            time.sleep(1)
        names = [pod["container_id"].partition("-")[2] for pod in self.pods() if pod["node"] == node]
        while time.monotonic() < end and not all(name in self.on(node, "ctr -n sluice task ls", check=False) for name in names):
            time.sleep(1)

    def wait_until_back(self, node: str) -> None:
        """Until every planned pod of the node reaches a pod of another node, over IPv4 and IPv6."""
        remote = next(pod for pod in self.pods() if pod["node"] != node)
        waiting = [self.pod_command(pod, f"ping -c 1 -W 1 {ip}") for pod in self.pods() if pod["node"] == node for ip in remote["ips"]]
        end = time.monotonic() + BACK_SECONDS
        while waiting and time.monotonic() < end:
            waiting = [command for command in waiting if " 1 received" not in self.on(node, command, check=False)]
        assert not waiting, (waiting, self.on(node, "journalctl -u sluice-node -u ovs-vswitchd -n 40 --no-pager", check=False))

    def pods(self) -> list[dict[str, Any]]:
        """The planned pods of all nodes, each with its node."""
        return [{**pod, "node": file.parent.name} for file in sorted(self.artifacts.glob("*/pods.json"))
                for pod in json.loads(file.read_text())["pods"]]

    def pod(self, prefix: str) -> dict[str, Any]:
        return next(pod for pod in self.pods() if pod["name"].startswith(prefix))

    def pod_command(self, pod: dict[str, Any], command: str) -> str:
        """The shell command that runs another one in the network namespace of a pod, on the pod's node."""
        task = pod["container_id"].partition("-")[2]
        return f"nsenter --net=/proc/$(ctr -n sluice task ls | awk '$1 == \"{task}\" {{print $2}}')/ns/net {command}"
