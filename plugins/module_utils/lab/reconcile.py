# SPDX-License-Identifier: Apache-2.0
"""Make a lab as described, or remove it: look, compare, do the difference. Any moment is a good one to be killed at; run again."""
from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from ..errors import SluiceError
from . import access, cgroups, files, machine, network
from .image import Material, Progress, Stock, forget
from .packages import build_repository, repository_name
from .plan import Step, steps
from .spec import Lab, lab_namespace, node_namespace

# Of each kind of machine that the lab has.
Materials = dict[str, Material]


@dataclass(frozen=True)
class Result:
    """What was (or would be) done, and the lab before and after, as plain data."""

    steps: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]


def present(lab: Lab, stock: Stock, echo_source: str, *, dry_run: bool, wait: float, progress: Progress) -> Result:
    """Make ``lab`` so, and wait up to ``wait`` seconds for its nodes to boot (0: do not wait). Raises SluiceError."""
    if dry_run:
        before, after = _observe(lab), _desired(lab, _expected_materials(lab, stock))
        return _result(steps(before, after), before, after)
    lab.directory.mkdir(parents=True, exist_ok=True)
    # There are programs with the set-user-id bit in there, and keys.
    lab.directory.chmod(0o700)
    with files.locked(lock_file(lab.directory, lab.name)):
        files.sweep(lab.home / "nodes")
        before = _observe(lab)
        materials = _materials(lab, stock, progress)
        after = _desired(lab, materials)
        todo = steps(before, after)
        for step in todo:
            progress(str(step))
            _do(step, lab, materials, echo_source)
        if todo and wait:
            progress(f"waiting for {len(lab.nodes)} nodes to boot")
        if wait:
            access.wait_for_nodes(lab, wait, lambda name: machine.powered(lab, name), progress if todo else lambda message: None)
        return _result(todo, before, after)


def absent(name: str, directory: Path, purge: Optional[Path], *, dry_run: bool, progress: Progress) -> Result:
    """Remove every trace of lab ``name``, and what no other lab uses of the cache ``purge``, if given. Raises SluiceError."""
    unused = _unused(purge, directory, name) if purge else []
    before = traces(name, directory) + [f"{entry} in the cache" for entry in unused]
    result = Result(tuple(f"remove {trace}" for trace in before), {"traces": before}, {"traces": []})
    if dry_run or not before:
        return result
    with files.locked(lock_file(directory, name)):
        namespaces = _namespaces(name, directory)
        for trace in before:
            progress(f"removing {trace}")
        cgroups.end(lab_namespace(name))
        for namespace in namespaces:
            _end_processes(namespace)
            network.remove_namespace(namespace)
        # Last, because the names of the nodes are read from here.
        files.discard(directory / name)
    if purge:
        forget(purge, unused)
    return result


def traces(name: str, directory: Path) -> list[str]:
    """What there is of lab ``name`` on this host, one line each."""
    found = [f"network namespace {namespace}" for namespace in _namespaces(name, directory) if Path("/run/netns", namespace).exists()]
    found += [f"control group {lab_namespace(name)}"] if cgroups.exists(lab_namespace(name)) else []
    found += [f"folder {folder}" for folder in (directory / name, files.removed(directory / name)) if folder.exists()]
    return found


def _unused(cache: Path, directory: Path, removed_lab: str) -> list[str]:
    # What no lab but the one that goes is made from.
    used: set[str] = set()
    for record in directory.glob("*/nodes/*/node.json"):
        if record.parts[-4] != removed_lab:
            node = json.loads(record.read_text())
            used |= {node["image"], node["repository"]}
    return [entry for entry in files.whole(cache) if entry not in used]


def lock_file(directory: Path, name: str) -> Path:
    """What a run holds while it changes lab ``name``."""
    return directory / f".{name}.lock"


def _namespaces(name: str, directory: Path) -> list[str]:
    # By the names of the nodes, not by a prefix: what others call sluice-<lab>-… is not ours.
    nodes = files.whole(directory / name / "nodes")
    return [*(node_namespace(name, node) for node in nodes), node_namespace(name, "outside"), lab_namespace(name)]


def _end_processes(namespace: str, timeout: float = 10) -> None:
    # Ansible's connections and what people started there to look around.
    deadline = time.monotonic() + timeout
    while Path("/run/netns", namespace).exists():
        alive = network.processes(namespace)
        if not alive:
            return
        if time.monotonic() > deadline:
            raise SluiceError(f"processes {alive} in network namespace {namespace} do not end; look at them with ps and run again")
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)


def _result(todo: list[Step], before: dict[str, Any], after: dict[str, Any]) -> Result:
    # Without the key, which a dry run cannot foretell.
    def shown(state: dict[str, Any]) -> dict[str, Any]:
        nodes = {name: {key: value for key, value in node.items() if key != "authorized_key"} for name, node in state["nodes"].items()}
        return {**state, "nodes": nodes}

    return Result(tuple(map(str, todo)), shown(before), shown(after))


def _key(lab: Lab) -> Path:
    return lab.home / "ssh/id_ed25519"


def _materials(lab: Lab, stock: Stock, progress: Progress) -> Materials:
    key = access.make_key(_key(lab), f"sluice lab {lab.name}")
    materials = {}
    for kind in _kinds(lab):
        root = machine.KINDS[kind].build_image(stock, progress)
        materials[kind] = Material(root, build_repository(stock, root, progress, machine.KINDS[kind].pack), key)
    return materials


def _expected_materials(lab: Lab, stock: Stock) -> Materials:
    path = _key(lab)
    key = access.make_key(path, "") if path.exists() else ""
    materials = {}
    for kind in _kinds(lab):
        name = machine.KINDS[kind].image_name(stock)
        materials[kind] = Material(stock.cache / name, stock.cache / repository_name(stock, name), key)
    return materials


def _kinds(lab: Lab) -> list[str]:
    return sorted({node.machine for node in lab.nodes})


def _observe(lab: Lab) -> dict[str, Any]:
    return {"network": network.observe(lab), "outside_answers": network.echo_runs(lab),
            "nodes": machine.observe(lab), "access": access.observe(lab)}


def _desired(lab: Lab, materials: Materials) -> dict[str, Any]:
    return {"network": network.description(lab), "outside_answers": True,
            "nodes": {node.name: {**machine.description(lab, node, materials[node.machine]), "running": True, "connected": True}
                      for node in lab.nodes},
            "access": access.description(lab)}


def _do(step: Step, lab: Lab, materials: Materials, echo_source: str) -> None:
    nodes = {node.name: (node, materials[node.machine]) for node in lab.nodes}
    actions: dict[str, Callable[[], object]] = {
        "remove": lambda: machine.remove(lab, step.node),
        "stop": lambda: machine.stop(lab, step.node),
        "build network": lambda: network.build(lab),
        "start outside": lambda: network.start_echo(lab, echo_source),
        "create": lambda: machine.create(lab, *nodes[step.node]),
        "configure": lambda: machine.configure(lab, *nodes[step.node]),
        "start": lambda: machine.start(lab, *nodes[step.node]),
        "write access": lambda: access.write_files(lab, {node.name: machine.host_key(lab, node) for node in lab.nodes}),
    }
    actions[step.verb]()
