# SPDX-License-Identifier: Apache-2.0
"""Applying a bridge's flows: Sluice against ``ovs-ofctl --bundle replace-flows``, interleaved, as whole processes.

    .venv/bin/python tests/bench/flow_apply.py [flows …]        (default: 1000 10000)

Both read the same text and end with the same flows. A row is one situation; times are medians in milliseconds; ratios are
ovs-ofctl / Sluice, so above 1 Sluice is faster. CPU is the client's (with its interpreter's start) plus ovs-vswitchd's.
Sluice verifies what it has done by reading back, which ovs-ofctl does not.
"""
from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from ovs_sandbox import OvsSandbox  # noqa: E402 - found by the line above

NODE_PYTHON = "/usr/bin/python3"
ROUNDS = 7
APPLY = """
import sys
sys.path.insert(0, sys.argv[1])
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.program import encode_program
with open(sys.argv[3]) as file:
    apply_program(sys.argv[2], encode_program(file, None, None, {}), {})
"""


class Cost(NamedTuple):
    """Milliseconds."""

    wall: float
    client: float
    switch: float

    @property
    def cpu(self) -> float:
        """Of both processes."""
        return self.client + self.switch


def program(count: int, changed: int = 0) -> list[str]:
    """Flows like those of a pod network: few forms, many addresses and ports; ``changed`` of them have another port."""
    lines = []
    for number in range(count):
        port = number % 30_000 + 16 + (1 if number < changed else 0)
        address = f"10.{number >> 14}.{number >> 6 & 255}.{(number & 63) + 2}"
        mac = f"0a:00:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        cookie = 0x51C3 << 48 | number // 5
        if number % 5 == 0:
            flow = f"table=10, priority=200,ip,in_port={port},dl_src={mac},nw_src={address} actions=set_field:0x3/0xf->reg0,goto_table:20"
        elif number % 5 == 1:
            flow = f"table=11, priority=200,arp,in_port={port},arp_spa={address},arp_sha={mac} actions=goto_table:12"
        elif number % 5 == 2:
            flow = f"table=30, priority=200,ip,nw_dst={address} actions=set_field:{mac}->eth_dst,set_field:{port:#x}->reg1,goto_table:40"
        elif number % 5 == 3:
            flow = f"table=5, priority=200,tcp,ct_state=-new+trk,nw_dst={address},tp_dst={number & 0xFFFF} actions=goto_table:60"
        else:
            flow = f"table=60, priority=100,ip,reg1={port:#x},metadata={number:#x} actions=ct(commit,table=70,zone=65520)"
        lines.append(f"cookie={cookie:#x}, {flow}")
    return lines


def switch_cpu(pid: int) -> float:
    """Milliseconds of CPU that all threads of a process have had."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e6


def run(ovs: OvsSandbox, command: list[str]) -> Cost:
    """One process, from its start to its end."""
    before = switch_cpu(ovs.pid("ovs-vswitchd"))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, env=ovs.env, check=True, capture_output=True)
    wall = (time.perf_counter() - started) * 1e3
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = (after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime) * 1e3
    return Cost(wall, client, switch_cpu(ovs.pid("ovs-vswitchd")) - before)


def measure(ovs: OvsSandbox, count: int) -> None:
    """Print the rows for ``count`` flows."""
    ovs.vsctl("--if-exists", "del-br", "br0", "--", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure")
    texts = {"same": program(count), "one": program(count, 1), "all": program(count, count)}
    files = {}
    for name, lines in texts.items():
        files[name] = ovs.directory / f"{name}.txt"
        files[name].write_text("\n".join(lines) + "\n")
    address = f"unix:{ovs.directory}/br0.mgmt"

    def ours(name: str) -> list[str]:
        return [NODE_PYTHON, "-I", "-S", "-c", APPLY, str(ROOT / "src"), address, str(files[name])]

    def theirs(name: str) -> list[str]:
        return ["ovs-ofctl", "-O", "OpenFlow15", "--bundle", "replace-flows", "br0", str(files[name])]

    situations = {"fresh": (None, "same"), "no change": ("same", "same"), "1 changed": ("same", "one"), "all changed": ("same", "all")}
    for situation, (first, then) in situations.items():
        costs: dict[str, list[Cost]] = {"Sluice": [], "ovs-ofctl": []}
        for _ in range(ROUNDS):
            for who, command in (("Sluice", ours), ("ovs-ofctl", theirs)):
                ovs.ofctl("del-flows", "br0")
                if first:
                    ovs.ofctl("--bundle", "add-flows", "br0", str(files[first]))
                costs[who].append(run(ovs, command(then)))
        report(count, situation, costs["Sluice"], costs["ovs-ofctl"])


def report(count: int, situation: str, ours: list[Cost], theirs: list[Cost]) -> None:
    """One row of the table."""
    def middle(costs: list[Cost], part: str) -> float:
        return float(statistics.median(getattr(cost, part) for cost in costs))

    cells = [f"{middle(ours, part):8.1f}{middle(theirs, part):10.1f}{middle(theirs, part) / middle(ours, part):7.2f}" for part in ("wall", "cpu")]
    print(f"{count:7d}  {situation:12s}{cells[0]}   |{cells[1]}   |{middle(ours, 'client'):8.1f}{middle(theirs, 'client'):10.1f}", flush=True)


def main() -> None:
    counts = [int(argument) for argument in sys.argv[1:]] or [1_000, 10_000]
    print(f"{'':21s}{'wall ms':>8s}{'':10s}{'':7s}   |{'CPU ms':>8s}{'':17s}   |{'client CPU ms':>16s}")
    print(f"{'flows':>7s}  {'situation':12s}{'Sluice':>8s}{'ovs-ofctl':>10s}{'ratio':>7s}   |{'Sluice':>8s}{'ovs-ofctl':>10s}{'ratio':>7s}"
          f"   |{'Sluice':>8s}{'ovs-ofctl':>10s}")
    with OvsSandbox() as ovs:
        for count in counts:
            measure(ovs, count)


if __name__ == "__main__":
    main()
