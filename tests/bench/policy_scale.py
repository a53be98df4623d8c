# SPDX-License-Identifier: Apache-2.0
"""Policies and Services of a whole cluster, beside OVN: compile, compile again after a change, flows on a node, model to flows on a node.

``python tests/bench/policy_scale.py [--sizes small large] [--rounds N] [--no-chassis]``. Both sides get the same model (scale_model.py)
and take turns. It takes OVN's ovn-controller minutes and 3 GB to bring the large one onto a node: that is done in the first round only,
or not at all with ``--no-chassis``.

CPU is that of all that takes part: with OVN its databases, ovn-northd, ovn-controller and ovs-vswitchd, with Sluice its processes and
ovs-vswitchd. OVN's clock starts with its rows, Sluice's with its ClusterState, and with the interpreter where flows are applied.
"""
from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration"), str(ROOT / "tests"), str(ROOT / "src")]

from ovn_model import acl, load_operations, vips  # noqa: E402
from ovn_sandbox import OvnSandbox, next_cfg  # noqa: E402
from ovs_sandbox import OvsSandbox  # noqa: E402

from bench import Sample, cpu, process  # noqa: E402
from scale_model import SIZES, PolicyRule, Size, scale_state, service_app  # noqa: E402

NODE = "node1"
NODE_PYTHON = "/usr/bin/python3"
MEMORY_MB = 500

COMPILE = """
import gc, json, resource, sys, time
from dataclasses import replace
from pathlib import Path
from scale_model import SIZES, scale_state
from sluice.compile.artifacts import artifact_files, fabric_files
from sluice.compile.fabric import Fabric
size, directory, node = SIZES[sys.argv[1]], Path(sys.argv[2]), sys.argv[3]
state = scale_state(size)
samples = {}
def measure(name, run):
    # What the one before has left behind is not this one's to search.
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    samples[name] = time.perf_counter() - wall, time.process_time() - cpu
    return result
text = measure("compile", lambda: sum(len(text) for path, text in artifact_files(state)))
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(directory / node).mkdir()
measure("node", lambda: [(directory / path).write_text(text) for path, text in fabric_files(Fabric(state), [node])])
first = Fabric(state)
flows = {path: text for path, text in fabric_files(first, state.nodes) if path.startswith((node + "/flows", "services.txt", "peers-"))}
policy, pod = next(iter(state.network_policies.values())), next(iter(state.pods.values()))
rule = replace(policy.ingress[0], ports=(replace(policy.ingress[0].ports[0], port=9999),))
changed = {
    "one rule": replace(state, network_policies={**state.network_policies, policy.key: replace(policy, ingress=(rule, *policy.ingress[1:]))}),
    "one endpoint": replace(state, pods={**state.pods, pod.key: replace(pod, ready=False)})}
for name, after in changed.items():
    measure(name, lambda: dict(fabric_files(*first.updated(after))))
print(json.dumps({"samples": samples, "memory": memory, "flows": sum(text.count("\\n") for text in flows.values())}))
"""

APPLY = """
import sys
sys.path.insert(0, sys.argv[1])
from sluice.ovs.flow_apply import apply_program
from sluice.ovs.kept import KeptEncoding
from sluice.ovs.program import Owner
from sluice.pipeline.tables import FLOW_TABLES
encoding = KeptEncoding(sys.argv[3], FLOW_TABLES, Owner())
def text(*names):
    texts = []
    for name in names:
        with open(name) as file:
            texts.append(file.read())
    return "".join(texts)
directory, node = sys.argv[4:]
program = encoding.encode(text(f"{node}/flows.txt", f"{directory}/peers-all.txt", f"{directory}/services.txt"),
                          text(f"{node}/groups.txt", f"{directory}/services-groups.txt"), text(f"{directory}/meters.txt"))
apply_program(sys.argv[2], program, FLOW_TABLES, Owner())
encoding.save()
"""

WANTED = {
    "small": {"model to flows on a node": 8.0, "flows on a node": 5.0},
    "large": {"compile": 3.0, "one rule": 10.0, "one endpoint": 10.0, "model to flows on a node": 30.0, "flows on a node": 50.0},
}
"""How many times as long, or as many, OVN is expected to take."""
PHASES = ("compile", "one rule", "one endpoint", "model to flows on a node")

Samples = dict[str, list[Sample]]


class Side:
    """What one of the two took and made."""

    def __init__(self) -> None:
        self.samples: Samples = defaultdict(list)
        self.memory_mb = 0.0
        self.flows = 0


def run_ours(name: str, ours: Side) -> None:
    """One round: compile, compile after changes, and one node's flows from the state to an empty bridge."""
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"}
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory, OvsSandbox() as ovs:
        _, output = process([sys.executable, "-c", COMPILE, name, directory, NODE], environment)
        result = json.loads(output)
        samples = {phase: Sample(*sample) for phase, sample in result["samples"].items()}
        ovs.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure")
        before = cpu(ovs.pid("ovs-vswitchd"))
        applied, _ = process([NODE_PYTHON, "-I", "-S", "-c", APPLY, str(ROOT / "src"), f"unix:{ovs.directory}/br0.mgmt",
                              f"{directory}/kept", directory, f"{directory}/{NODE}"])
        switch = cpu(ovs.pid("ovs-vswitchd")) - before
        ours.flows = int(ovs.ofctl("dump-aggregate", "br0").rpartition("flow_count=")[2])
        assert ours.flows == result["flows"], "all of them are on the bridge"
    node = samples.pop("node")
    samples["model to flows on a node"] = Sample(node.wall + applied.wall, node.cpu + applied.cpu + switch)
    for phase, sample in samples.items():
        ours.samples[phase].append(sample)
    ours.memory_mb = max(ours.memory_mb, result["memory"] / 1024)


def run_theirs(name: str, theirs: Side, with_chassis: bool) -> None:
    """The same with OVN: ovn-northd on an empty southbound database, after changes, and ovn-controller on an empty bridge."""
    size = SIZES[name]
    state = scale_state(size)
    pods = {f"port{number}": pod.key for number, pod in enumerate(pod for pod in state.pods.values() if pod.node == NODE)}
    operations = load_operations(size, state)
    with OvsSandbox() as ovs, OvnSandbox(ovs) as ovn:
        ovn.transact([{"op": "insert", "table": "NB_Global", "row": {}}])
        ovn.start_northd()
        with measured(ovn) as load:
            ovn.transact([*operations, next_cfg(1)])
        with measured(ovn) as compiled:
            ovn.wait_compiled(1)
        theirs.samples["compile"].append(compiled[0])
        theirs.memory_mb = max(theirs.memory_mb, memory_mb(ovn.pid("northd")))
        for number, (phase, change) in enumerate(changes(size, [pod.ips[0] for pod in state.pods.values()
                                                                if pod.labels["app"] == f"app{service_app(size, 0)}"]).items(), 2):
            with measured(ovn) as sample:
                ovn.transact([*change, next_cfg(number)])
                ovn.wait_compiled(number)
            theirs.samples[phase].append(sample[0])
        if with_chassis:
            ovn.add_bridge(pods)
            with measured(ovn) as installed:
                ovn.start_controller()
                ovn.wait_up(pods.values())
            theirs.flows = ovn.flows()
            parts = load[0], compiled[0], installed[0]
            theirs.samples["model to flows on a node"].append(Sample(sum(part.wall for part in parts), sum(part.cpu for part in parts)))


def changes(size: Size, backends: list[str]) -> dict[str, list[dict[str, object]]]:
    """The operations that change one rule, and one endpoint of the first Service."""
    rule = acl(0, PolicyRule("ingress", 1 % size.apps, 9999))
    return {
        "one rule": [{"op": "insert", "table": "ACL", "row": rule, "uuid-name": "changed"},
                     {"op": "mutate", "table": "Port_Group", "where": [["name", "==", "policy0"]],
                      "mutations": [["acls", "insert", ["set", [["named-uuid", "changed"]]]]]}],
        "one endpoint": [{"op": "update", "table": "Load_Balancer", "where": [["name", "==", "service0"]], "row": {"vips": vips(0, backends[1:])}}]}


@contextmanager
def measured(ovn: OvnSandbox) -> Iterator[list[Sample]]:
    """Gives a list that has the sample of what was done inside afterwards."""
    samples: list[Sample] = []
    wall, used = time_and_cpu(ovn)
    yield samples
    wall_after, used_after = time_and_cpu(ovn)
    samples.append(Sample(wall_after - wall, used_after - used))


def time_and_cpu(ovn: OvnSandbox) -> tuple[float, float]:
    return time.perf_counter(), ovn.cpu()


def memory_mb(pid: int) -> float:
    """The most memory that a process has had."""
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def report(name: str, ours: Side, theirs: Side) -> str:
    """The table of one size, and what was wanted of it."""
    lines = ["| what | Sluice | OVN | OVN / Sluice | CPU: Sluice | OVN | OVN / Sluice | wanted | met |", "|---|---:|---:|---:|---:|---:|---:|---:|---|"]
    wanted = WANTED[name]
    for phase in PHASES:
        wall, used = (median(getattr(sample, field) for sample in ours.samples[phase]) for field in ("wall", "cpu"))
        goal = f"{wanted[phase]:.0f}" if phase in wanted else ""
        if not theirs.samples[phase]:
            lines.append(f"| {phase} | {wall:.3f} s | not measured | | {used:.3f} s | | | {goal} | |")
            continue
        their_wall, their_used = (median(getattr(sample, field) for sample in theirs.samples[phase]) for field in ("wall", "cpu"))
        lines.append(f"| {phase} | {wall:.3f} s | {their_wall:.3f} s | {their_wall / wall:.1f} | {used:.3f} s | {their_used:.3f} s "
                     f"| {their_used / used:.1f} | {goal} | {met(wanted.get(phase), their_wall / wall, their_used / used)} |")
    if theirs.flows:
        fewer = wanted["flows on a node"]
        lines.append(f"| flows on a node | {ours.flows} | {theirs.flows} | {theirs.flows / ours.flows:.1f} | | | | {fewer:.0f} "
                     f"| {met(fewer, theirs.flows / ours.flows)} |")
    lines.append(f"| memory of the compile | {ours.memory_mb:.0f} MB | {theirs.memory_mb:.0f} MB | {theirs.memory_mb / ours.memory_mb:.1f} "
                 f"| | | | at most {MEMORY_MB} MB | {'yes' if ours.memory_mb <= MEMORY_MB else 'NO'} |")
    return "\n".join(lines)


def met(goal: float | None, *ratios: float) -> str:
    """Where the clock and CPU do not agree, the machine was busy with something else."""
    if goal is None:
        return ""
    reached = [ratio >= goal for ratio in ratios]
    return "yes" if all(reached) else "NO" if not any(reached) else "by the clock alone" if reached[0] else "by CPU alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", nargs="*", choices=sorted(SIZES), default=["small", "large"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-chassis", action="store_true", help="without ovn-controller")
    options = parser.parse_args()
    for name in options.sizes:
        ours, theirs = Side(), Side()
        for turn in range(options.rounds):
            print(f"{name}, round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            run_ours(name, ours)
            run_theirs(name, theirs, with_chassis=not options.no_chassis and turn == 0)
        print(f"\n{name}: {SIZES[name].nodes} nodes, {SIZES[name].nodes * SIZES[name].pods_per_node} pods, {SIZES[name].policies} policies of 4 rules, "
              f"{SIZES[name].services} Services with 10 endpoints each\n\n{report(name, ours, theirs)}", flush=True)


if __name__ == "__main__":
    main()
