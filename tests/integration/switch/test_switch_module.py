# SPDX-License-Identifier: Apache-2.0
"""sluice.fabric.switch and switch_info as Ansible runs them, with the Python that a Debian node has."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ovs_sandbox import OvsSandbox
from switch_engine import contents, dump, ports_of

ROOT = Path(__file__).parents[3]
NODE_PYTHON = "/usr/bin/python3"


def ansible(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An Ansible command against this host, as a node is."""
    env = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
    return subprocess.run([str(Path(sys.executable).parent / command), "-i", "localhost,", "-c", "local",
                           "-e", f"ansible_python_interpreter={NODE_PYTHON}", *arguments],
                          cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)


def module(name: str, options: dict[str, Any], *flags: str) -> dict[str, Any]:
    """The module's result, with the printed diff under ``printed``."""
    done = ansible("ansible", "localhost", "-m", f"sluice.fabric.{name}", "-a", json.dumps(options), *flags)
    printed, found, result = done.stdout.rpartition("localhost | ")
    assert found, done.stdout + done.stderr
    return {**json.loads(result[result.index("{"):]), "failed": result.startswith("FAILED"), "printed": printed}


def test_predicts_then_does_then_leaves_alone(ovs: OvsSandbox) -> None:
    options = {"database": ovs.database, "config": ports_of("br0", "p1", tag=5), "state": "overridden"}
    untouched = dump(ovs)
    predicted = module("switch", options, "--check", "--diff")
    assert dump(ovs) == untouched
    done = module("switch", options, "--diff")
    assert predicted == done
    assert done["changed"]
    assert "+        tag: 5" in done["printed"]
    again = module("switch", options, "--diff")
    assert (again["changed"], again["plan"], again["printed"].strip()) == (False, [], "")
    assert ovs.vsctl("get", "Port", "p1", "tag").strip() == "5"

    found = module("switch_info", {"database": ovs.database, "statistics": True})
    assert found["gathered"] == contents(ovs)[0]
    assert found["interfaces"]["p1"]["ofport"] == 1
    assert found["interfaces"]["p1"]["statistics"]["rx_packets"] == 0
    assert found["realised"] is True
    assert not module("switch", {**options, "config": found["gathered"]})["changed"]


def test_refuses_wrong_input_and_changes_nothing(ovs: OvsSandbox) -> None:
    untouched = dump(ovs)
    result = module("switch", {"database": ovs.database, "config": {"bridges": [
        {"name": "br0", "ports": [{"name": "p", "tag": 5000}]}, {}]}})
    assert result["failed"]
    assert result["msg"].splitlines() == [
        "2 problems in the input:", "  - bridges[0].ports[0].tag: is 5000; expected a whole number from 0 to 4095",
        "  - bridges[1].name: is missing; expected a name"]
    assert dump(ovs) == untouched


def test_fails_with_the_words_of_ovs(ovs: OvsSandbox) -> None:
    result = module("switch", {"database": ovs.database, "config": {"bridges": [
        {"name": "br0", "datapath_type": "netdev", "ports": [{"name": "nosuch"}]}]}})
    assert (result["failed"], result["changed"]) == (True, True)
    assert "could not open network device nosuch (No such device)" in result["msg"]
