# SPDX-License-Identifier: Apache-2.0
"""Killed at any moment, a run from one switch to another leaves the one or the other, and never something between."""
from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ovs_sandbox import OvsSandbox
from switch_engine import Config, anyway, everything

KILLS = int(os.environ.get("SLUICE_KILLS", "16"))
"""By victim."""

RUN = """
import json, sys
from sluice.ovs.switch.apply import NotRealised, apply
remote, config = sys.argv[1], json.load(sys.stdin)
def about_to_commit(have, goal):
    print("now", flush=True)
try:
    apply(remote, config, "overridden", "sluice", 20, prepare=about_to_commit)
except NotRealised:
    pass
"""


def switch(number: int) -> Config:
    """Two of many ports, of which half have the same names, with rows of most tables below."""
    ports: list[Config] = [{
        "name": f"p{index}", "tag": number, "external_ids": {f"key{number}": "x"},
        **({"qos": {"type": "linux-htb", "queues": {str(number): {"dscp": number}}}} if index % 3 == number % 3 else {}),
        "interfaces": [{"name": f"p{index}", "type": "internal", "mtu_request": 1400 + number}]} for index in range(30 * number, 30 * number + 60)]
    return {
        "external_ids": {"which": str(number)},
        "bridges": [
            {"name": "br0", "datapath_type": "dummy", "fail_mode": "secure", "other_config": {"which": str(number)}, "ports": ports,
             "mirrors": [{"name": f"m{number}", "select_src_port": ["p61"], "output_port": "p62"}],
             "flow_tables": {str(number): f"table{number}"},
             "sample_collector_sets": [{"id": number, "ipfix": {"targets": ["127.0.0.1:4739"]}}]},
            {"name": f"br{number}", "datapath_type": "dummy", "controllers": [{"target": f"tcp:127.0.0.1:{number}"}]}],
        "datapaths": {"netdev": {"ct_zones": {str(number): {"timeout_policy": {"timeouts": {"udp_first": number}}}}}}}


STATES = (switch(1), switch(2))


@pytest.fixture(scope="module")
def live() -> Iterator[OvsSandbox]:
    with OvsSandbox() as sandbox:
        yield sandbox


def start(ovs: OvsSandbox, config: Config) -> subprocess.Popen[str]:
    """The run, as far as it is about to commit."""
    process = subprocess.Popen([sys.executable, "-c", RUN, ovs.database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")})
    assert process.stdin
    process.stdin.write(json.dumps(config))
    process.stdin.close()
    return process


def kill_run(ovs: OvsSandbox, process: subprocess.Popen[str]) -> None:
    process.kill()


def kill_server(ovs: OvsSandbox, process: subprocess.Popen[str]) -> None:
    ovs.kill("ovsdb-server")


@pytest.mark.parametrize("kill", [kill_run, kill_server])
def test_one_or_the_other(live: OvsSandbox, kill: Callable[[OvsSandbox, subprocess.Popen[str]], None]) -> None:
    """Some of the kills are at any time of the run, most at any time around the commit, of which the length is measured first."""
    anyway(live, STATES[1], "overridden")
    contents = [None, everything(live)]
    anyway(live, STATES[0], "overridden")
    contents[0] = everything(live)
    assert contents[0] != contents[1]
    choice = random.Random(KILLS)
    there, found = 0, Counter[str]()
    whole, commit = durations(live)
    for turn in range(KILLS):
        with start(live, STATES[1 - there]) as process:
            if turn % 4 == 0:
                time.sleep(choice.uniform(0, whole))
            else:
                assert process.stdout
                process.stdout.readline()
                time.sleep(choice.uniform(0, commit * (0.3 if turn % 2 else 1.2)))
            kill(live, process)
        if kill is kill_server:
            live.start_ovsdb()
        now: Any = everything(live)
        assert now in contents, "something between"
        done = now == contents[1 - there]
        found["done" if done else "not done"] += 1
        there = 1 - there if done else there
    assert len(found) == 2, f"all kills were too early or too late: {found}"
    anyway(live, STATES[1 - there], "overridden")
    assert everything(live) == contents[1 - there]


def durations(ovs: OvsSandbox) -> tuple[float, float]:
    """Seconds of a whole run, and of what comes after it was about to commit; the switch is as before."""
    which = int(everything(ovs)[0]["external_ids"]["which"]) - 1
    began = time.monotonic()
    with start(ovs, STATES[1 - which]) as process:
        assert process.stdout
        process.stdout.readline()
        committing = time.monotonic()
        process.wait(60)
        ended = time.monotonic()
    anyway(ovs, STATES[which], "overridden")
    return ended - began, ended - committing
