# SPDX-License-Identifier: Apache-2.0
"""When the role restarts Open vSwitch: run by Ansible as it is, but that a file is written in place of the restart."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/smartnic"
OFF: dict[str, Any] = {"other_config": {}}
ON: dict[str, Any] = {"other_config": {"hw-offload": "true"}}


def switched(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {"before": before, "after": after}


def run(folder: Path, *switches: dict[str, Any], check: bool = False) -> list[bool]:
    """Whether each of these results of sluice.fabric.switch leads to a restart, one run after the other; in check mode, whether it would."""
    record = str(folder / "lib/hw-offload")
    assert yaml.safe_load((ROLE / "vars/main.yml").read_text())["smartnic_restarted_file"] in yaml.safe_load(
        (ROOT / "roles/node_facts/defaults/main.yml").read_text())["node_facts_files"]
    tasks: list[dict[str, Any]] = []
    for number, switch in enumerate(switches):
        (block,) = yaml.safe_load((ROLE / "tasks/restart.yml").read_text())
        restart = block["block"][0]
        assert restart.pop("ansible.builtin.service") == {"name": "ovs-vswitchd", "state": "restarted"}
        restart["ansible.builtin.copy"] = {"dest": str(folder / f"restarted{number}"), "content": "restarted", "mode": "0600"}
        restart["register"] = f"restart{number}"
        facts = {"files": {record: f"{{{{ ('{record}' is exists) | ternary('its checksum', none) }}}}"}}
        block["vars"].update(smartnic_restarted_file=record, smartnic_switch=switch)
        tasks += [{"ansible.builtin.set_fact": {"node_facts_result": facts}}, block,
                  {"ansible.builtin.debug": {"msg": f"{number}: {{{{ restart{number}.changed | default(false) }}}}"}}]
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}",
               *(["--check"] if check else []), str(folder / "play.yml")]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [f'"msg": "{number}: True"' in done.stdout for number in range(len(switches))]


def test_a_restart_that_a_run_did_not_come_to_is_made_by_the_next(tmp_path: Path) -> None:
    # The run that turned offload on has ended before it: nothing is kept of it.
    assert run(tmp_path, switched(ON, ON), check=True) == [True]
    assert not (tmp_path / "lib").exists()
    after_one_that_ended = [switched(ON, ON), switched(ON, ON), switched(OFF, OFF), switched(OFF, OFF)]
    assert run(tmp_path, *after_one_that_ended) == [True, False, True, False]


def test_a_change_restarts_once_and_nothing_else_does(tmp_path: Path) -> None:
    results = [switched(OFF, OFF), switched({}, ON), switched(ON, ON), switched(ON, OFF), switched(OFF, OFF)]
    assert run(tmp_path, *results) == [False, True, False, True, False]


def test_a_new_database_restarts_although_the_old_one_had_it_too(tmp_path: Path) -> None:
    assert run(tmp_path, switched(OFF, ON), switched({}, ON)) == [True, True]
