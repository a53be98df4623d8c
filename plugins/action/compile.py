# SPDX-License-Identifier: Apache-2.0
"""Controller side of sluice.fabric.compile: the whole fabric at once, from the hosts' variables and facts."""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.sluice.fabric.plugins.module_utils import zipapp_build
from ansible_collections.sluice.fabric.plugins.module_utils.compile.artifacts import write_files
from ansible_collections.sluice.fabric.plugins.module_utils.compile.inventory import FACTS_FILE, Compiled, compile_inventory
from ansible_collections.sluice.fabric.plugins.module_utils.compile.order import beyond_flows, receivers
from ansible_collections.sluice.fabric.plugins.module_utils.compile.paths import program_paths
from ansible_collections.sluice.fabric.plugins.module_utils.errors import SluiceError
from ansible_collections.sluice.fabric.plugins.plugin_utils.hosts import FACTS_VARIABLE, read_hosts

ARGUMENTS: dict[str, Any] = {
    "facts_variable": {"type": "str", "default": FACTS_VARIABLE},
    "only": {"type": "str", "choices": ["flows"]},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Compile, and write what changed; in check mode to a folder that goes with this run of Ansible."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, arguments = self.validate_argument_spec(ARGUMENTS)
        try:
            compiled = compile_inventory(*read_hosts(variables, arguments["facts_variable"]))
            if arguments["only"]:
                _refuse_more(compiled)
            directory = self._keep(compiled)
            engine = _engine()
        except SluiceError as error:
            return {**result, "failed": True, "msg": str(error)}
        for warning in compiled.warnings:
            self._display.warning(warning)
        result.update(
            changed=bool(compiled.changed),
            directory=str(compiled.directory),
            programs=program_paths(compiled.state, directory),
            receivers=receivers(compiled.state.nodes, compiled.directory, compiled.before, compiled.files),
            engine=engine,
            files=[str(path) for path in compiled.changed])
        if self._task.diff:
            result["diff"] = [_difference(compiled, path) for path in compiled.changed]
        return result

    def _keep(self, compiled: Compiled) -> Path:
        """Write what changed; gives the folder in which this run finds the programs."""
        directory = compiled.directory
        files = {path: compiled.files[path] for path in compiled.changed if path in compiled.files}
        if self._task.check_mode:
            directory = Path(tempfile.mkdtemp(prefix="sluice-artifacts-", dir=constants.DEFAULT_LOCAL_TMP))
            write_files({directory / path.relative_to(compiled.directory): text for path, text in compiled.files.items()
                         if path != compiled.allocations})
        else:
            write_files(files, [path for path in compiled.changed if path not in compiled.files])
        return directory


def _refuse_more(compiled: Compiled) -> None:
    beyond = beyond_flows(compiled.changed, (compiled.allocations, compiled.directory / FACTS_FILE))
    if beyond:
        listed = "".join(f"\n  - {path}" for path in beyond)
        raise SluiceError(f"the change is more than flows, so nothing was changed; run the site playbook for it. It differs in{listed}")


def _engine() -> dict[str, str]:
    """The engine for the nodes in a folder of this run, under its name as a CNI plugin and as a command, and its checksum."""
    zipapp = zipapp_build.build_zipapp(Path(zipapp_build.__file__).parent)
    directory = Path(tempfile.mkdtemp(prefix="sluice-engine-", dir=constants.DEFAULT_LOCAL_TMP))
    for name in ("sluice", "sluice.pyz"):
        (directory / name).write_bytes(zipapp.content)
    return {"directory": str(directory), "sha256": zipapp.sha256}


def _difference(compiled: Compiled, path: Path) -> dict[str, str]:
    return {"before_header": str(path), "before": compiled.before.get(path, ""),
            "after_header": str(path), "after": compiled.files.get(path, "")}
