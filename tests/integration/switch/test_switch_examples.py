# SPDX-License-Identifier: Apache-2.0
"""Every example of sluice.fabric.switch, of switch_info and of docs/switch.md runs as it is printed: the first time it does something,
the second time nothing."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ovs_sandbox import AnyDevice

from documents import blocks

ROOT = Path(__file__).parents[3]
READS = ("gathered", "rendered", "parsed")
"""States that change nothing."""
ELSEWHERE = ("target", "confirm_timeout")
"""Options that need more than a switch: test_switch_remote.py and confirm/test_uplink.py are about them."""


@pytest.fixture
def machine() -> Iterator[AnyDevice]:
    sandbox = AnyDevice()
    with sandbox:
        yield sandbox


def examples(module: str) -> list[dict[str, Any]]:
    source = (ROOT / f"plugins/modules/{module}.py").read_text()
    tasks: list[dict[str, Any]] = yaml.safe_load(source.partition('EXAMPLES = r"""')[2].partition('"""')[0])
    return tasks


def options(task: dict[str, Any]) -> dict[str, Any]:
    return task.get("sluice.fabric.switch") or {}


def twice(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The task two times, each followed by what its result has to be."""
    name = task.get("register", "result")
    given = options(task)
    # A config that is a variable here is what was read just before.
    changes = given.get("state", "merged") not in READS and not isinstance(given.get("config"), str)
    return [step for expected in (changes, False) for step in (
        {**task, "register": name},
        {"name": f"{task['name']}: {'changed' if expected else 'unchanged'}",
         "ansible.builtin.assert": {"that": [f"{name}.changed == {expected}", f"(({name}.plan | default([])) != []) == {expected}"],
                                    "fail_msg": f"changed {{{{ {name}.changed }}}}: {{{{ {name}.plan | default([]) }}}}"}})]


def play(machine: AnyDevice, folder: Path, tasks: list[dict[str, Any]]) -> None:
    where = {"database": machine.database}
    file = folder / "play.yml"
    file.write_text(yaml.safe_dump([{
        "hosts": "localhost", "gather_facts": False, "tasks": tasks, "vars": {"tunnel_secret": "swordfish"},
        "module_defaults": {"sluice.fabric.switch": where, "sluice.fabric.switch_info": where}}], sort_keys=False))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3",
         str(file)], cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "swordfish" not in done.stdout


def by_hand(machine: AnyDevice, folder: Path) -> None:
    """What the examples find: a bridge that somebody made, and what was kept of its database."""
    machine.vsctl("add-br", "br-old", "--", "add-port", "br-old", "eth9")
    dump = subprocess.run(["ovsdb-client", "dump", "--format=json", machine.database, "Open_vSwitch"], capture_output=True, text=True, check=True)
    (folder / "node1.json").write_text(dump.stdout)


def test_examples_of_switch_run_as_they_are_printed(machine: AnyDevice, tmp_path: Path) -> None:
    by_hand(machine, tmp_path)
    tasks = [task for task in examples("switch") if not any(option in options(task) for option in ELSEWHERE)]
    play(machine, tmp_path, [step for task in tasks for step in twice(task)])
    # What was not made by the module is all that the last example leaves.
    assert machine.vsctl("list-br").split() == []
    assert machine.vsctl("--format=json", "--columns=external_ids", "list", "Open_vSwitch").count("sluice") == 0


def test_tasks_of_the_page_run_as_they_are_printed(machine: AnyDevice, tmp_path: Path) -> None:
    by_hand(machine, tmp_path)
    shown = [(block.words[:1], yaml.safe_load(block.text)) for block in blocks(ROOT / "docs/switch.md") if block.language == "yaml"]
    tasks = [task for (word,), content in shown for task in (content[0]["tasks"] if word == "playbook" else content)]
    assert len(tasks) > 12
    play(machine, tmp_path, [step for task in tasks for step in twice(task)])


def test_examples_of_switch_info_run_as_they_are_printed(machine: AnyDevice, tmp_path: Path) -> None:
    machine.vsctl("add-br", "br0", "--", "add-port", "br0", "eth1")
    play(machine, tmp_path, examples("switch_info"))


def test_each_state_and_each_table_has_an_example() -> None:
    tasks = examples("switch")
    assert {options(task).get("state", "merged") for task in tasks} == {"merged", "replaced", "overridden", "deleted", *READS}
    text = json.dumps(tasks)
    assert [key for key in ("controllers", "mirrors", "netflow", "sflow", "ipfix", "sample_collector_sets", "qos", "queues", "managers", "ssl",
                            "timeout_policy", "flow_tables", "bfd", "cfm_mpid", "adopt") if f'"{key}"' not in text] == []
