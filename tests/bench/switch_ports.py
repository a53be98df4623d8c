# SPDX-License-Identifier: Apache-2.0
"""N ports on one bridge: sluice.fabric.switch beside what people would run instead, in one run.

``python tests/bench/switch_ports.py [--ports N] [--rounds N] [--loop-rounds N]``. Each contender starts with an Open vSwitch of
its own without ports (userspace datapath, internal ports), makes them, and runs again unchanged.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration")]

from ovs_sandbox import OvsSandbox  # noqa: E402

from bench import Contender, Sample, interleave, process, ratio, table  # noqa: E402

FIRST, AGAIN = "first run", "no change"
NODE_PYTHON = "/usr/bin/python3"
PEER = "openvswitch.openvswitch"

PEER_PACKAGE = "ansible==10.7.0"
"""The last of the community's packages on PyPI that has the collection (2.1.1)."""
PEER_FOLDER = ROOT / ".cache/bench"
OURS, COMMANDS, COLLECTION = "sluice.fabric.switch, one task", "loop of command: ovs-vsctl", f"loop of {PEER}.openvswitch_port"
VSCTL, ENGINE, INSIDE = "one ovs-vsctl that waits", "sluice engine, process", "sluice engine, inside the module"

ENGINE_SCRIPT = """
import json, sys, time
config = json.load(sys.stdin)
if sys.argv[2:]:
    from ansible.module_utils.basic import AnsibleModule
wall, cpu = time.perf_counter(), time.process_time()
from sluice.ovs.switch.apply import apply
apply(sys.argv[1], config, "merged", "sluice", 30)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def bridge_config(ports: int) -> dict[str, Any]:
    """What all contenders make: internal ports with a tag and one external id."""
    return {"bridges": [{"name": "br0", "datapath_type": "netdev", "ports": [
        {"name": f"p{number}", "tag": number % 4095, "external_ids": {"pod": f"x{number}"},
         "interfaces": [{"name": f"p{number}", "type": "internal"}]} for number in range(ports)]}]}


def vsctl_port(number: int | str, tag: int | str) -> list[str]:
    name = f"p{number}"
    return ["--may-exist", "add-port", "br0", name, "--", "set", "Port", name, f"tag={tag}", f"external_ids:pod=x{number}", "--",
            "set", "Interface", name, "type=internal"]


def twice(run: Callable[[OvsSandbox], Sample], prepare: bool = True) -> Mapping[str, Sample]:
    """First run and run without a change, on an Open vSwitch that has the bridge at most."""
    with OvsSandbox() as ovs:
        if prepare:
            ovs.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev")
        return {FIRST: run(ovs), AGAIN: run(ovs)}


def playbook(folder: Path, name: str, tasks: Sequence[Mapping[str, Any]]) -> Callable[[OvsSandbox], Sample]:
    """Runs tasks as a playbook on this host; commands find the sandbox's database by OVS_RUNDIR."""
    path = folder / f"{name}.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "-e",
               f"ansible_python_interpreter={NODE_PYTHON}", str(path)]

    def run(ovs: OvsSandbox) -> Sample:
        return process([*command, "-e", f"database={ovs.database}"], {
            **ovs.env, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'collections'}:{PEER_FOLDER}"})[0]

    return run


def contenders(folder: Path, ports: int, loop_rounds: int) -> list[Contender]:
    names = "{{ range(" + str(ports) + ") | list }}"
    ours = playbook(folder, "switch", [
        {"sluice.fabric.switch": {"database": "{{ database }}", "config": bridge_config(ports)}}])
    commands = playbook(folder, "command", [
        {"ansible.builtin.command": {"argv": ["ovs-vsctl", *vsctl_port("{{ item }}", "{{ item % 4095 }}")]}, "loop": names}])
    bridge = ["--may-exist", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev"]
    vsctl = [*bridge, *(argument for number in range(ports) for argument in ["--", *vsctl_port(number, number % 4095)])]
    result = [
        Contender(OURS, lambda: twice(ours, prepare=False)),
        Contender(VSCTL, lambda: twice(lambda ovs: process(["ovs-vsctl", *vsctl], ovs.env)[0], prepare=False)),
        Contender(ENGINE, lambda: twice(engine_run(folder, ports, inside=False), prepare=False)),
        Contender(INSIDE, lambda: twice(engine_run(folder, ports, inside=True), prepare=False)),
        Contender(COMMANDS, lambda: twice(commands), loop_rounds)]
    if fetch_peer():
        module = {"bridge": "br0", "port": "p{{ item }}", "tag": "{{ item % 4095 }}", "external_ids": {"pod": "x{{ item }}"},
                  "set": "Interface p{{ item }} type=internal"}
        collection = playbook(folder, "collection", [{f"{PEER}.openvswitch_port": module, "loop": names}])
        result.append(Contender(COLLECTION, lambda: twice(collection), loop_rounds))
    return result


def engine_run(folder: Path, ports: int, inside: bool) -> Callable[[OvsSandbox], Sample]:
    """The engine without Ansible: a whole process of it as installed; or only what a module does after its imports of Ansible.

    Installed, its bytecode is there; inside a module it never is, as AnsiballZ carries sources.
    """
    config = json.dumps(bridge_config(ports))
    path = f"{ROOT / 'src'}:{next(path for path in sys.path if path.endswith('site-packages'))}"
    cache = {"PYTHONDONTWRITEBYTECODE": "1"} if inside else {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}

    def run(ovs: OvsSandbox) -> Sample:
        command = [NODE_PYTHON, "-S", "-c", ENGINE_SCRIPT, ovs.database, *(["inside"] if inside else [])]
        sample, output = process(command, {**ovs.env, "PYTHONPATH": path, **cache}, config)
        wall, cpu = map(float, output.split())
        return Sample(wall, cpu) if inside else sample

    return run


def fetch_peer() -> bool:
    """Whether the collection is there, in PEER_FOLDER; it is taken out of a package on PyPI, since Galaxy may be out of reach."""
    if not (PEER_FOLDER / "ansible_collections/openvswitch").is_dir():
        PEER_FOLDER.mkdir(parents=True, exist_ok=True)
        try:
            process([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version=3.11", "-d", str(PEER_FOLDER),
                     PEER_PACKAGE])
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return False
        wheel = next(PEER_FOLDER.glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(PEER_FOLDER, [name for name in archive.namelist() if name.startswith("ansible_collections/openvswitch/")])
        wheel.unlink()
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ports", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loop-rounds", type=int, default=1, help="rounds of the loops, which take a minute or more for 200 ports")
    options = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        samples = interleave(contenders(Path(folder), options.ports, options.loop_rounds), options.rounds)
    print(f"{options.ports} ports on one bridge; median of the runs; CPU is the client's, with its children\n")
    print(table(samples, OURS))
    print("\nAs expected?")
    for name, base, least in ((COLLECTION, OURS, 40.0), (COMMANDS, OURS, 20.0), (VSCTL, INSIDE, 1.0)):
        if name not in samples:
            print(f"- {name}: not measured, as {PEER} could not be fetched" if name == COLLECTION else f"- {name}: not measured")
            continue
        for phase in (FIRST, AGAIN):
            times = ratio(samples, phase, name, base)
            verdict = "yes" if times >= least else "NO"
            print(f"- {phase}: {name} takes {times:.2f} times as long as {base} (expected at least {least:g}): {verdict}")


if __name__ == "__main__":
    main()
