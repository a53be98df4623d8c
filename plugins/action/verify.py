# SPDX-License-Identifier: Apache-2.0
"""Controller side of sluice.fabric.verify: what all nodes saw against what the inventory lets expect."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.fabric.plugins.module_utils.compile.inventory import inventory_state
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.node.probe import Answer, Probe
from ansible_collections.sluice.fabric.plugins.module_utils.verify.checks import Options, node_checks
from ansible_collections.sluice.fabric.plugins.module_utils.verify.fabric import Fabric
from ansible_collections.sluice.fabric.plugins.module_utils.verify.report import report
from ansible_collections.sluice.fabric.plugins.module_utils.verify.table import render
from ansible_collections.sluice.fabric.plugins.module_utils.verify.verdict import judge
from ansible_collections.sluice.fabric.plugins.plugin_utils.hosts import read_hosts

ARGUMENTS: dict[str, Any] = {
    "variable": {"type": "str", "required": True},
    "ports": {"type": "str", "choices": ["all", "first", "none"], "default": "all"},
    "outside": {"type": "list", "elements": "str", "default": []},
    "report": {"type": "path"},
    "width": {"type": "int", "default": 120},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Judge, print the table, write the report."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(ARGUMENTS)
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        options = Options(arguments["ports"], tuple(arguments["outside"]))
        try:
            fabric = Fabric(inventory_state(*read_hosts(variables)))
            checks = [check for node in fabric.nodes for check in node_checks(fabric, node.name, options)]
            answers = {key: answer for node in fabric.nodes if node.name in hostvars
                       for key, answer in _answers(node.name, hostvars[node.name].get(arguments["variable"])).items()}
            verdicts = judge(fabric, checks, answers)
            summary = report(verdicts)
            if arguments["report"]:
                _write(Path(arguments["report"]), summary)
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error)}
        self._display.display(render(fabric, verdicts, arguments["width"]))
        broken = [line for node in fabric.nodes if node.name in hostvars for line in _broken(node.name, hostvars[node.name].get(arguments["variable"]))]
        if broken:
            self._display.display("Nothing can be exchanged encrypted:\n" + "".join(f"  {line}\n" for line in broken))
        # The failures themselves are in the table and the report: Ansible would print a result's list a second time.
        result.update(changed=False, probes=summary["probes"], wrong=summary["wrong"], failed=not summary["ok"])
        if not summary["ok"]:
            result["msg"] = f"{summary['wrong']} of {summary['probes']} probes are not as expected; the table above says which"
        return result


def _answers(node: str, probed: Any) -> dict[tuple[str, Probe], Answer]:
    """By node and probe; nothing for a host that was not reached or has failed."""
    found: dict[tuple[str, Probe], Answer] = {}
    results = probed.get("results", ()) if isinstance(probed, Mapping) else ()
    for row in results:
        probe = Probe(*(row[field] for field in Probe._fields))
        found[node, probe] = Answer(*(row[field] for field in Answer._fields))
    return found


def _broken(node: str, probed: Any) -> list[str]:
    """The node's peers to which nothing can be sent encrypted, and why."""
    peers = probed.get("encryption", ()) if isinstance(probed, Mapping) else ()
    return [f"{node} with {peer['peer']}, {peer['kind']}: {peer['reason']}" for peer in peers if peer["reason"]]


def _write(file: Path, summary: Mapping[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(summary, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise SluiceError(f"the report {file} could not be written: {error.strerror}") from error
