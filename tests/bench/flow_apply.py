# SPDX-License-Identifier: Apache-2.0
"""A bridge's flows: Sluice beside ``ovs-ofctl --bundle replace-flows``, in one run.

``python tests/bench/flow_apply.py [--flows N …] [--rounds N]``. Both are whole processes that read the same text and end with the same
flows. CPU is the client's, with its interpreter's start, and ovs-vswitchd's. Sluice also verifies what it has done by reading it back,
which ovs-ofctl does not.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration")]

from ovs_sandbox import OvsSandbox  # noqa: E402

from bench import Contender, Sample, interleave, process, table  # noqa: E402

NODE_PYTHON = "/usr/bin/python3"
OURS, THEIRS = "sluice engine, process", "ovs-ofctl --bundle replace-flows"
APPLY = """
import sys
sys.path.insert(0, sys.argv[1])
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.program import encode_program
with open(sys.argv[3]) as file:
    apply_program(sys.argv[2], encode_program(file, None, None, {}), {})
"""
# What is on the bridge before, and what is to be there then.
PHASES = {"fresh": (None, "same"), "no change": ("same", "same"), "1 changed": ("same", "one"), "all changed": ("same", "all")}


def program(count: int, changed: int = 0) -> list[str]:
    """Flows like those of a pod network: few forms, many addresses and ports; ``changed`` of them have another cookie."""
    lines = []
    for number in range(count):
        port = number % 30_000 + 16
        address = f"10.{number >> 14}.{number >> 6 & 255}.{(number & 63) + 2}"
        mac = f"0a:00:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        cookie = 0x51C3 << 48 | (number // 5 + (1 << 40 if number < changed else 0))
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
    """Seconds of CPU that all threads of a process have had."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def measure(ovs: OvsSandbox, command: list[str]) -> Sample:
    """One process from its start to its end, with what ovs-vswitchd does for it."""
    before = switch_cpu(ovs.pid("ovs-vswitchd"))
    sample, _ = process(command, ovs.env)
    return Sample(sample.wall, sample.cpu + switch_cpu(ovs.pid("ovs-vswitchd")) - before)


def contender(name: str, ovs: OvsSandbox, files: Mapping[str, Path], command: Callable[[Path], list[str]]) -> Contender:
    """Goes through the phases, each from a bridge that ovs-ofctl has put into its first state."""
    def run() -> Mapping[str, Sample]:
        samples = {}
        for phase, (first, then) in PHASES.items():
            ovs.ofctl("del-flows", "br0")
            if first:
                ovs.ofctl("--bundle", "add-flows", "br0", str(files[first]))
            samples[phase] = measure(ovs, command(files[then]))
        return samples
    return Contender(name, run)


def compare(ovs: OvsSandbox, count: int, rounds: int) -> str:
    """The table for ``count`` flows."""
    ovs.vsctl("--if-exists", "del-br", "br0", "--", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure")
    files = {}
    for name, changed in (("same", 0), ("one", 1), ("all", count)):
        files[name] = ovs.directory / f"{name}.txt"
        files[name].write_text("\n".join(program(count, changed)) + "\n")
    address = f"unix:{ovs.directory}/br0.mgmt"
    samples = interleave([
        contender(OURS, ovs, files, lambda file: [NODE_PYTHON, "-I", "-S", "-c", APPLY, str(ROOT / "src"), address, str(file)]),
        contender(THEIRS, ovs, files, lambda file: ["ovs-ofctl", "-O", "OpenFlow15", "--bundle", "replace-flows", "br0", str(file)]),
    ], rounds)
    return table(samples, OURS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with OvsSandbox() as ovs:
        for count in options.flows:
            print(f"\n{count} flows\n\n{compare(ovs, count, options.rounds)}", flush=True)


if __name__ == "__main__":
    main()
