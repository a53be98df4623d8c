# SPDX-License-Identifier: Apache-2.0
"""A site of two nodes whose policies change under traffic: the objects of an inventory, and what makes the lab's nodes what they say."""
from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from conformance.case import plan_case
from conformance.case_file import Case
from conformance.lab import Lab
from conformance.place import Place
from sluice.compile.artifacts import fabric_files
from sluice.compile.fabric import Fabric
from sluice.compile.order import receivers
from sluice.compile.paths import program_paths
from sluice.intent.state import ClusterState
from sluice.node.conntrack import flush_removed
from sluice.ovs.flow_apply import apply_program, plan_lines
from sluice.ovs.in_effect import wait_until_in_effect
from sluice.ovs.kept import KeptEncoding
from sluice.ovs.program import Owner
from sluice.pipeline.cookie import OWNER_MASK, OWNER_PROGRAM
from sluice.pipeline.tables import FLOW_TABLES, ZONE
from sluice.plan.addresses import BRIDGE
from sluice.plan.allocations_file import Allocations

Object = dict[str, Any]
OWNER = Owner(OWNER_PROGRAM << 48, OWNER_MASK)
NAMESPACE = "live"
_FOLDER = File("/artifacts")


@dataclass(frozen=True)
class Site:
    """All of a site's objects."""

    pods: tuple[Object, ...]
    services: tuple[Object, ...] = ()
    policies: tuple[Object, ...] = ()


def pod(name: str, ready: bool = True, **labels: str) -> Object:
    return {"namespace": NAMESPACE, "name": name, "labels": labels, "ready": ready, "ports": [{"port": 5000, "protocol": "UDP", "name": "data"}]}


@dataclass(frozen=True)
class Program:
    """What a site compiles to."""

    fabric: Fabric
    allocations: Allocations
    files: Mapping[File, str]

    @property
    def state(self) -> ClusterState:
        return self.fabric.state

    def text(self, node: str, kind: str) -> str:
        """The ``flows``, ``groups`` or ``meters`` of a node."""
        return "".join(self.files[File(path)] for path in program_paths(self.state, _FOLDER)[node][kind])

    def file(self, node: str, name: str) -> str:
        """One of a node's own files."""
        return self.files[_FOLDER / node / name]

    def rules(self, node: str) -> dict[str, dict[str, Any]]:
        """Cookie to the rule that flows with it execute."""
        rules: dict[str, dict[str, Any]] = json.loads(self.file(node, "rules.json"))
        return rules


def compile_site(site: Site, before: Program | None = None) -> Program:
    """Load, plan and compile, of what was ``before`` only what the change can have touched. Raises InputError."""
    case = Case(File("live.json"), "live", "own", frozenset(), (), ({"name": NAMESPACE, "labels": {}},), site.pods, site.services, site.policies,
                (), (), (), {}, "", "", 0)
    planned = plan_case(case, (4,), before.allocations if before else Allocations())
    fabric, nodes = before.fabric.updated(planned.state) if before else (Fabric(planned.state), set(planned.state.nodes))
    files = {_FOLDER / path: text for path, text in fabric_files(fabric, nodes)}
    return Program(fabric, planned.allocations, {**(before.files if before else {}), **files})


@dataclass(frozen=True)
class Applied:
    """One change of the site, as it came to the nodes."""

    begun: float
    """When the first node was given it; seconds of CLOCK_MONOTONIC."""
    done: float
    """When the last one had it."""
    order: tuple[tuple[str, ...], ...]
    """Which nodes took it at a time."""
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What was sent to each node: ``-`` and ``+`` lines, as the module's diff has them."""


class LiveSite:
    """The site on a lab, which it finds empty."""

    def __init__(self, lab: Lab, site: Site) -> None:
        self.lab = lab
        self.program = compile_site(site)
        self._kept = tempfile.TemporaryDirectory(prefix="sluice-live-")
        lab.apply(self.program.state, fresh=True)

    def close(self) -> None:
        self._kept.cleanup()

    def place(self, key: str) -> Place:
        return self.lab.pod(self.program.state, key, 4)

    def change(self, program: Program, by_modules: bool = False) -> Applied:
        """Make the nodes what the program says, in the order of playbooks/policy.yml.

        ``by_modules``: as processes of module flows, as Ansible starts them; otherwise by the same calls of the engine in this process.
        """
        first = receivers(program.state.nodes, _FOLDER, self.program.files, program.files)
        order = tuple(batch for batch in (tuple(first), tuple(sorted(program.state.nodes.keys() - set(first)))) if batch)
        begun = time.monotonic()
        lines: dict[str, Sequence[str]] = {}
        for batch in order:
            lines.update(self._by_modules(program, batch) if by_modules else {node: self._in_process(program, node) for node in batch})
        done = time.monotonic()
        self.program = program
        return Applied(begun, done, order, lines)

    def _by_modules(self, program: Program, nodes: Sequence[str]) -> dict[str, Sequence[str]]:
        runs = {node: self.lab.running(node).start_module("flows", module_options(program, node)) for node in nodes}
        return {node: [line for line in run.result()["diff"]["prepared"].splitlines() if line[0] in "-+"] for node, run in runs.items()}

    def _in_process(self, program: Program, node: str) -> Sequence[str]:
        """As plugins/modules/flows.py does, but for the files."""
        address = f"unix:{self.lab.running(node).root}/run/openvswitch/{BRIDGE}.mgmt"
        encoding = KeptEncoding(f"{self._kept.name}/{node}", FLOW_TABLES, OWNER)
        flows, groups, meters = (program.text(node, kind) for kind in ("flows", "groups", "meters"))
        want = encoding.encode(flows, groups, meters)
        plan = apply_program(address, want, FLOW_TABLES, OWNER)
        encoding.save()
        if plan.changed:
            wait_until_in_effect(address, next(iter(want.flows)))
        flush_removed(address, ZONE, plan_lines(plan, FLOW_TABLES, signs="-"), [*flows.splitlines(), *groups.splitlines()])
        return plan_lines(plan, FLOW_TABLES)


def module_options(program: Program, node: str) -> dict[str, Any]:
    """What role pod_network gives to module flows."""
    texts = {kind: program.text(node, kind) for kind in ("flows", "groups", "meters")}
    files = {f"/etc/sluice/{kind}.txt": text for kind, text in texts.items()}
    files["/etc/sluice/rules.json"] = program.file(node, "rules.json")
    return {"bridge": BRIDGE, "tables": {str(number): name for number, name in FLOW_TABLES.items()}, "cookie": str(OWNER), "files": files,
            "conntrack_zone": ZONE, "_ansible_diff": True, **texts}
