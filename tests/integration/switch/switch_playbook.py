# SPDX-License-Identifier: Apache-2.0
"""Many tasks in one play, as Ansible takes seconds to start: what each of them gave, against a private Open vSwitch."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ovs_sandbox import OvsSandbox

ROOT = Path(__file__).parents[3]
NODE_PYTHON = "/usr/bin/python3"
PEER = "openvswitch.openvswitch"
PEER_FOLDER = ROOT / ".cache/bench"
"""Where tests/bench/switch_ports.py puts the collection that people come from."""

Task = dict[str, Any]


class Step(NamedTuple):
    """A task, and what it shall give."""

    says: str
    task: Task
    expected: str
    """``changed``, ``unchanged``, ``failed``, or ``prints``."""
    text: str = ""
    """What a command prints, or what a failure's message has in it."""
    reads: Callable[[Mapping[str, Any]], Any] | None = None
    value: Any = None
    """What ``reads`` finds in the result."""

    def wrong(self, result: Mapping[str, Any]) -> str:
        """What is other than it shall be; nothing if it is right."""
        given = outcome(result)
        if self.expected == "prints":
            return "" if not result["rc"] and result["stdout"] == self.text else f"{self.says}: prints {result['stdout']!r} {result['stderr']}"
        if given != self.expected:
            return f"{self.says}: {given} instead of {self.expected}: {result.get('msg', '')} {result.get('plan', '')}"
        if self.text not in str(result.get("msg", "")):
            return f"{self.says}: fails with {result['msg']!r}"
        found = self.reads(result) if self.reads else None
        return "" if found == self.value else f"{self.says}: finds {found!r}"


def outcome(result: Mapping[str, Any]) -> str:
    return "failed" if result.get("failed") else "changed" if result["changed"] else "unchanged"


def switch(says: str, expected: str, config: Any, *, text: str = "", check: bool = False, **options: Any) -> Step:
    """A run of sluice.fabric.switch."""
    return Step(says, {"sluice.fabric.switch": {"config": config, **options}, "check_mode": check}, expected, text)


def holds(text: str, *arguments: str) -> Step:
    """What ovs-vsctl says of the database."""
    return Step(f"ovs-vsctl {' '.join(arguments)}", {"ansible.builtin.command": {"argv": ["ovs-vsctl", *arguments]}}, "prints", text)


def info(says: str, reads: Callable[[Mapping[str, Any]], Any], value: Any, **options: Any) -> Step:
    """A run of sluice.fabric.switch_info, which never says changed."""
    return Step(says, {"sluice.fabric.switch_info": options}, "unchanged", reads=reads, value=value)


def by_hand(*arguments: str) -> Step:
    """What somebody does with ovs-vsctl."""
    return holds("", *arguments)


def run_tasks(ovs: OvsSandbox, folder: Path, tasks: Sequence[Task], *flags: str) -> list[dict[str, Any]]:
    """Every task's result, also of those that fail. Without ``database``, ours and ovs-vsctl use the sandbox's."""
    play, found = folder / "play.yml", folder / "results.json"
    registered = [{"ignore_errors": True, "register": f"result_{number}", **task} for number, task in enumerate(tasks)]
    names = ", ".join(task["register"] for task in registered)
    keep = {"ansible.builtin.copy": {"dest": str(found), "mode": "0600", "content": f"{{{{ [{names}] | to_json }}}}"}, "check_mode": False, "diff": False}
    ours = {"database": ovs.database}
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [*registered, keep], "module_defaults": {
        "sluice.fabric.switch": ours, "sluice.fabric.switch_info": ours}}]))
    done = ansible_playbook(ovs, "-i", "localhost,", *flags, str(play))
    assert done.returncode == 0, done.stdout + done.stderr
    results: list[dict[str, Any]] = json.loads(found.read_text())
    return results


def ansible_playbook(ovs: OvsSandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A playbook on this host as the node, where ovs-vsctl finds the sandbox. It runs in its own folder."""
    env = {**ovs.env, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'collections'}:{PEER_FOLDER}",
           "ANSIBLE_NOCOLOR": "1", "PATH": os.environ["PATH"]}
    return subprocess.run([str(Path(sys.executable).with_name("ansible-playbook")), "-c", "local", "-e", f"ansible_python_interpreter={NODE_PYTHON}",
                           *arguments], cwd=Path(arguments[-1]).parent, env=env, capture_output=True, text=True, check=False, timeout=1800)


def run_steps(ovs: OvsSandbox, folder: Path, scenarios: Mapping[str, Sequence[Step]]) -> dict[str, list[str]]:
    """All scenarios in one play; for each, what is wrong."""
    steps = [step for scenario in scenarios.values() for step in scenario]
    results = iter(run_tasks(ovs, folder, [{"name": step.says, **step.task} for step in steps]))
    return {name: [wrong for step in scenario for wrong in [step.wrong(next(results))] if wrong] for name, scenario in scenarios.items()}
