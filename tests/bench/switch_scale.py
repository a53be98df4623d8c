# SPDX-License-Identifier: Apache-2.0
"""A switch of a thousand ports: sluice.fabric.switch beside one raw ovs-vsctl transaction plus one empty module execution.

``python tests/bench/switch_scale.py [--ports N] [--rounds N] [--datapath TYPE]``. Both sides are in one run and take turns, each with an Open
vSwitch of its own: create the ports, run again unchanged, change one option of one port, the same of all ports, purge half of them. What is
timed of Ansible is the task, from its start to its result, as its callback sees it: our task, and in the same play an `ansible.builtin.ping`.
The other side's ovs-vsctl says, like our config, how all ports shall be; beside it, one that says only what is to change.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration")]

from ovs_sandbox import OvsSandbox  # noqa: E402

from bench import process  # noqa: E402

NODE_PYTHON = "/usr/bin/python3"
EXPECTED = 2.0
PHASES = ("create", "no change", "one option of one port", "one option of all ports", "purge of half")

CALLBACK = """
import json, time
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "task_seconds"

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.began = time.perf_counter()

    def v2_runner_on_ok(self, result):
        seconds = time.perf_counter() - self.began
        print(json.dumps({"task": result._task.get_name(), "seconds": seconds, "changed": result._result.get("changed", False)}))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        print(result._result.get("msg"))
"""


def wanted(ports: int, phase: str) -> Mapping[str, tuple[int, str]]:
    """Each port's tag and what its external id says."""
    left = range(0, ports, 2) if phase == "purge of half" else range(ports)
    changed = {"one option of one port": {5}, "one option of all ports": set(left), "purge of half": set(left)}.get(phase, set())
    return {f"p{number}": (number % 4095, f"y{number}" if number in changed else f"x{number}") for number in left}


def config(ports: int, phase: str, datapath: str) -> dict[str, Any]:
    return {"bridges": [{"name": "br0", "datapath_type": datapath, "ports": [
        {"name": name, "tag": tag, "external_ids": {"pod": pod}, "interfaces": [{"name": name, "type": "internal"}]}
        for name, (tag, pod) in wanted(ports, phase).items()]}]}


def vsctl(ports: int, phase: str, datapath: str) -> list[str]:
    """One transaction that makes the same."""
    command = ["ovs-vsctl", "--may-exist", "add-br", "br0", "--", "set", "Bridge", "br0", f"datapath_type={datapath}"]
    left = wanted(ports, phase)
    for name, (tag, pod) in left.items():
        command += ["--", "--may-exist", "add-port", "br0", name, "--", "set", "Port", name, f"tag={tag}", f"external_ids:pod={pod}", "--",
                    "set", "Interface", name, "type=internal"]
    for number in range(ports):
        if f"p{number}" not in left:
            command += ["--", "--if-exists", "del-port", "br0", f"p{number}"]
    return command


def least(ports: int, phase: str, datapath: str) -> list[str]:
    """One transaction that makes only the change, by somebody who knows what there is."""
    changes = {"one option of one port": [["set", "Port", "p5", "external_ids:pod=y5"]],
               "one option of all ports": [["set", "Port", f"p{number}", f"external_ids:pod=y{number}"] for number in range(ports)],
               "purge of half": [["del-port", "br0", f"p{number}"] for number in range(1, ports, 2)]}.get(phase)
    return ["ovs-vsctl", *(word for change in changes for word in ("--", *change))] if changes else vsctl(ports, phase, datapath)


class Ansible:
    """Runs a play with a ping and our task, and tells what each took."""

    def __init__(self, folder: Path, ports: int, datapath: str) -> None:
        (folder / "task_seconds.py").write_text(CALLBACK)
        self._env = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                     "ANSIBLE_CALLBACK_PLUGINS": str(folder), "ANSIBLE_STDOUT_CALLBACK": "task_seconds"}
        self._plays = {}
        for index, phase in enumerate(PHASES):
            play = folder / f"{index}.yml"
            ours = {"database": "{{ database }}", "config": config(ports, phase, datapath), "state": "overridden", "wait_timeout": 120}
            play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [
                {"name": "ping", "ansible.builtin.ping": {}}, {"name": "ours", "sluice.fabric.switch": ours}]}]))
            self._plays[phase] = play

    def run(self, ovs: OvsSandbox, phase: str) -> Mapping[str, float]:
        """Seconds of ``ping`` and of ``ours``."""
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "-e",
                   f"ansible_python_interpreter={NODE_PYTHON}", "-e", f"database={ovs.database}", str(self._plays[phase])]
        _, output = process(command, {**ovs.env, **self._env})
        tasks = {task["task"]: task for task in map(json.loads, filter(lambda line: line.startswith("{"), output.splitlines()))}
        assert tasks["ours"]["changed"] is (phase != "no change"), f"{phase}: {output}"
        return {name: task["seconds"] for name, task in tasks.items()}


def ports_of(ovs: OvsSandbox) -> str:
    """What both sides have to have led to."""
    return "".join(sorted(ovs.vsctl("--bare", "--columns=name,tag", "list", "Port")))


def one_round(ansible: Ansible, ports: int, datapath: str) -> dict[str, dict[str, float]]:
    """Seconds by phase and what was timed."""
    seconds: dict[str, dict[str, float]] = {}
    with OvsSandbox() as ours, OvsSandbox() as theirs, OvsSandbox() as knowing:
        for phase in PHASES:
            print(f"  {phase}", file=sys.stderr, flush=True)
            raw, _ = process(vsctl(ports, phase, datapath), theirs.env)
            only, _ = process(least(ports, phase, datapath), knowing.env)
            seconds[phase] = {"ovs-vsctl": raw.wall, "least": only.wall, **ansible.run(ours, phase)}
            assert ports_of(ours) == ports_of(theirs) == ports_of(knowing), phase
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ports", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--datapath", default="dummy", help="dummy has no devices; netdev makes a tap a port")
    options = parser.parse_args()
    os.chdir(ROOT)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        ansible = Ansible(Path(folder), options.ports, options.datapath)
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            rounds.append(one_round(ansible, options.ports, options.datapath))
    print(f"{options.ports} ports on one bridge of type {options.datapath}; seconds by the clock, medians of {options.rounds} rounds\n")
    print("| phase | sluice.fabric.switch | empty module | ovs-vsctl: all | times | as expected | ovs-vsctl: only the change | times |\n"
          "|---|---:|---:|---:|---:|---|---:|---:|")
    for phase in PHASES:
        ours, raw, only, empty = (median(each[phase][what] for each in rounds) for what in ("ours", "ovs-vsctl", "least", "ping"))
        times = ours / (raw + empty)
        print(f"| {phase} | {ours:.3f} | {empty:.3f} | {raw:.3f} | {times:.2f} | {'yes' if times <= EXPECTED else 'NO'} "
              f"| {only:.3f} | {ours / (only + empty):.2f} |")


if __name__ == "__main__":
    main()
