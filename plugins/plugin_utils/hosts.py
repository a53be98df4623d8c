# SPDX-License-Identifier: Apache-2.0
"""The inventory as the engine takes it, from what Ansible knows of its hosts."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, NamedTuple

GROUP = "sluice_nodes"
PLAYBOOK_VARIABLES = ("sluice_verify_outside",)
"""Variables of the inventory that are the playbooks' and say nothing of the cluster."""
FACTS_VARIABLE = "node_facts_result"
KEYS_VARIABLE = "encryption_keys"
"""What role encryption has made or found of the node's keys."""
OBSERVED = ("interfaces", "routes", "architecture", "bridges")
"""Those of a node's facts that the engine looks at."""


class Inventory(NamedTuple):
    """The first arguments of ``compile.inventory``'s functions, in their order."""

    cluster_vars: Mapping[str, Any]
    hosts: Mapping[str, Mapping[str, Any]]
    base_dir: str
    extra_known: tuple[str, ...]


def read_hosts(task_vars: Mapping[str, Any], facts_variable: str = FACTS_VARIABLE) -> Inventory:
    """The nodes with their variables and, where this run has gathered them, facts."""
    hosts = {name: _host(task_vars["hostvars"][name], facts_variable) for name in task_vars["groups"].get(GROUP, ())}
    # A variable of the cluster is the same on all of them, or refused.
    cluster_vars = hosts[min(hosts)]["vars"] if hosts else {}
    return Inventory(cluster_vars, hosts, str(task_vars.get("inventory_dir") or Path.cwd()), PLAYBOOK_VARIABLES)


def _host(hostvars: Mapping[str, Any], facts_variable: str) -> dict[str, Any]:
    facts = hostvars.get(facts_variable) or {}
    found = {name: facts[name] for name in OBSERVED if name in facts}
    if KEYS_VARIABLE in hostvars:
        found["encryption"] = dict(hostvars[KEYS_VARIABLE])
    return {"vars": {name: hostvars[name] for name in hostvars if name.startswith("sluice_")}, "facts": found}
