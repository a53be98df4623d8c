# SPDX-License-Identifier: Apache-2.0
"""Compile time against the number of nodes and of pods: is it linear?

    python tests/bench/compile_scale.py [--rounds N] [--most NODES]

Each size runs in a process of its own and takes its turn in every round. ``per node`` is what has to stay the same.
"""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median

from bench import process

ROOT = Path(__file__).parents[2]
SIZES = ((10, 30), (30, 30), (100, 30), (300, 30), (1000, 30), (100, 10), (100, 100))

MEASURE = """
import json, resource, sys, time
from states import cluster_state
from sluice.compile.artifacts import artifact_files
state = cluster_state(int(sys.argv[1]), int(sys.argv[2]))
wall, cpu = time.perf_counter(), time.process_time()
size = sum(len(text) for _path, text in artifact_files(state))
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=1000, help="leave out larger fabrics")
    options = parser.parse_args()
    sizes = [size for size in SIZES if size[0] <= options.most]
    runs: dict[tuple[int, int], list[tuple[float, float, int, int]]] = {size: [] for size in sizes}
    for turn in range(options.rounds):
        for nodes, pods in sizes:
            print(f"round {turn + 1} of {options.rounds}: {nodes} nodes, {pods} pods each", file=sys.stderr, flush=True)
            environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"}
            _, output = process([sys.executable, "-c", MEASURE, str(nodes), str(pods)], env=environment)
            runs[nodes, pods].append(json.loads(output))
    print("| nodes | pods a node | wall s | CPU s | CPU ms per node | CPU µs per pod | artifacts MB | memory MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for (nodes, pods), results in runs.items():
        wall, cpu, size, memory = (median(column) for column in zip(*results, strict=True))
        print(f"| {nodes} | {pods} | {wall:.2f} | {cpu:.2f} | {cpu / nodes * 1e3:.2f} | {cpu / nodes / pods * 1e6:.0f} "
              f"| {size / 1e6:.1f} | {memory / 1024:.0f} |")
    of_nodes = {nodes: median(run[1] for run in runs[nodes, 30]) / nodes for nodes, pods in sizes if pods == 30}
    largest, reference = max(of_nodes), min(size for size in of_nodes if size >= 100 or size == max(of_nodes))
    cost = of_nodes[largest] / of_nodes[reference]
    print(f"\nA node of the fabric of {largest} costs {cost:.2f} times what it costs in that of {reference} (linear: 1).")


if __name__ == "__main__":
    main()
