# SPDX-License-Identifier: Apache-2.0
"""A site run that has nothing to do, on 3 and on 10 nodes of a lab: wall and CPU time, and module executions on each node.

    python tests/bench/site_unchanged.py [--rounds N] [--nodes 3 10]

The peer is what one would write without Sluice's modules: the same run with a task for each object is not to be had, so it is one no-op
module (``ping``) for each of the executions, which is Ansible's own share of the time.
"""
from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from pathlib import Path

from bench import Contender, Sample, interleave, process, table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from fabric.fabric_lab import FabricLab  # noqa: E402  (the folder has to be on the path first)

# What runs on the controller alone.
CONTROLLER = ("validate_argument_spec", "include_vars", "compile")


def executions(lab: FabricLab) -> int:
    """Module executions on one node in a run that changes nothing. Raises RuntimeError if it changed something."""
    run = lab.succeed("site")
    if run.changed:
        raise RuntimeError(f"the run changed {run.changed}")
    return len([result for result in run.results if result.host == "node1" and result.outcome == "ok"
                and result.module.rpartition(".")[2] not in CONTROLLER])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 10])
    options = parser.parse_args()
    for nodes in options.nodes:
        with tempfile.TemporaryDirectory() as folder:
            lab = FabricLab(f"b{uuid.uuid4().hex[:6]}", Path(folder))
            lab.set_nodes(*range(1, nodes + 1))
            try:
                print(f"making a lab of {nodes} nodes", file=sys.stderr, flush=True)
                lab.succeed("lab_up")
                lab.succeed("site")
                count = executions(lab)
                measure(lab, nodes, count, options.rounds)
            finally:
                lab.run("lab_down")


def measure(lab: FabricLab, nodes: int, count: int, rounds: int) -> None:
    pings = lab.inventory / "pings.yml"
    tasks = "".join(f"    - name: Execution {number}\n      ansible.builtin.ping:\n" for number in range(count))
    pings.write_text(f"- hosts: sluice_nodes\n  gather_facts: false\n  tasks:\n{tasks}")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(lab.hosts)]

    def run(playbook: str) -> dict[str, Sample]:
        sample, _ = process([*command, playbook], env={**lab.environment()})
        return {"nothing to do": sample}

    samples = interleave([
        Contender("site", lambda: run(str(ROOT / "playbooks/site.yml"))),
        Contender(f"{count} no-op modules", lambda: run(str(pings))),
    ], rounds)
    print(f"\n{nodes} nodes: {count} module executions a node\n")
    print(table(samples, "site"))


if __name__ == "__main__":
    main()
