# SPDX-License-Identifier: Apache-2.0
"""A bridge's flows and groups: Sluice beside ovs-ofctl, in one run, on one core.

``python tests/bench/flow_apply.py [--flows N …] [--services N …] [--rounds N]``. All are whole processes that end with the same on the
bridge. CPU is the client's, with its interpreter's start, and ovs-vswitchd's. Sluice also verifies what it has done by reading it back,
which ovs-ofctl does not.

Sluice reads the program's text, and takes from the file that it keeps on the node what it has encoded before. That is measured with the
two things that the file may be of: this very program (each run but the first, and every restart), or the program before it (the first
run with a new text; nothing at all where there was no program).
"""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration"), str(ROOT / "src")]

from ovs_sandbox import OvsSandbox  # noqa: E402

from bench import Contender, Sample, cpu, interleave, process, table  # noqa: E402
from sluice.ovs.kept import KeptEncoding  # noqa: E402
from sluice.ovs.program import Owner  # noqa: E402

NODE_PYTHON = "/usr/bin/python3"
OURS, OURS_NEW = "sluice, encoded before", "sluice, previous program encoded before"
THEIRS, THEIR_BUNDLE = "ovs-ofctl --bundle replace-flows", "ovs-ofctl bundle"
APPLY = """
import sys
sys.path.insert(0, sys.argv[1])
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.kept import KeptEncoding
from sluice.ovs.program import Owner
encoding = KeptEncoding(sys.argv[3], {}, Owner())
texts = []
for path in sys.argv[4:]:
    with open(path) as file:
        texts.append(file.read())
apply_program(sys.argv[2], encoding.encode(*texts), {}, Owner())
encoding.save()
"""
# What is on the bridge before, and what is to be there then.
PHASES = {"fresh": (None, "same"), "no change": ("same", "same"), "1 changed": ("same", "one"), "all changed": ("same", "all")}
# How many times as long as Sluice ovs-ofctl is expected to take at least, from so many flows on: below it, starting Python is most of it.
EXPECTED_FROM = 10_000
EXPECTED = {"fresh": 1.5, "no change": 2.5, "1 changed": 2.5, "all changed": 1.3}
EXPECTED_SERVICES = {"fresh": 1.0}
ZONE = 0x51C3


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


def measure(ovs: OvsSandbox, command: list[str]) -> Sample:
    """One process from its start to its end, with what ovs-vswitchd does for it."""
    before = cpu(ovs.pid("ovs-vswitchd"))
    sample, _ = process(command, ovs.env)
    return Sample(sample.wall, sample.cpu + cpu(ovs.pid("ovs-vswitchd")) - before)


def services(count: int, endpoints: int = 10) -> tuple[list[str], list[str]]:
    """Flows and groups of ``count`` Services, each with a group that spreads its connections over the endpoints."""
    flows, groups = [], []
    for number in range(count):
        buckets = []
        for endpoint in range(endpoints):
            index = number * endpoints + endpoint
            address = f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}"
            buckets.append(f"bucket=actions=ct(commit,zone={ZONE},nat(dst={address}:8080),exec(set_field:{number:#x}->ct_mark),table=20)")
        groups.append(f"group_id={number + 1},type=select,selection_method=hash,fields(ip_src),{','.join(buckets)}")
        flows.append(f"cookie={ZONE << 48 | number:#x}, table=10, priority=200,tcp,nw_dst=172.{number >> 16}.{number >> 8 & 255}.{number & 255},tp_dst=80 "
                     f"actions=group:{number + 1}")
    return flows, groups


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def keep(path: Path, texts: list[Path]) -> bytes:
    """The content of the file that Sluice keeps of these texts."""
    encoding = KeptEncoding(str(path), {}, Owner())
    encoding.encode(*(text.read_text() for text in texts))
    encoding.save()
    content = path.read_bytes()
    path.unlink()
    return content


def ours(ovs: OvsSandbox, kept: Path, texts: list[Path]) -> list[str]:
    return [NODE_PYTHON, "-I", "-S", "-c", APPLY, str(ROOT / "src"), f"unix:{ovs.directory}/br0.mgmt", str(kept), *map(str, texts)]


def contender(name: str, ovs: OvsSandbox, files: Mapping[str, Path], run: Callable[[str | None, str], Sample]) -> Contender:
    """Goes through the phases, each from a bridge that ovs-ofctl has put into its first state."""
    def phases() -> Mapping[str, Sample]:
        samples = {}
        for phase, (first, then) in PHASES.items():
            ovs.ofctl("del-flows", "br0")
            if first:
                ovs.ofctl("--bundle", "add-flows", "br0", str(files[first]))
            samples[phase] = run(first, then)
        return samples
    return Contender(name, phases)


def verdicts(samples: Mapping[str, Mapping[str, Sequence[Sample]]], peer: str, expected: Mapping[str, float]) -> str:
    """Whether the peer takes as many times as long as is expected, by the clock and in CPU time."""
    lines = ["As expected?"] if expected else []
    for phase, least in expected.items():
        theirs, ours = samples[peer][phase], samples[OURS][phase]
        by_clock = median(run.wall for run in theirs) / median(run.wall for run in ours)
        by_cpu = median(run.cpu for run in theirs) / median(run.cpu for run in ours)
        lines.append(f"- {phase}: {peer} takes {by_clock:.2f} times as long as {OURS}, and {by_cpu:.2f} times the CPU "
                     f"(expected at least {least:g}): {'yes' if by_clock >= least else 'NO'}")
    return "\n".join(lines)


def new_bridge(ovs: OvsSandbox) -> None:
    ovs.vsctl("--if-exists", "del-br", "br0", "--", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure")


def compare(ovs: OvsSandbox, count: int, rounds: int) -> str:
    """The table for ``count`` flows."""
    new_bridge(ovs)
    files = {name: write(ovs.directory / f"{name}.txt", program(count, changed)) for name, changed in (("same", 0), ("one", 1), ("all", count))}
    path = ovs.directory / "encoded"
    kept = {name: keep(path, [file]) for name, file in files.items()}

    def sluice(of: str | None, then: str) -> Sample:
        path.unlink(missing_ok=True)
        if of:
            path.write_bytes(kept[of])
        return measure(ovs, ours(ovs, path, [files[then]]))

    samples = interleave([
        contender(OURS, ovs, files, lambda _first, then: sluice(then, then)),
        contender(OURS_NEW, ovs, files, sluice),
        contender(THEIRS, ovs, files, lambda _first, then: measure(
            ovs, ["ovs-ofctl", "-O", "OpenFlow15", "--bundle", "replace-flows", "br0", str(files[then])])),
    ], rounds)
    return f"{table(samples, THEIRS)}\n\n{verdicts(samples, THEIRS, EXPECTED if count >= EXPECTED_FROM else {})}"


def compare_services(ovs: OvsSandbox, count: int, rounds: int) -> str:
    """The table for ``count`` Services, from an empty bridge."""
    new_bridge(ovs)
    flows, groups = services(count)
    texts = [write(ovs.directory / "flows.txt", flows), write(ovs.directory / "groups.txt", groups)]
    bundle = write(ovs.directory / "bundle.txt", [*(f"group add {line}" for line in groups), *(f"flow add {line}" for line in flows)])
    path = ovs.directory / "encoded"
    kept = keep(path, texts)

    def fresh(command: list[str], of: bytes | None) -> Mapping[str, Sample]:
        ovs.ofctl("del-flows", "br0")
        ovs.ofctl("del-groups", "br0")
        path.unlink(missing_ok=True)
        if of:
            path.write_bytes(of)
        return {"fresh": measure(ovs, command)}

    samples = interleave([
        Contender(OURS, lambda: fresh(ours(ovs, path, texts), kept)),
        Contender(OURS_NEW, lambda: fresh(ours(ovs, path, texts), None)),
        Contender(THEIR_BUNDLE, lambda: fresh(["ovs-ofctl", "-O", "OpenFlow15", "bundle", "br0", str(bundle)], None)),
    ], rounds)
    return f"{table(samples, THEIR_BUNDLE)}\n\n{verdicts(samples, THEIR_BUNDLE, EXPECTED_SERVICES)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--services", type=int, nargs="*", default=[5_000], help="how many Services of 10 endpoints")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with OvsSandbox() as ovs:
        for count in options.flows:
            print(f"\n{count} flows\n\n{compare(ovs, count, options.rounds)}", flush=True)
        for count in options.services:
            print(f"\n{count} Services with 10 endpoints each\n\n{compare_services(ovs, count, options.rounds)}", flush=True)


if __name__ == "__main__":
    main()
