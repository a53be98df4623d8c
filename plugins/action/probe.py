# SPDX-License-Identifier: Apache-2.0
"""Controller side of sluice.fabric.probe: from the inventory, the probes that a host has to send."""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.sluice.fabric.plugins.module_utils.compile.inventory import inventory_state
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.module_utils.verify.checks import Options, node_checks
from ansible_collections.sluice.fabric.plugins.module_utils.verify.fabric import Fabric
from ansible_collections.sluice.fabric.plugins.plugin_utils.hosts import read_hosts


class ActionModule(ActionBase):  # type: ignore[misc]
    """Fill in O(probes) and run the module."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        if arguments.get("probes") is None:
            options = Options(arguments.get("ports", "all"), tuple(arguments.get("outside") or ()))
            try:
                checks = node_checks(Fabric(inventory_state(*read_hosts(variables))), variables["inventory_hostname"], options)
            except SluiceError as error:
                return {**result, "failed": True, "msg": str(error)}
            arguments["probes"] = [check.probe._asdict() for check in checks]
        return {**result, **self._execute_module(module_args=arguments, task_vars=task_vars)}
