# SPDX-License-Identifier: Apache-2.0
"""sluice.fabric.flows and flows_info as Ansible runs them, with the Python that a Debian node has."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flows.flow_bridge import FlowBridge
from ovs_sandbox import OvsSandbox

from sluice.ovs.kept import kept_path
from sluice.ovs.program import Owner

ROOT = Path(__file__).parents[3]
NODE_PYTHON = "/usr/bin/python3"
TABLES = {"0": "classify", "10": "route"}
PROGRAM = """
# what comes in
cookie=0x51c3000000000001, table=classify, priority=200,ip,in_port=5 actions=set_field:0x3/0xf->reg0,goto_table:route
cookie=0x51c3000000000002, table=route, priority=100,ip,nw_dst=10.0.0.2 actions=ct(commit,zone=5,exec(set_field:0x1->ct_mark)),output:2
"""
COOKIE = "0x51c3000000000000/0xffff000000000000"


@pytest.fixture(autouse=True)
def nothing_stays_on_the_host() -> Iterator[None]:
    """The module keeps what it has encoded of long texts where a node does."""
    yield
    Path(kept_path("br0", Owner())).unlink(missing_ok=True)


def module(name: str, options: dict[str, Any], *flags: str) -> dict[str, Any]:
    """The module's result, with the printed diff under ``printed``."""
    env = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
    done = subprocess.run([str(Path(sys.executable).parent / "ansible"), "-i", "localhost,", "-c", "local", "localhost",
                           "-e", f"ansible_python_interpreter={NODE_PYTHON}", "-m", f"sluice.fabric.{name}", "-a", json.dumps(options),
                           *flags], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)
    printed, found, result = done.stdout.rpartition("localhost | ")
    assert found, done.stdout + done.stderr
    return {**json.loads(result[result.index("{"):]), "failed": result.startswith("FAILED"), "printed": printed}


def test_predicts_then_does_then_leaves_alone(bridge: FlowBridge) -> None:
    bridge.ovs.ofctl("add-flow", "br0", "cookie=0x51cd000000000001,priority=7,arp actions=NORMAL")
    options = {"bridge": "br0", "socket": bridge.address, "tables": TABLES, "cookie": COOKIE, "flows": PROGRAM,
               "groups": ["group_id=1,type=all"]}
    predicted = module("flows", options, "--check", "--diff")
    assert len(bridge.dump()) == 1
    done = module("flows", options, "--diff")
    assert predicted == done
    assert (done["changed"], done["added"], done["removed"], done["modified"]) == (True, 3, 0, 0)
    assert "+ cookie=0x51c3000000000001, table=classify, priority=200,ip,in_port=5 actions=" in done["printed"]
    assert len(bridge.dump()) == 3
    again = module("flows", options, "--diff")
    assert (again["changed"], again["plan"], again["printed"].strip()) == (False, [], "")

    found = module("flows_info", {"bridge": "br0", "socket": bridge.address, "tables": TABLES, "cookie": COOKIE, "statistics": True})
    assert found["flows"] == PROGRAM.strip().splitlines()[1:]
    assert found["statistics"] == [{"packets": 0, "bytes": 0}] * 2
    assert found["groups"] == options["groups"]
    assert found["meters"] == []
    assert not module("flows", {**options, "flows": found["flows"]})["changed"]

    gone = module("flows", {**options, "state": "deleted", "flows": None, "groups": None})
    assert (gone["changed"], gone["removed"]) == (True, 2)
    assert len(bridge.dump()) == 1


def test_a_pristine_node_is_predicted_and_then_refused_in_words(tmp_path: Path) -> None:
    options = {"bridge": "br0", "socket": f"unix:{tmp_path}/br0.mgmt", "flows": "actions=drop"}
    predicted = module("flows", options, "--check")
    assert (predicted["changed"], predicted["added"]) == (True, 1)
    refused = module("flows", options)
    assert refused["failed"]
    assert refused["msg"].startswith("bridge br0: cannot connect to ")


@pytest.mark.parametrize(("options", "says"), [
    ({"flows": "ip\narp,x=1 actions=drop"}, "2 problems in the input"),
    ({"flows": {"a": 1}}, "flows: expected a text"),
    ({"flows": [], "cookie": "x"}, "cookie: 'x' is not a cookie"),
    ({"flows": [], "tables": {"999": "x"}}, "tables: '999' is not the number of a table"),
    ({}, "state is overridden but all of the following are missing: flows"),
])
def test_refuses_wrong_input(ovs: OvsSandbox, options: dict[str, Any], says: str) -> None:
    result = module("flows", {"bridge": "br0", "socket": f"unix:{ovs.directory}/br0.mgmt", **options})
    assert result["failed"]
    assert says in result["msg"]
    assert "Traceback" not in result["msg"]


def test_the_switchs_refusal_reaches_the_user(bridge: FlowBridge) -> None:
    result = module("flows", {"bridge": "br0", "socket": bridge.address, "flows": "priority=3 actions=group:9\npriority=4 actions=drop"})
    assert result["failed"]
    assert "priority=3 actions=group:9: " in result["msg"]
    assert bridge.dump() == []


def test_long_plans_are_cut_but_the_diff_is_whole(bridge: FlowBridge) -> None:
    result = module("flows", {"bridge": "br0", "socket": bridge.address, "flows": [f"priority={n} actions=drop" for n in range(150)]}, "--diff")
    assert (result["added"], len(result["plan"])) == (150, 100)
    assert result["printed"].count("+ cookie=0x0") == 150
