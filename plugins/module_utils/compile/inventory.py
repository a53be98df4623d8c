# SPDX-License-Identifier: Apache-2.0
"""From an inventory to all of its files: allocations, artifacts, and what the nodes said of themselves."""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Collection, Mapping

from ..errors import SluiceError
from ..intent.state import ClusterState, Node
from ..plan.planner import make_state
from .artifacts import artifact_files, read_files
from .program import json_text

FACTS_FILE = "facts.json"


@dataclass(frozen=True)
class Compiled:
    """What an inventory compiles to, beside what its files say now."""

    state: ClusterState
    directory: Path
    """Where the cluster's artifacts are."""
    allocations: Path
    files: Mapping[Path, str]
    """Every file there has to be, with its text."""
    before: Mapping[Path, str]
    """Every file that there is."""
    warnings: tuple[str, ...]

    @property
    def changed(self) -> list[Path]:
        """Files to write, or to remove because they are in ``before`` alone."""
        return sorted(path for path in {*self.files, *self.before} if self.files.get(path) != self.before.get(path))


def compile_inventory(
    cluster_vars: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], base_dir: str, extra_known: Collection[str] = ()
) -> Compiled:
    """Load, plan and compile an inventory; reads its files, writes none.

    ``hosts``: name to ``{"vars": …, "facts": …}``. A host without facts (it is beyond --limit, or does not answer) is compiled
    from those that it had when it was last seen. Raises InputError with all problems.
    """
    hosts = _with_facts(cluster_vars, hosts, base_dir)
    made = make_state(cluster_vars, hosts, base_dir, extra_known)
    directory = Path(made.artifacts_dir) / made.state.cluster.name
    allocations = Path(made.allocations_file)
    files = {directory / path: text for path, text in artifact_files(made.state)}
    files[directory / FACTS_FILE] = json_text({name: _known_facts(node, hosts[name]["facts"] or {}) for name, node in made.state.nodes.items()})
    files[allocations] = made.allocations
    before = {directory / path: text for path, text in read_files(directory).items()} if directory.is_dir() else {}
    if allocations.is_file():
        before[allocations] = allocations.read_text(encoding="utf-8")
    return Compiled(made.state, directory, allocations, files, before, made.warnings)


def inventory_state(
    cluster_vars: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], base_dir: str, extra_known: Collection[str] = ()
) -> ClusterState:
    """What an inventory says that the cluster is; see :func:`compile_inventory`. Raises InputError with all problems."""
    return make_state(cluster_vars, _with_facts(cluster_vars, hosts, base_dir), base_dir, extra_known).state


def _with_facts(cluster_vars: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], base_dir: str) -> dict[str, dict[str, Any]]:
    artifacts_dir = Path(base_dir, str(cluster_vars.get("sluice_artifacts_dir") or "artifacts"))
    seen = _read_json(artifacts_dir / str(cluster_vars.get("sluice_cluster_name") or "sluice") / FACTS_FILE)
    return {name: {"vars": host["vars"], "facts": _merged(host["facts"], seen.get(name) or {})} for name, host in hosts.items()}


def _merged(facts: Mapping[str, Any], seen: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run that looks at a node does not always look at its keys, which are the same as before."""
    return {**{name: seen[name] for name in ("encryption",) if name in seen}, **facts} if facts else seen


def _known_facts(node: Node, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a node's facts that its program depends on, in the form in which they are read again."""
    transport = node.transport
    keys = {name: value for name, value in asdict(node.keys).items() if value}
    return {
        **({"encryption": keys} if keys else {}),
        **({"nics": facts["nics"]} if node.offload.nics and facts.get("nics") else {}),
        "interfaces": {transport.interface: {"addresses": list(transport.addresses), "mac": transport.mac, "mtu": transport.mtu}},
        "routes": [{"destination": route.destination, "via": route.via, "device": transport.interface} for route in transport.routes],
        "architecture": str(facts.get("architecture", "")),
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SluiceError(f"{path} cannot be read: {error}; remove it and run on all nodes, which writes it anew") from error
    return dict(found)
